"""Gapless or not: sequence numbers as ranges."""

from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain import sequences

NUMBERS = st.sets(st.integers(1, 60))


@given(NUMBERS, NUMBERS)
def test_ranges_hold_exactly_what_was_heard(first, second):
    """In any order, however often: the ranges are the set."""
    ranges = sequences.heard(sequences.heard((), first), second)
    assert {each for low, high in ranges for each in range(low, high + 1)} == first | second
    assert ranges == sequences.heard((), first | second)
    assert sequences.heard(ranges, first) == ranges


@given(NUMBERS)
def test_gaps_are_what_is_missing_below_the_highest(numbers):
    """Gaps and numbers together are 1 to the highest."""
    ranges = sequences.heard((), numbers)
    missing = {each for low, high in sequences.gaps(ranges) for each in range(low, high + 1)}
    assert missing == set(range(1, max(numbers, default=0) + 1)) - numbers
    assert sequences.missing(ranges, 1_000) == sorted(missing)
    assert sequences.missing(ranges, 3) == sorted(missing)[:3]
    assert sequences.highest(ranges) == max(numbers, default=0)


@given(NUMBERS, NUMBERS)
def test_joined_ranges_are_the_union(first, second):
    """Joining two sets of ranges is their union."""
    joined = sequences.joined(sequences.heard((), first), sequences.heard((), second))
    assert joined == sequences.heard((), first | second)
