"""Why somebody does not have their best in a joint plan: who is served by that specialist instead."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from services.matching.joint.market import Market
from services.matching.joint.solving import Solution

_MOST_LOOKED_AT = 400


@dataclass(frozen=True)
class Trade:
    """`row` has its choice number `choice` (1 is the best); `other` has the best one instead, -1 where it is no trade.

    `is_served_at_all`: if `row` had its best, somebody would have nobody.
    """

    row: int
    choice: int
    other: int = -1
    is_served_at_all: bool = False


def trades(market: Market, solution: Solution) -> list[Trade]:
    """One for each row that is served, in order."""
    holders: dict[int, list[int]] = {}
    for row, edge in enumerate(solution.edge.tolist()):
        if edge >= 0:
            holders.setdefault(int(market.column[edge]), []).append(row)
    return [
        _trade(market, solution, holders, row, edge)
        for row, edge in enumerate(solution.edge.tolist())
        if edge >= 0
    ]


def _trade(market: Market, solution: Solution, holders: dict[int, list[int]], row: int, edge: int) -> Trade:
    first = int(market.starts_of[row])
    choice = int(market.place[edge]) + 1
    wished = int(market.column[first])
    others = [other for other in holders.get(wished, []) if other != row]
    if choice == 1 or not others:
        return Trade(row, choice)
    own = int(market.column[edge])
    stuck = [other for other in others if not _has_another_way(market, holders, other, wished, own)]
    if len(stuck) == len(others):
        return Trade(row, choice, stuck[0], is_served_at_all=True)
    return Trade(row, choice, max(others, key=lambda other: _score(market, solution, other)))


def _score(market: Market, solution: Solution, row: int) -> int:
    return int(market.score[solution.edge[row]])


def _has_another_way(
    market: Market, holders: dict[int, list[int]], displaced: int, lost: int, freed: int
) -> bool:
    """True where everybody could still be served if `displaced` gave up its place at `lost` and one at `freed` came.

    Looked for among so many, then believed: a claim that somebody would go without is only made where it is sure.
    """
    waiting, seen = deque([displaced]), {lost}
    for _ in range(_MOST_LOOKED_AT):
        if not waiting:
            return False
        row = waiting.popleft()
        for column in market.column[market.starts_of[row] : market.starts_of[row + 1]].tolist():
            if column == freed or len(holders.get(column, [])) < market.seats[column]:
                return True
            if column not in seen:
                seen.add(column)
                waiting.extend(holders.get(column, ()))
    return True


def choices(market: Market, solution: Solution) -> dict[int, int]:
    """How many have their best, their second best and so on."""
    has = np.flatnonzero(solution.edge >= 0)
    numbers, counts = np.unique(market.place[solution.edge[has]] + 1, return_counts=True)
    return {int(number): int(count) for number, count in zip(numbers, counts, strict=True)}
