"""The board by area: how many wait, are asked, are expected and were missed around each hospital; a sketch of where.

An area is the first three digits of a hospital's ZIP, named after the town of its center.  The sketch is drawn here:
no tile, font or script of anybody else's is asked for, so nobody else learns which areas are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.matching import places
from services.matching.domain.case import SEEKING, UNFILLED, Case
from services.matching.domain.followup import MISSED
from services.matching.places import Area
from services.matching.web.wall import is_overdue

ELSEWHERE = "elsewhere"
COUNTS = ("waiting", "unfilled", "offered", "coming", "overdue", "missed")
# The sketch, in its own units: no two areas nearer than so much, so that their names can be read.
_WIDTH, _HEIGHT, _MARGIN_X, _MARGIN_Y, _APART_X, _APART_Y = 680.0, 300.0, 90.0, 40.0, 150.0, 62.0
_ROUNDS = 60


@dataclass
class AreaRow:
    """One area in numbers; `code` is "" for hospitals that have no place on the map."""

    code: str
    name: str
    area: Area | None
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    @property
    def is_alarming(self) -> bool:
        """Somebody there was let down, or is about to be."""
        return any(self.counts[name] for name in ("unfilled", "overdue", "missed"))


@dataclass(frozen=True)
class Spot:
    """An area on the sketch: its middle and radius, in the sketch's units."""

    row: AreaRow
    x: float
    y: float
    radius: float


def code_of(case: Case) -> str:
    """The area of the case's hospital, `elsewhere` where nobody knows."""
    area = places.area(case.need.source_place) if case.need.source_place else None
    return area.code if area else ELSEWHERE


def by_area(
    waiting: Iterable[Case], coming: Iterable[Case], due: Iterable[Case], now: datetime
) -> list[AreaRow]:
    """Each area with something to see, first where somebody was let down, then where most wait."""
    rows: dict[str, AreaRow] = {}
    for case in waiting:
        _count(rows, case, waiting=1, unfilled=case.state == UNFILLED, offered=_is_offered(case))
    for case in coming:
        _count(rows, case, coming=1, overdue=is_overdue(case, now))
    for case in due:
        _count(rows, case, missed=any(one.state == MISSED for one in case.checkins))
    return sorted(rows.values(), key=_first)


def sketch(rows: Sequence[AreaRow]) -> list[Spot]:
    """Where the areas lie to each other, north above; empty where there are not two to set side by side."""
    placed = [row for row in rows if row.area is not None]
    if len(placed) < 2:
        return []
    spots = [[*_at(row.area, [one.area for one in placed if one.area])] for row in placed if row.area]
    _apart(spots)
    most = max(row.counts["waiting"] + row.counts["coming"] for row in placed) or 1
    return [
        Spot(
            row,
            round(x, 1),
            round(y, 1),
            round(9 + 15 * ((row.counts["waiting"] + row.counts["coming"]) / most) ** 0.5, 1),
        )
        for row, (x, y) in zip(placed, spots, strict=True)
    ]


def _is_offered(case: Case) -> bool:
    return case.state == SEEKING and bool(case.open_offers)


def _count(rows: dict[str, AreaRow], case: Case, **counts: int) -> None:
    code = code_of(case)
    if code not in rows:
        area = places.area(case.need.source_place) if case.need.source_place else None
        rows[code] = AreaRow(code, area.name if area else "", area)
    for name, count in counts.items():
        rows[code].counts[name] += count


def _first(row: AreaRow) -> tuple[int, int, str]:
    let_down = row.counts["unfilled"] + row.counts["overdue"] + row.counts["missed"]
    return -let_down, -row.counts["waiting"] - row.counts["coming"], row.name


def _at(area: Area, everywhere: Sequence[Area]) -> tuple[float, float]:
    """Degrees stretched over the sketch; a degree of longitude is shorter than one of latitude, which is left out."""
    west, east = min(one.longitude for one in everywhere), max(one.longitude for one in everywhere)
    south, north = min(one.latitude for one in everywhere), max(one.latitude for one in everywhere)
    right = (area.longitude - west) / (east - west) if east > west else 0.5
    down = (north - area.latitude) / (north - south) if north > south else 0.5
    return _MARGIN_X + right * (_WIDTH - 2 * _MARGIN_X), _MARGIN_Y + down * (_HEIGHT - 2 * _MARGIN_Y)


def _apart(spots: list[list[float]]) -> None:
    """Who lies too near is pushed up and down until names can be read, within the sketch; the same every time."""
    for _ in range(_ROUNDS):
        for one, here in enumerate(spots):
            for other in spots[:one]:
                if abs(here[0] - other[0]) >= _APART_X or abs(here[1] - other[1]) >= _APART_Y:
                    continue
                lower, upper = (here, other) if (here[1], one) >= (other[1], -1) else (other, here)
                push = (_APART_Y - (lower[1] - upper[1])) / 2
                lower[1] = min(lower[1] + push, _HEIGHT - _MARGIN_Y)
                upper[1] = max(upper[1] - push, _MARGIN_Y)
