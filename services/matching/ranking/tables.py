"""What many specialists have alike, kept once: a row of the roster only names which of each is theirs.

A question is put to each different thing once, and the answer looked up for everybody who has it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.domain import place
from services.matching.domain.limits import Limit
from services.matching.domain.rules import Question
from services.matching.domain.score import Scale
from services.matching.domain.shifts import Shifts
from services.matching.domain.specialist import (
    MODALITIES,
    TRANSPORTS,
    Specialist,
)
from services.matching.ranking.remembered import Remembered

Column = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEDSIDE = 1 << MODALITIES.index("bedside")
_FOR_EVER = 2**62
# The number of nobody's kind: who left the roster keeps their row and is of this one.
NOBODY = 0


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, exact."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def mask(names: Iterable[str], known: Sequence[str]) -> int:
    """The names as bits, in the order of the known ones."""
    return sum(1 << known.index(name) for name in set(names) if name in known)


_NEVER_ON = Shifts((), False, "UTC")


class Rows:
    """A growing table of numbers with the same columns for every row."""

    def __init__(self, **kinds: Any) -> None:
        self._columns = {name: np.zeros(64, kind) for name, kind in kinds.items()}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> Column:
        return self._columns[name][: self._count]

    def bytes_used(self) -> int:
        """Of all columns."""
        return sum(column.nbytes for column in self._columns.values())

    def add(self, **values: int) -> int:
        """One more row; returns its number."""
        if self._count == next(iter(self._columns.values())).size:
            room = 2 * self._count
            self._columns = {name: np.resize(column, room) for name, column in self._columns.items()}
        for name, value in values.items():
            self._columns[name][self._count] = value
        self._count += 1
        return self._count - 1


class Kinds:
    """Shifts, languages and own limits of a specialist, as one number."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._shifts: dict[Shifts, int] = {}
        self._languages: dict[frozenset[tuple[str, int]], int] = {}
        self._limits: dict[Hashable, int] = {}
        self._levels: dict[str, list[int]] = {}
        # (kind, value) of a limit: which limits name it, each with the time it ends.
        self._named: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._rows = Rows(shifts=np.int32, languages=np.int32, limits=np.int32)
        self._on_shift: tuple[tuple[int, bool, int], Flags] | None = None
        self._told = Remembered()
        # Nobody never works; a key of their own, so that no real specialist is of this kind.
        self._shifts[_NEVER_ON] = 0
        self._numbers["nobody"] = self._rows.add(
            shifts=0, languages=self._language(frozenset()), limits=self._limit((), "")
        )

    def bytes_used(self) -> int:
        """Of the table, the dictionaries not counted."""
        return self._rows.bytes_used()

    def number(self, specialist: Specialist) -> int:
        """Which of the kinds this specialist is of."""
        zone, limits = specialist.shifts.time_zone, specialist.limits
        spoken = frozenset(specialist.languages.items())
        key = specialist.shifts, spoken, limits
        found = self._numbers.get(key)
        if found is None:
            shifts = self._shifts.setdefault(specialist.shifts, len(self._shifts))
            found = self._numbers[key] = self._rows.add(
                shifts=shifts, languages=self._language(spoken), limits=self._limit(limits, zone)
            )
        return found

    def working(self, at: datetime, *, is_immediate: bool) -> Flags:
        """Of which kinds the week says they work now; kept for the minute."""
        key = milliseconds(at) // 60_000, is_immediate, len(self._shifts)
        if self._on_shift is None or self._on_shift[0] != key:
            on = [shifts.is_on(at, is_immediate=is_immediate) for shifts in self._shifts]
            self._on_shift = key, np.array(on, bool)
        return self._on_shift[1][self._rows["shifts"]]

    def speaking(self, asked: Question) -> Flags:
        """Which kinds speak a language of the peer well enough."""
        if not asked.languages:
            return np.ones(len(self._rows), bool)
        key = "speaking", asked.languages, asked.least_level, len(self._rows)
        return self._told.told(key, lambda: self._speak(asked))

    def _speak(self, asked: Question) -> Flags:
        return self.tongues(asked.languages, asked.least_level)[self._rows["languages"]]

    def tongues(self, languages: Sequence[str], least_level: int) -> Flags:
        """Which sets of languages have one of these, so well."""
        fits = np.zeros(len(self._languages), bool)
        for tag in languages:
            fits |= self._levels_of(tag) >= least_level
        return fits

    def languages_of(self, kinds: Column) -> Column:
        """Which set of languages each of these kinds speaks."""
        return self._rows["languages"][kinds]

    def spoken_points(self, scale: Scale) -> Column:
        """The points of the one language that gives most, for each kind."""
        key = "points", scale.languages, len(self._rows)
        return self._told.told(key, lambda: self._points(scale))

    def _points(self, scale: Scale) -> Column:
        best = np.zeros(len(self._languages), np.int32)
        for tag, points in scale.languages:
            np.maximum(best, np.array(points, np.int32)[self._levels_of(tag)], out=best)
        return best[self._rows["languages"]]

    def within_limits(self, asked: Question) -> Flags:
        """Which kinds have no limit that names this referral."""
        at, about = milliseconds(asked.at), frozenset(asked.about & self._named.keys())
        key = "limits", at, about, len(self._rows)
        return self._told.told(key, lambda: self._unlimited(about, at))

    def _unlimited(self, about: frozenset[tuple[str, str]], at: int) -> Flags:
        fits = np.ones(len(self._limits), bool)
        for subject in about:
            for number, ends in self._named.get(subject, ()):
                if at < ends:
                    fits[number] = False
        return fits[self._rows["limits"]]

    def _levels_of(self, tag: str) -> Column:
        levels = self._levels.get(tag, [])
        return np.array(levels + [0] * (len(self._languages) - len(levels)), np.int8)

    def _language(self, spoken: frozenset[tuple[str, int]]) -> int:
        number = self._languages.get(spoken)
        if number is None:
            number = self._languages[spoken] = len(self._languages)
            for tag, level in spoken:
                levels = self._levels.setdefault(tag, [])
                levels.extend([0] * (number + 1 - len(levels)))
                levels[number] = level
        return number

    def _limit(self, limits: tuple[Limit, ...], zone: str) -> int:
        key = (limits, zone) if limits else ()
        number = self._limits.get(key)
        if number is None:
            number = self._limits[key] = len(self._limits)
            for limit in limits:
                ends = limit.ends_at(zone)
                until = milliseconds(ends) if ends else _FOR_EVER
                self._named.setdefault((limit.kind, limit.value), []).append((number, until))
        return number


class Bases:
    """Where they set out from, how and how far, and in which ways they can be with a peer, as one number."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._told = Remembered()
        self._rows = Rows(
            x=np.int64, y=np.int64, z=np.int64, radius=np.int64, transport=np.uint8, ways=np.uint8
        )

    def bytes_used(self) -> int:
        """Of the table, the dictionaries not counted."""
        return self._rows.bytes_used()

    def number(self, specialist: Specialist) -> int:
        """Which of the bases this specialist has."""
        here, ways = specialist.place, mask(specialist.modalities, MODALITIES)
        key = here.x, here.y, here.z, specialist.radius_miles, specialist.transport, ways
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = self._rows.add(
                x=here.x,
                y=here.y,
                z=here.z,
                radius=place.reach_squared(specialist.radius_miles),
                transport=TRANSPORTS.index(specialist.transport),
                ways=ways,
            )
        return found

    def chords(self, asked: Question) -> Column | None:
        """How far each is from the facility, squared; None where nobody knows where it is."""
        here, rows = asked.need.source_place, self._rows
        if here is None:
            return None
        return self._told.told(
            ("chords", here, len(rows)),
            lambda: (rows["x"] - here.x) ** 2 + (rows["y"] - here.y) ** 2 + (rows["z"] - here.z) ** 2,
        )

    def ways(self, asked: Question) -> Column:
        """In which ways somebody from each base could be with the peer in time, as bits."""
        return self._told.told(("ways", self._way(asked)), lambda: self._ways(asked, self.chords(asked)))

    def closeness(self, scale: Scale, asked: Question) -> Column:
        """The points of each base."""
        key = "closeness", scale.closeness, self._way(asked)
        return self._told.told(key, lambda: self._closeness(scale, self.chords(asked), self.ways(asked)))

    def _way(self, asked: Question) -> Hashable:
        reach = tuple(asked.bedside_reach[name] for name in TRANSPORTS)
        return asked.need.source_place, asked.modalities, reach, len(self._rows)

    def _ways(self, asked: Question, chords: Column | None) -> Column:
        possible = self._rows["ways"] & np.uint8(mask(asked.modalities, MODALITIES))
        if chords is None:
            return possible & np.uint8(0xFF ^ _BEDSIDE)
        in_time = np.array([asked.bedside_reach[name] for name in TRANSPORTS], np.int64)
        reach = np.minimum(self._rows["radius"], in_time[self._rows["transport"]])
        return np.where(chords > reach, possible & np.uint8(0xFF ^ _BEDSIDE), possible)

    def _closeness(self, scale: Scale, chords: Column | None, ways: Column) -> Column:
        if chords is None:
            return np.zeros(len(self._rows), np.int32)
        steps = np.array([limit for limit, _ in scale.closeness], np.int64)
        points = np.array([*(points for _, points in scale.closeness), 0], np.int32)
        return points[np.searchsorted(steps, chords)] * ((ways & _BEDSIDE) != 0)
