"""The joint assignment against exhaustive search: the best, proven, under every capacity; and its trades."""

from __future__ import annotations

import itertools
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from services.matching.joint import Lists, Solution, deepening, lists, one_by_one, solved, stable, trades
from services.matching.joint.solving import NOBODY, is_proven


def a_board(fits, seats, priority):
    """Lists, priorities and free places from {row: {specialist: score}}."""

    def ask(row, limit):
        keys = sorted(fits[row], key=lambda key: (-fits[row][key], key))[:limit]
        return keys, [fits[row][key] for key in keys]

    return Lists(ask), priority, lambda keys: [seats[key] for key in keys]


def solve(*board):
    """The market, the assignment and whether it is called the best."""
    return solved(*a_board(*board))


def worth(market, solution):
    """(How many of each priority are served, most urgent first; the total score): more is better."""
    served = [int(p) for p, e in zip(market.priority, solution.edge, strict=True) if e >= 0]
    return len(served), sorted(served, reverse=True), solution.total_milli(market)


def by_search(fits, seats, priority):
    """The best worth of all assignments there are."""
    found = (0, [], 0)
    for chosen in itertools.product(*[[None, *fit] for fit in fits]):
        if any(chosen.count(column) > seats[column] for column in set(chosen) - {None}):
            continue
        served = [priority[row] for row, column in enumerate(chosen) if column is not None]
        score = sum(fits[row][column] for row, column in enumerate(chosen) if column is not None)
        found = max(found, (len(served), sorted(served, reverse=True), score))
    return found


@st.composite
def boards(draw):
    """Up to five referrals and four specialists, with any fits and capacities."""
    columns = draw(st.integers(1, 4))
    fit = st.dictionaries(st.integers(0, columns - 1), st.integers(1, 30), max_size=columns)
    fits = draw(st.lists(fit, min_size=1, max_size=5))
    seats = draw(st.lists(st.integers(0, 2), min_size=columns, max_size=columns))
    priority = draw(st.lists(st.integers(1, 3), min_size=len(fits), max_size=len(fits)))
    return fits, seats, priority


@settings(max_examples=60, deadline=None)
@given(boards(), st.integers(1, 3), st.integers(1, 2))
def test_nothing_is_better_than_the_joint_assignment(board, kept, first):
    """As many as possible are served, the urgent first, with the greatest total, proven, however short the lists begin.

    Taking one after another serves no more.
    """
    told = a_board(*board)
    with (
        patch.multiple(deepening, KEPT=kept, FIRST_DEPTH=min(first, kept)),
        patch.object(lists, "KEPT", kept),
    ):
        market, solution, is_best = solved(*told)
    assert worth(market, solution) == by_search(*board)
    assert is_best
    assert one_by_one(*a_board(*board))[0] <= solution.served


def test_a_wrong_assignment_is_not_proven():
    """The proof can fail: the greedy way of a market where it loses has no prices that hold."""
    market, solution, _ = solve([{0: 10, 1: 9}, {0: 8}], [1, 1], [1, 1])
    greedy = Solution(np.array([0, NOBODY]), solution.price)
    assert is_proven(market, solution) and not is_proven(market, greedy)


def test_the_trade_is_told():
    """The first has their second best so that the other is served at all; greedy would leave the other alone."""
    board = [{0: 90, 1: 80}, {0: 30}], [1, 1], [1, 1]
    market, solution, _ = solve(*board)
    [first, second] = trades(market, solution)
    assert (first.choice, first.other, first.is_served_at_all) == (2, 1, True)
    assert (second.choice, second.other) == (1, -1)
    assert (one_by_one(*a_board(*board)), solution.served) == ((1, 90), 2)


def test_a_trade_for_the_better_is_not_called_a_rescue():
    """Where the other would have somebody anyway, nobody says that they would go without."""
    market, solution, _ = solve([{0: 90, 1: 80}, {0: 80, 1: 10}], [1, 1], [1, 1])
    [first, _] = trades(market, solution)
    assert (first.choice, first.other, first.is_served_at_all) == (2, 1, False)


def test_nobody_waits_and_nobody_can():
    """An empty backlog and one that nobody fits are plans too."""
    assert solve([], [1], [])[1].served == 0
    market, solution, is_best = solve([{}, {}], [1], [1, 2])
    assert solution.served == 0 and is_best and is_proven(market, solution)


@settings(max_examples=60, deadline=None)
@given(boards())
def test_in_the_stable_assignment_no_two_would_rather_have_each_other(board):
    """Nobody better for a referral has a free place or holds a less urgent one, or one they fit less; capacities hold."""
    fits, seats, priority = board
    held = {one.row: one for one in stable(*a_board(*board))}
    by_key = {key: [row for row, one in held.items() if one.key == key] for key in range(len(seats))}
    assert all(len(rows) <= seats[key] for key, rows in by_key.items())
    assert len(held) <= solve(*board)[1].served
    for row, fit in enumerate(fits):
        mine = held[row].score_milli if row in held else 0
        for key, score in fit.items():
            if score <= mine:
                continue
            assert len(by_key[key]) == seats[key]
            mine_first = (priority[row], score)
            assert all(mine_first <= (priority[other], fits[other][key]) for other in by_key[key])


def test_the_stable_one_leaves_somebody_where_the_best_one_does_not():
    """Who fits best has them, though another then has nobody: why the best is what is proposed first."""
    board = [{0: 90, 1: 80}, {0: 30}], [1, 1], [1, 1]
    [one] = stable(*a_board(*board))
    assert (one.row, one.key, one.choice) == (0, 0, 1)
    assert solve(*board)[1].served == 2
