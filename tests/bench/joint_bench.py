"""How fast a backlog is assigned as a whole, beside scipy's dense solver and one after another; the total of each.

PYTHONPATH=.:gen python tests/bench/joint_bench.py [largest number of referrals]
CPU time of this process; the lists are built by the index from a roster of the demonstration's kind.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import numpy as np

from cli.demo import roster as demo
from services.matching import roster_rows
from services.matching.domain.place import Place
from services.matching.joint import Lists, Market, one_by_one, solved, stable
from services.matching.joint.market import Ask
from services.matching.ranking import RosterIndex
from services.matching.roster_file import RawRow
from tests.unit.matching.matching_builders import NOW, POLICY, TAXONOMY, a_need, a_standing, asked, scaled

SIZES = ((500, 1_000), (1_000, 2_000), (2_000, 5_000), (5_000, 20_000))
# The dense solver's table of referrals by places must fit into memory and a minute.
MOST_DENSE = 2_000 * 30_000
LIVED = ("substance.opioids", "substance.alcohol", "overdose", "homelessness", "suicide.attempt", "parenting")
WISHES = ("military.veteran", "gender.woman", "pathway.medication", "faith.none")


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work gives, and its CPU seconds."""
    started = time.process_time()
    found = work()
    return found, time.process_time() - started


def board(referrals: int, specialists: int) -> tuple[Ask, list[int], float]:
    """Who may be asked for whom, as the index ranks them; the free places of each; the seconds the index took to fill."""
    dice = Random(referrals)
    rows = [row for row in demo.specialists(specialists, seed=7) if row["role"] == "specialist"]
    read = [roster_rows.read(RawRow(number, row)) for number, row in enumerate(rows)]
    people = [
        (one.specialist, a_standing(capacity_milli=1000 * dice.choice((0, 1, 1, 2, 3))))
        for one in read
        if not isinstance(one, list)
    ]
    index = RosterIndex(list(TAXONOMY.attributes))
    _, filled_s = timed(lambda: index.put(people))
    places: list[Place] = [specialist.place for specialist, _ in people[:40]]
    rarity = index.rarity()
    asks = []
    for _ in range(referrals):
        need = a_need(
            experience=tuple(dice.sample(LIVED, 2)),
            preferences=dict.fromkeys(dice.sample(WISHES, 1), "some"),
            languages=(dice.choice(("en", "en", "en", "en", "es")),),
            place=dice.choice(places),
        )
        asks.append((asked(need, POLICY.ladders["immediate"][1], NOW), scaled(need, rarity=rarity)))

    def ask(row: int, limit: int) -> tuple[Any, Any]:
        found = index.shortlist(*asks[row], limit)
        return found.rows, found.scores_milli

    return ask, [standing.capacity_milli // 1000 for _, standing in people], filled_s


class Spent:
    """The CPU seconds that go into ranking, and how often it is asked."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.seconds, self.asked = 0.0, 0

    def ask(self, row: int, limit: int) -> tuple[Any, Any]:
        """The same answer, its time counted."""
        found, seconds = timed(partial(self._ask, row, limit))
        self.seconds, self.asked = self.seconds + seconds, self.asked + 1
        return found


def dense(market: Market) -> tuple[int, int]:
    """(served, total) by scipy's dense solver on every pair of the same market, each free place a column."""
    from scipy.optimize import linear_sum_assignment

    worth = int(market.score.max()) * (market.rows + 1)
    table = np.zeros((market.rows, market.seats.size))
    table[market.row, market.column] = market.score + worth
    columns = np.repeat(np.arange(market.seats.size), market.seats)
    rows, chosen = linear_sum_assignment(table[:, columns], maximize=True)
    gained = table[rows, columns[chosen]]
    served = int((gained > 0).sum())
    return served, int(gained.sum()) - served * worth


def main() -> None:
    """Prints one block for each size."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1][0]
    solved(Lists(lambda row, limit: ([0], [1])), [1], lambda _: [1])  # scipy is imported once, and not timed
    for referrals, specialists in SIZES:
        if referrals > largest:
            break
        ask, seats, filled_s = board(referrals, specialists)
        spent = Spent(ask)
        lists = Lists(spent.ask)
        free = np.array(seats, np.int64)
        (market, solution, is_best), joint_s = timed(
            partial(solved, lists, [1] * referrals, free.__getitem__)
        )
        pairs, pairs_s = timed(partial(stable, lists, [1] * referrals, free.__getitem__))
        total = sum(one.score_milli for one in pairs)
        alone, alone_s = timed(partial(one_by_one, lists, [1] * referrals, free.__getitem__))
        state = "proven best" if is_best else "NOT PROVEN"
        print(
            f"{referrals:,} referrals x {specialists:,} specialists, {market.row.size:,} pairs, {sum(seats):,} places"
        )
        print(
            f"  joint        {joint_s:7.3f} s (lists {spent.seconds:.3f} s for {spent.asked:,} rankings)"
            f"  served {solution.served:,}  total {solution.total_milli(market):,}  {state}"
        )
        print(f"  stable       {pairs_s:7.3f} s  served {len(pairs):,}  total {total:,}")
        print(f"  one by one   {alone_s:7.3f} s  served {alone[0]:,}  total {alone[1]:,}")
        if referrals * sum(seats) <= MOST_DENSE:
            (served, total), dense_s = timed(partial(dense, market))
            print(f"  scipy dense  {dense_s:7.3f} s  served {served:,}  total {total:,}")
        else:
            print(f"  scipy dense  not run: {referrals:,} x {sum(seats):,} places")
        print(f"  (filling the index, once: {filled_s:.2f} s)")


if __name__ == "__main__":
    main()
