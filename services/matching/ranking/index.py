"""The ranking over NumPy columns: the same rules, the same scores and the same order as domain/rank.py, much faster.

One process holds one index. It may be a second behind the store, so what it says is only a proposal: whoever is
proposed is checked again with fresh facts before an offer goes out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from services.matching.domain import rules
from services.matching.domain.rank import Entry
from services.matching.domain.rules import Question
from services.matching.domain.score import Rarity, Scale
from services.matching.domain.specialist import AGE_BANDS, MODALITIES, PAYERS
from services.matching.ranking.columns import Column, Flags, RosterColumns, mask, milliseconds

# Row numbers, or the whole columns.
Rows = Column | slice
_BEDSIDE = mask({"bedside"}, MODALITIES)
_ELSEWHERE = mask({"phone", "video"}, MODALITIES)


@dataclass(frozen=True)
class Proposal:
    """The ids of the best, best first, with the score each had in the index."""

    specialist_ids: tuple[str, ...]
    scores_milli: tuple[int, ...]


class RosterIndex:
    """Every ranked specialist, one row each; safe to use from several threads."""

    def __init__(self, codes: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._roster = RosterColumns(codes)
        self._places: tuple[int, Column] | None = None
        self._on_shift: tuple[tuple[int, int], Flags] | None = None

    def __len__(self) -> int:
        return len(self._roster.ids)

    def bytes_used(self) -> int:
        """The size of all columns in bytes, ids and dictionaries not counted."""
        return self._roster.bytes_used()

    def put(self, entries: Iterable[Entry]) -> None:
        """These specialists are in the index as they are now; supervisors are left out."""
        with self._lock:
            self._roster.put(entries)

    def set_open(self, open_milli: Mapping[str, int]) -> None:
        """These specialists were asked to carry that much and have not answered; unknown ids are passed over."""
        with self._lock:
            self._roster.set_open(open_milli)

    def rarity(self) -> Rarity:
        """How many of the ranked released each attribute."""
        with self._lock:
            return Rarity(dict(self._roster.counts), len(self))

    def propose(self, asked: Question, scale: Scale, limit: int) -> Proposal:
        """The best `limit` of those whom no hard rule keeps out, best first."""
        with self._lock:
            alive = self._eligible(asked)
            if alive.size == 0:
                return Proposal((), ())
            scores = self._scores(asked, scale, alive)
            best = self._best(alive, scores, limit)
            return Proposal(tuple(self._roster.ids[row] for row in alive[best]), tuple(scores[best].tolist()))

    def exclusions(self, asked: Question) -> dict[str, int]:
        """How many each rule keeps out; each is counted once, under the first rule."""
        with self._lock:
            counts: dict[str, int] = {}
            alive: Column = np.arange(len(self))
            for rule, keeps in self._rules(asked):
                kept = alive[keeps(alive)]
                if kept.size < alive.size:
                    counts[rule] = int(alive.size - kept.size)
                alive = kept
            return counts

    # Rules

    def _eligible(self, asked: Question) -> Column:
        """Whom no rule keeps out: cheap rules on whole columns, where nothing is copied, then the rest on who remains."""
        everybody = slice(0, len(self))
        kept = self._can_carry(asked, everybody)
        kept &= self._working(asked.at, everybody)
        kept &= self._speaks(asked, everybody)
        kept &= self._certified(asked, everybody)
        alive: Column = np.flatnonzero(kept)
        for keeps in (self._respects, self._reaches):
            alive = alive[keeps(asked, alive)]
        return alive[self._not_among(asked.excluded_ids | asked.asked_ids, alive)]

    def _rules(self, asked: Question) -> list[tuple[str, Any]]:
        return [
            (rules.SAFETY, lambda rows: self._not_among(asked.excluded_ids, rows)),
            (rules.ASKED, lambda rows: self._not_among(asked.asked_ids, rows)),
            (rules.PREFERENCE, lambda rows: self._respects(asked, rows)),
            (rules.LANGUAGE, lambda rows: self._speaks(asked, rows)),
            (rules.CERTIFICATION, lambda rows: self._certified(asked, rows)),
            (rules.SHIFT, lambda rows: self._working(asked.at, rows)),
            (rules.REACH, lambda rows: self._reaches(asked, rows)),
            (rules.CAPACITY, lambda rows: self._can_carry(asked, rows)),
        ]

    def _count(self, rows: Rows) -> int:
        return len(self) if isinstance(rows, slice) else rows.size

    def _not_among(self, ids: Iterable[str], rows: Column) -> Flags:
        barred = [self._roster.rows[one] for one in ids if one in self._roster.rows]
        return np.isin(rows, barred, invert=True)

    def _respects(self, asked: Question, rows: Rows) -> Flags:
        kept = np.ones(self._count(rows), bool)
        if any(code not in self._roster.bits for code in asked.must):
            return ~kept
        must, avoid = self._roster.pack(asked.must), self._roster.pack(asked.avoid)
        for word in range(self._roster.words):
            if must[word]:
                kept &= (self._roster["released"][word, rows] & must[word]) == must[word]
            if avoid[word]:
                kept &= (self._roster["avoidable"][word, rows] & avoid[word]) == 0
        return kept

    def _speaks(self, asked: Question, rows: Rows) -> Flags:
        if not asked.languages:
            return np.ones(self._count(rows), bool)
        kept = np.zeros(self._count(rows), bool)
        for tag in asked.languages:
            if tag in self._roster.languages:
                kept |= self._roster.languages[tag][rows] >= asked.least_level
        return kept

    def _certified(self, asked: Question, rows: Rows) -> Flags:
        at = milliseconds(asked.at)
        payer, age = mask({asked.payer}, PAYERS), mask({asked.age_band}, AGE_BANDS)
        state = self._roster.states.get(asked.state, -1) if asked.state else 0
        kept = np.zeros(self._count(rows), bool)
        for slot in self._roster.certificates:
            fits = (slot["from"][rows] <= at) & (at < slot["until"][rows])
            if payer:
                fits &= (slot["payers"][rows] & payer) != 0
            if age:
                fits &= (slot["ages"][rows] & age) != 0
            if state:
                fits &= slot["state"][rows] == state
            kept |= fits
        return kept

    def _working(self, at: datetime, rows: Rows) -> Flags:
        """Who is on shift; kept for the minute, for a week has few different patterns and many specialists."""
        patterns = self._roster.patterns
        key = milliseconds(at) // 60_000, len(patterns)
        if self._on_shift is None or self._on_shift[0] != key:
            self._on_shift = key, np.array([shifts.is_on(at) for shifts in patterns], bool)
        return self._on_shift[1][self._roster["pattern"][rows]]

    def _reaches(self, asked: Question, rows: Rows) -> Flags:
        return self._ways(asked, rows) != 0

    def _ways(self, asked: Question, rows: Rows) -> Column:
        possible = self._roster["ways"][rows] & mask(asked.modalities, MODALITIES)
        comes = (possible & _BEDSIDE) != 0
        if not comes.any():
            return possible
        if asked.need.source_place is None:
            return possible & _ELSEWHERE
        reach = np.minimum(self._roster["radius"][rows], asked.bedside_reach)
        return np.where(comes & (self._chords(asked, rows) > reach), possible & _ELSEWHERE, possible)

    def _chords(self, asked: Question, rows: Rows) -> Column:
        here = asked.need.source_place
        assert here is not None
        x, y, z = self._roster["xyz"][:, rows].astype(np.int64)
        return (x - here.x) ** 2 + (y - here.y) ** 2 + (z - here.z) ** 2

    def _can_carry(self, asked: Question, rows: Rows) -> Flags:
        return self._roster["load"][rows] + asked.weight_milli <= self._roster["capacity"][rows]

    # Score and order

    def _scores(self, asked: Question, scale: Scale, rows: Column) -> Column:
        scores = np.zeros(rows.size, np.int64)
        for term in scale.attributes:
            code = term.code.split(":", 1)[1]
            if code in self._roster.bits:
                word, bit = self._roster.bits[code]
                shares = (self._roster["released"][word, rows] >> bit) & np.uint64(1)
                scores += shares.astype(np.int64) * term.points_milli
        return scores + self._spoken(scale, rows) + self._close(asked, scale, rows) + self._free(scale, rows)

    def _spoken(self, scale: Scale, rows: Column) -> Column:
        best = np.zeros(rows.size, np.int64)
        for tag, points in scale.languages:
            if tag in self._roster.languages:
                np.maximum(best, np.array(points)[self._roster.languages[tag][rows]], out=best)
        return best

    def _close(self, asked: Question, scale: Scale, rows: Column) -> Column:
        points = np.zeros(rows.size, np.int64)
        if asked.need.source_place is None:
            return points
        chords = self._chords(asked, rows)
        for limit, value in reversed(scale.closeness):
            points[chords <= limit] = value
        points[(self._ways(asked, rows) & _BEDSIDE) == 0] = 0
        return points

    def _free(self, scale: Scale, rows: Column) -> Column:
        capacity = self._roster["capacity"][rows]
        free = np.maximum(capacity - self._likely(rows), 0)
        return scale.capacity_points * free // np.maximum(capacity, 1)

    def _likely(self, rows: Column) -> Column:
        return self._roster["load"][rows] + self._roster["open"][rows]

    def _best(self, rows: Column, scores: Column, limit: int) -> Column:
        chosen = np.arange(rows.size)
        if rows.size > limit:
            least = np.partition(scores, rows.size - limit)[rows.size - limit]
            chosen = np.flatnonzero(scores >= least)
        at = rows[chosen]
        keys = (
            self._id_places()[at],
            self._roster["waiting"][at],
            self._likely(at),
            -scores[chosen],
        )
        return chosen[np.lexsort(keys)][:limit]

    def _id_places(self) -> Column:
        """Each row's place in the order of ids."""
        ids = self._roster.ids
        if self._places is None or self._places[0] != len(ids):
            places = np.empty(len(ids), np.int64)
            places[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
            self._places = len(ids), places
        return self._places[1]
