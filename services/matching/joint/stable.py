"""The stable assignment: no referral and no specialist would both rather have each other than what they have.

A referral would rather have whoever fits better; a place goes to the more urgent referral, then to the one it fits
better, then to the one that came first.  Gale and Shapley's deferred acceptance finds it, best for every referral.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.matching.joint.lists import Lists
from services.matching.joint.market import SeatsOf

_FIRST, _DEEPER = 50, 4


@dataclass(frozen=True)
class Held:
    """A referral's place with a specialist: their key, the score, which choice of the referral's it is (from 1)."""

    row: int
    key: int
    score_milli: int
    choice: int


def stable(lists: Lists, priority: Sequence[int], seats_of: SeatsOf) -> list[Held]:
    """Who has whom, in the order of the rows; who is in none of it has nobody who would not rather have another."""
    asking, held = _Asking(lists), _Places(seats_of)
    free = list(range(len(priority)))[::-1]
    while free:
        row = free.pop()
        found = asking.next_of(row)
        if found is None:
            continue
        turned_away = held.take((-priority[row], -found.score_milli, row), found)
        if turned_away is not None:
            free.append(turned_away)
    return sorted(held.all(), key=lambda one: one.row)


class _Asking:
    """Goes down each referral's list, one after the other."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._next: dict[int, int] = {}

    def next_of(self, row: int) -> Held | None:
        """The next of this row, None where there is nobody left."""
        at = self._next.get(row, 0)
        limit = _FIRST
        while limit <= at:
            limit *= _DEEPER
        keys, scores = self._lists.best(row, limit)
        if at >= len(keys):
            return None
        self._next[row] = at + 1
        return Held(row, int(keys[at]), int(scores[at]), at + 1)


class _Places:
    """What each specialist holds, who comes first before the others."""

    def __init__(self, seats_of: SeatsOf) -> None:
        self._seats_of = seats_of
        self._seats: dict[int, int] = {}
        self._held: dict[int, list[tuple[tuple[int, int, int], Held]]] = {}

    def take(self, order: tuple[int, int, int], one: Held) -> int | None:
        """The row that has to look further, None where there was room."""
        if one.key not in self._seats:
            self._seats[one.key] = int(self._seats_of(np.array([one.key], np.int64))[0])
        held = self._held.setdefault(one.key, [])
        bisect.insort(held, (order, one), key=lambda pair: pair[0])
        return held.pop()[1].row if len(held) > self._seats[one.key] else None

    def all(self) -> list[Held]:
        """Every place that is taken."""
        return [one for held in self._held.values() for _, one in held]
