"""Each referral's ranking as far as it was looked at; and what is had by going through them one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.matching.joint.market import Ask, SeatsOf

# Ranking costs about the same for so many: whoever is asked about is asked about once.
KEPT = 400
_FIRST, _DEEPER = 50, 4


class Lists:
    """What `ask` said, kept for when more of it is wanted."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._told: dict[int, tuple[int, Any, Any]] = {}

    def best(self, row: int, limit: int) -> tuple[Any, Any]:
        """The best `limit` of a row, fewer where there are no more."""
        told = self._told.get(row)
        if told is None or told[0] < limit:
            asked = max(limit, KEPT)
            told = self._told[row] = (asked, *self._ask(row, asked))
        return told[1][:limit], told[2][:limit]


def one_by_one(lists: Lists, priority: Sequence[int], seats_of: SeatsOf) -> tuple[int, int]:
    """How many are served, and the total of their scores, where each takes the best who is still free.

    By priority, then as they came.
    """
    free: dict[int, int] = {}
    served = total = 0
    for row in sorted(range(len(priority)), key=lambda row: -priority[row]):
        score = _taken(lists, row, free, seats_of)
        served, total = served + (score >= 0), total + max(score, 0)
    return served, total


def _taken(lists: Lists, row: int, free: dict[int, int], seats_of: SeatsOf) -> int:
    """The score of the best who is free, whose place is taken now; below zero where nobody is."""
    limit, begin = _FIRST, 0
    while True:
        keys, scores = (np.asarray(told, np.int64) for told in lists.best(row, limit))
        fresh = np.array([key for key in keys[begin:].tolist() if key not in free], np.int64)
        free.update(zip(fresh.tolist(), map(int, seats_of(fresh)), strict=True))
        for at in range(begin, keys.size):
            if free[int(keys[at])] > 0:
                free[int(keys[at])] -= 1
                return int(scores[at])
        if keys.size < limit:
            return -1
        limit, begin = limit * _DEEPER, limit
