"""The best joint assignment, with prices that prove it.

First as many as possible are served, the most urgent before the others; among those ways the total of the scores is
greatest.  The two together are one sum, because serving somebody weighs more than all the scores there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.matching.joint.market import Market, Numbers

NOBODY = -1


@dataclass(frozen=True)
class Solution:
    """`edge[row]` is the edge that was chosen, `NOBODY` where there is none; `price[column]` proves it best.

    `price` is empty where nothing is proven.
    """

    edge: Numbers
    price: Numbers

    def total_milli(self, market: Market) -> int:
        """The sum of the scores."""
        return int(market.score[self.edge[self.edge >= 0]].sum())

    @property
    def served(self) -> int:
        """How many have somebody."""
        return int((self.edge >= 0).sum())


def best(market: Market) -> Solution:
    """The best assignment among the market's pairs, with the prices that prove it."""
    if market.row.size == 0:
        return Solution(np.full(market.rows, NOBODY, np.int64), np.zeros(market.seats.size, np.int64))
    edge = _matched(market)
    return Solution(edge, _prices(market, edge))


def gains(market: Market, solution: Solution) -> Numbers:
    """What each row has from the assignment beyond the price of its specialist; nothing where it has nobody."""
    gain = np.zeros(market.rows, np.int64)
    has = solution.edge >= 0
    taken = solution.edge[has]
    gain[has] = served_worth(market)[has] + market.score[taken] - solution.price[market.column[taken]]
    return gain


def unproven(market: Market, solution: Solution) -> Numbers:
    """The rows for which somebody nobody has looked at could be better than what they have: look further for those.

    Whoever was not looked at costs at least nothing.
    """
    could = served_worth(market) + market.beyond
    return np.flatnonzero((market.beyond >= 0) & (could > gains(market, solution))).astype(np.int64)


def served_worth(market: Market) -> Numbers:
    """What it is worth to serve each row at all: more than all scores together."""
    most = int(market.score.max(initial=0)) + 1
    return market.priority * (most * (market.rows + 1))


def _matched(market: Market) -> Numbers:
    """Each place of a specialist is a column of its own, and each row has one more column for nobody."""
    from scipy.sparse import csr_array  # two seconds to import: only who needs it pays
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    wanted = np.bincount(market.column, minlength=market.seats.size)
    places = np.minimum(market.seats, wanted)
    first = np.concatenate([[0], np.cumsum(places)])
    copies = places[market.column]
    edges = np.repeat(np.arange(market.row.size), copies)
    offset = np.arange(edges.size) - np.repeat(np.cumsum(copies) - copies, copies)
    most = int(market.score.max(initial=0)) + 1
    costs = np.concatenate([most - market.score[edges], most + served_worth(market)]).astype(float)
    rows = np.concatenate([market.row[edges], np.arange(market.rows)])
    columns = np.concatenate([first[market.column[edges]] + offset, first[-1] + np.arange(market.rows)])
    shape = (market.rows, int(first[-1]) + market.rows)
    table: Any = csr_array((costs, (rows, columns)), shape=shape)
    at_row, at_column = min_weight_full_bipartite_matching(table)
    specialist = np.repeat(np.arange(market.seats.size), places)
    chosen = np.full(market.rows, NOBODY, np.int64)
    real = at_column < first[-1]
    chosen[at_row[real]] = specialist[at_column[real]]
    return _edges_of(market, chosen)


def _edges_of(market: Market, chosen: Numbers) -> Numbers:
    edge = np.full(market.rows, NOBODY, np.int64)
    is_chosen = chosen[market.row] == market.column
    edge[market.row[is_chosen]] = np.flatnonzero(is_chosen)
    return edge


def _prices(market: Market, edge: Numbers) -> Numbers:
    """The least prices at which nobody would rather have somebody else: they exist where the assignment is best.

    Whoever is not served would pay all their worth; whoever is served, what they would gain by a change.  Prices rise
    along these chains until they stand still, which they do after at most one round for each specialist.
    """
    worth = served_worth(market)[market.row] + market.score
    has = edge[market.row] >= 0
    own = np.where(has, worth[np.maximum(edge[market.row], 0)], 0)
    own_column = np.where(has, market.column[np.maximum(edge[market.row], 0)], 0)
    price = np.zeros(market.seats.size, np.int64)
    for _ in range(market.seats.size + 1):
        wished = worth - own + np.where(has, price[own_column], 0)
        higher = price.copy()
        np.maximum.at(higher, market.column, wished)
        if (higher == price).all():
            return price
        price = higher
    raise ArithmeticError("prices that rise for ever: the assignment is not the best")


def is_proven(market: Market, solution: Solution) -> bool:
    """True where the prices hold: a place that is free costs nothing, and nobody gains by another (weak duality)."""
    taken = np.bincount(market.column[solution.edge[solution.edge >= 0]], minlength=market.seats.size)
    is_free_for_nothing = bool((solution.price[taken < market.seats] == 0).all())
    gain, worth = gains(market, solution), served_worth(market)
    could = worth[market.row] + market.score - solution.price[market.column]
    is_within = bool((taken <= market.seats).all())
    return is_within and is_free_for_nothing and bool((gain >= 0).all() and (could <= gain[market.row]).all())
