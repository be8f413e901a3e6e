"""The joint assignment against exhaustive search: the best, proven, under every capacity; and its trades."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
from hypothesis import given, settings

from services.matching.joint import best, greedy, trades
from services.matching.joint import market as markets
from services.matching.joint.solving import is_proven, unproven


def a_market(fits, seats, priority, depth=None):
    """A market from {row: {column: score}}."""

    def ask(row, limit):
        columns = sorted(fits[row], key=lambda column: (-fits[row][column], column))[:limit]
        return columns, [fits[row][column] for column in columns]

    return markets.built(ask, priority, seats, depth or [len(seats) + 1] * len(fits))


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
@given(boards())
def test_nothing_is_better_than_the_joint_assignment(board):
    """As many as possible are served, the urgent first, with the greatest total, proven; greedy is no better."""
    market = a_market(*board)
    solution = best(market)
    assert worth(market, solution) == by_search(*board)
    assert is_proven(market, solution) and unproven(market, solution).size == 0
    assert worth(market, greedy(market)) <= worth(market, solution)


@settings(max_examples=50, deadline=None)
@given(boards(), st.integers(1, 2))
def test_a_plan_of_short_lists_is_called_best_only_where_it_is(board, depth):
    """Where no price asks to look further, the best of the short lists is the best of all."""
    fits, seats, priority = board
    market = a_market(fits, seats, priority, [depth] * len(fits))
    solution = best(market)
    if unproven(market, solution).size == 0:
        assert worth(market, solution) == by_search(*board)


def test_a_wrong_assignment_is_not_proven():
    """The proof can fail: the greedy way of a market where it loses has no prices that hold."""
    market = a_market([{0: 10, 1: 9}, {0: 8}], [1, 1], [1, 1])
    wrong = type(best(market))(greedy(market).edge, best(market).price)
    assert not is_proven(market, wrong)


def test_the_trade_is_told():
    """The first has their second best so that the other is served at all; greedy would leave the other alone."""
    market = a_market([{0: 90, 1: 80}, {0: 30}], [1, 1], [1, 1])
    [first, second] = trades(market, best(market))
    assert (first.choice, first.other, first.is_served_at_all) == (2, 1, True)
    assert (second.choice, second.other) == (1, -1)
    assert (greedy(market).served, best(market).served) == (1, 2)


def test_a_trade_for_the_better_is_not_called_a_rescue():
    """Where the other would have somebody anyway, nobody says that they would go without."""
    market = a_market([{0: 90, 1: 80}, {0: 80, 1: 10}], [1, 1], [1, 1])
    [first, _] = trades(market, best(market))
    assert (first.choice, first.other, first.is_served_at_all) == (2, 1, False)


def test_nobody_waits_and_nobody_can():
    """An empty backlog and one that nobody fits are plans too."""
    assert best(a_market([], [1], [])).served == 0
    market = a_market([{}, {}], [1], [1, 2])
    assert best(market).served == 0 and is_proven(market, best(market))
