"""What holds only for a time: time off, extra shifts, rest and strain; kept right as the clock moves."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.domain.specialist import Specialist, Standing
from services.matching.ranking.tables import milliseconds

Column = npt.NDArray[Any]
Span = tuple[int, int]


class _Spell:
    """What passes for one row, in milliseconds."""

    __slots__ = ("extra", "off", "rests_until", "strains")

    def __init__(self, specialist: Specialist, standing: Standing) -> None:
        calendar = specialist.calendar
        self.off = tuple((milliseconds(s.begins), milliseconds(s.ends)) for s in calendar.off)
        self.extra = tuple((milliseconds(s.begins), milliseconds(s.ends)) for s in calendar.extra)
        self.rests_until = milliseconds(standing.rests_until) if standing.rests_until else 0
        self.strains = tuple((s.milli, milliseconds(s.until)) for s in standing.strains)

    def next_change(self, at: int) -> int | None:
        """The first moment after `at` when something of it begins or ends."""
        moments = [moment for span in (*self.off, *self.extra) for moment in span]
        moments += [until for _, until in self.strains]
        moments.append(self.rests_until)
        return min((moment for moment in moments if moment > at), default=None)


class Passing:
    """Who is off, works extra, rests or is strained at the moment it was last asked about."""

    def __init__(self) -> None:
        self._at = 0
        self._spells: dict[int, _Spell] = {}
        self._changes: list[tuple[int, int]] = []
        self._rows: dict[str, set[int]] = {"off": set(), "extra": set(), "resting": set()}
        self._arrays: dict[str, Column] = {}
        self._strain: dict[int, int] = {}

    def put(self, row: int, specialist: Specialist | None, standing: Standing) -> None:
        """What passes for this row is as told; for None nothing does."""
        spell = _Spell(specialist, standing) if specialist and _passes(specialist, standing) else None
        if spell is None and row not in self._spells:
            return
        if spell is None:
            del self._spells[row]
        else:
            self._spells[row] = spell
        self._judge(row)

    def move(self, at: int) -> list[int]:
        """Everything is as at this moment; returns the rows that may carry something else now."""
        rows: set[int] = set()
        if at < self._at:
            rows.update(self._spells)
            self._changes.clear()
        self._at = at
        while self._changes and self._changes[0][0] <= at:
            rows.add(heapq.heappop(self._changes)[1])
        for row in rows:
            self._judge(row)
        return list(rows)

    def strain(self, row: int) -> int:
        """What weighs on this row beside its cases."""
        return self._strain.get(row, 0)

    def rows(self, what: str) -> Column:
        """The rows that are "off", work "extra" or are "resting"."""
        if what not in self._arrays:
            self._arrays[what] = np.fromiter(self._rows[what], np.int64, len(self._rows[what]))
        return self._arrays[what]

    def _judge(self, row: int) -> None:
        spell, at = self._spells.get(row), self._at
        is_off = spell is not None and _holds(spell.off, at)
        self._set("off", row, is_off)
        self._set("extra", row, spell is not None and not is_off and _holds(spell.extra, at))
        self._set("resting", row, spell is not None and at < spell.rests_until)
        self._strain.pop(row, None)
        if spell is None:
            return
        milli = sum(milli for milli, until in spell.strains if at < until)
        if milli:
            self._strain[row] = milli
        change = spell.next_change(at)
        if change is not None:
            heapq.heappush(self._changes, (change, row))

    def _set(self, what: str, row: int, is_so: bool) -> None:
        if is_so != (row in self._rows[what]):
            (self._rows[what].add if is_so else self._rows[what].discard)(row)
            self._arrays.pop(what, None)


def _passes(specialist: Specialist, standing: Standing) -> bool:
    calendar = specialist.calendar
    return bool(calendar.off or calendar.extra or standing.strains or standing.rests_until)


def _holds(spans: tuple[Span, ...], at: int) -> bool:
    return any(begins <= at < ends for begins, ends in spans)
