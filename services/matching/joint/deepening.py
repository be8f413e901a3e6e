"""The best assignment of the best fifty of each, grown by every pair that its prices say could be better.

A pair outside the market is worth nothing where it gains less, at the price of its specialist, than what its referral
has.  Where none gains more, and nobody beyond the lists could, the assignment is the best there is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.matching.joint import solving
from services.matching.joint.lists import KEPT, Lists
from services.matching.joint.market import Flags, Market, Numbers, SeatsOf
from services.matching.joint.solving import NOBODY, Solution

FIRST_DEPTH = 50
_DEEPER = 4
_MOST_ROUNDS = 24
# So many new pairs of a referral at once: what the next prices make worthless is not worth solving for.
_MOST_NEW = 8


def solved(lists: Lists, priority: Sequence[int], seats_of: SeatsOf) -> tuple[Market, Solution, bool]:
    """The market that was needed, its best assignment, and whether that is proven best of all there could be."""
    pairs = _Pairs(lists, priority, seats_of)
    for _ in range(_MOST_ROUNDS):
        market = pairs.market()
        solution = solving.best(market)
        gain = solving.gains(market, solution)
        if pairs.grow(market, solution, gain):
            continue
        further = solving.unproven(market, solution)
        if not further.size:
            return market, solution, solving.is_proven(market, solution)
        pairs.look_further(further)
    return market, solution, False


class _Pairs:
    """Everybody's list as it was asked for, flat, by referral and best first; `_chosen` are those in the market."""

    def __init__(self, lists: Lists, priority: Sequence[int], seats_of: SeatsOf) -> None:
        self._known = lists
        self._priority = np.asarray(priority, np.int64)
        self._seats_of = seats_of
        self._depth = np.full(self._priority.size, KEPT)
        self._lists = [lists.best(row, KEPT) for row in range(self._priority.size)]
        self._lay_out()
        self._chosen: Flags = self._place < FIRST_DEPTH

    def market(self) -> Market:
        """The chosen pairs; whatever is outside is in the lists, or scores at most as the last in them."""
        at = np.flatnonzero(self._chosen)
        used = np.zeros(self._key.max(initial=0) + 1, bool)
        used[self._key[at]] = True
        keys = np.flatnonzero(used)
        self._column = np.full(used.size, NOBODY, np.int64)
        self._column[keys] = np.arange(keys.size)
        return Market(
            row=self._row[at],
            column=self._column[self._key[at]],
            score=self._score[at],
            place=self._place[at],
            seats=np.asarray(self._seats_of(keys), np.int64),
            priority=self._priority,
            beyond=self._beyond,
            keys=keys,
        )

    def grow(self, market: Market, solution: Solution, gain: Numbers) -> bool:
        """Pairs that are better than what their referral has are in the market now; False where there were none.

        Whoever has nobody makes everybody around them dear: where they gain anything, only they look first.
        """
        price = np.append(solution.price, 0)  # somebody outside the market costs nothing: the last one
        worth = solving.served_worth(market)
        more = worth[self._row] + self._score - price[self._column[self._key]] - gain[self._row]
        better = np.flatnonzero((more > 0) & ~self._chosen)
        alone = better[solution.edge[self._row[better]] == NOBODY]
        better = alone if alone.size else better
        better = better[np.lexsort((-more[better], self._row[better]))]
        rows = self._row[better]
        nth = np.arange(rows.size) - np.searchsorted(rows, rows)
        self._chosen[better[nth < _MOST_NEW]] = True
        return bool(better.size)

    def look_further(self, rows: Numbers) -> None:
        """The lists of these referrals are four times as long."""
        kept = self._row[self._chosen], self._place[self._chosen]
        for row in rows.tolist():
            self._depth[row] *= _DEEPER
            self._lists[row] = self._known.best(row, int(self._depth[row]))
        self._lay_out()
        self._chosen = np.zeros(self._row.size, bool)
        self._chosen[self._starts[kept[0]] + kept[1]] = True

    def _lay_out(self) -> None:
        counts = np.array([len(keys) for keys, _ in self._lists], np.int64)
        self._starts = np.cumsum(counts) - counts
        self._row = np.repeat(np.arange(counts.size), counts)
        self._place = np.arange(self._row.size) - self._starts[self._row]
        self._key = _joined([keys for keys, _ in self._lists])
        self._score = _joined([scores for _, scores in self._lists])
        self._column = np.full(self._key.max(initial=0) + 1, NOBODY, np.int64)
        ends = self._starts + counts - 1
        is_whole = counts < self._depth
        self._beyond = np.full(counts.size, NOBODY, np.int64)
        self._beyond[~is_whole] = self._score[ends[~is_whole]]


def _joined(parts: Sequence[Numbers]) -> Numbers:
    return np.concatenate([np.asarray(part, np.int64) for part in parts]) if parts else np.zeros(0, np.int64)
