"""The ranking over NumPy columns: the same rules, the same scores and the same order as domain/rank.py, much faster.

One process holds one index. It may be a second behind the store, so what it says is only a proposal: whoever is
proposed is checked again with fresh facts before an offer goes out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.matching.domain.rank import Entry
from services.matching.domain.rules import Question
from services.matching.domain.score import Rarity, Scale
from services.matching.ranking.asking import Asking
from services.matching.ranking.columns import RosterColumns
from services.matching.ranking.tables import Column

# How far below the best score the others are looked for first, in thousandths of a point.
_FIRST_STEP = 4096


@dataclass(frozen=True)
class Proposal:
    """The ids of the best, best first, with the score each had in the index; `eligible` counts all who may be asked."""

    specialist_ids: tuple[str, ...]
    scores_milli: tuple[int, ...]
    eligible: int = 0


@dataclass(frozen=True)
class Shortlist:
    """The same as row numbers, which stand for the same specialists as long as the process runs."""

    rows: Column
    scores_milli: Column
    eligible: int


class RosterIndex:
    """Every ranked specialist, one row each; safe to use from several threads."""

    def __init__(self, codes: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._roster = RosterColumns(codes)

    def __len__(self) -> int:
        return len(self._roster)

    def bytes_used(self) -> dict[str, int]:
        """The size in bytes of the attributes' codes, the other columns, the ids, the tables of what many share."""
        return self._roster.bytes_used()

    def reserve(self, count: int) -> None:
        """There is room for so many without growing again."""
        with self._lock:
            self._roster.reserve(count)

    def put(self, entries: Iterable[Entry]) -> None:
        """These specialists are in the index as they are now; supervisors are left out."""
        with self._lock:
            self._roster.put(entries)

    def remove(self, specialist_ids: Iterable[str]) -> None:
        """None of these is ranked any more; unknown ids are passed over."""
        with self._lock:
            self._roster.remove(specialist_ids)

    def set_open(self, open_milli: Mapping[str, int]) -> None:
        """These specialists were asked to carry that much and have not answered; unknown ids are passed over."""
        with self._lock:
            self._roster.set_open(open_milli)

    def rarity(self, state: str = "") -> Rarity:
        """How many of those certified in a state released each attribute; of everybody here for "".

        A state's rarity is the same in every process that holds the state, whatever else it holds (P12).
        """
        with self._lock:
            return self._roster.rarity(state)

    def speakers(self, languages: Sequence[str], least_level: int, state: str) -> int:
        """How many of those certified in a state speak one of these so well; of everybody here for ""."""
        with self._lock:
            return self._roster.speakers(languages, least_level, state)

    def propose(self, asked: Question, scale: Scale, limit: int) -> Proposal:
        """The best `limit` of those whom no hard rule keeps out, best first."""
        found = self.shortlist(asked, scale, limit)
        return Proposal(self.texts(found.rows), tuple(found.scores_milli.tolist()), found.eligible)

    def shortlist(self, asked: Question, scale: Scale, limit: int) -> Shortlist:
        """The same best, for who puts thousands of questions and needs few of the ids."""
        with self._lock:
            asking = Asking(self._roster, asked)
            rows = asking.eligible()
            best, scores = self._best(asking, scale, rows, limit) if rows.size else (rows, rows)
            return Shortlist(best, scores, rows.size)

    def texts(self, rows: Column) -> tuple[str, ...]:
        """The ids of these rows."""
        with self._lock:
            return tuple(self._roster.ids.text(row) for row in rows.tolist())

    def exclusions(self, asked: Question) -> dict[str, int]:
        """How many each rule keeps out; each is counted once, under the first rule."""
        with self._lock:
            return Asking(self._roster, asked).exclusions()

    def place(self, asked: Question, scale: Scale, specialist_id: str) -> int:
        """Where this specialist stands among all who may be asked, from 1; 0 where a rule keeps them out."""
        with self._lock:
            row = self._roster.ids.row(specialist_id)
            asking = Asking(self._roster, asked)
            rows = asking.eligible()
            found = np.flatnonzero(rows == row) if row is not None else rows[:0]
            if found.size == 0:
                return 0
            scores = asking.fitting(scale, rows) + asking.free(scale, rows)
            at_least = np.flatnonzero(scores >= scores[found[0]])
            order = at_least[self._order(asking, rows[at_least], scores[at_least])]
            return int(np.flatnonzero(order == found[0])[0]) + 1

    def _best(self, asking: Asking, scale: Scale, rows: Column, limit: int) -> tuple[Column, Column]:
        """The best rows and their scores.

        Free capacity is worth the least and takes the longest to compute: only who could still be among the best
        with all of its points has it computed.
        """
        fitting = asking.fitting(scale, rows)
        hopeful = np.flatnonzero(fitting >= _least_of_best(fitting, limit) - scale.capacity_points)
        rows = rows[hopeful]
        scores = fitting[hopeful] + asking.free(scale, rows)
        chosen = np.flatnonzero(scores >= _least_of_best(scores, limit))
        best = chosen[self._order(asking, rows[chosen], scores[chosen])[:limit]]
        return rows[best], scores[best]

    def _order(self, asking: Asking, rows: Column, scores: Column) -> Column:
        """Best first: score, then who carries and was asked less, then who waited longest, then the id."""
        places = self._roster.ids.places()[rows]
        return np.lexsort((places, self._roster["waiting"][rows], asking.likely(rows), -scores))


def _least_of_best(scores: Column, limit: int) -> int:
    """The score of the `limit`-th best; nothing below it is among the best."""
    if scores.size <= limit:
        return int(scores.min())
    most, below = int(scores.max()), _FIRST_STEP
    high = scores[scores > most - below]
    while high.size < limit:
        below *= 2
        high = scores[scores > most - below]
    return int(np.partition(high, high.size - limit)[high.size - limit])
