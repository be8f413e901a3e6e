"""A review through its life: judged once for what was known, and open again for what nobody looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain import review as reviewing
from services.audit.domain.review import MOST_ENTRIES, Review

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=5)


def a_review(*numbers: int, rule: str = "vip") -> Review:
    kept = numbers[:MOST_ENTRIES]
    return Review(
        "rev_1", rule, "nurse-9", NOON, reviewing.due_at(rule, NOON), kept, len(numbers), last=max(numbers)
    )


def test_what_is_found_after_the_judgment_waits_for_a_judge_again():
    """A morning explained is no licence for the afternoon: the new entries are due a week from when they were found."""
    judged = reviewing.decided(a_review(5, 6), "explained", "vera", NOON, "She is his nurse.")
    assert reviewing.with_more(judged, [6, 5], "system:audit", LATER) == judged
    again = reviewing.with_more(judged, [5, 6, 9], "system:audit", LATER)
    assert (again.state, again.reviewer, again.count, again.numbers) == ("open", "", 3, (5, 6, 9))
    assert again.due_at == LATER + timedelta(days=7)
    assert [(step.state, step.by) for step in again.steps] == [
        ("explained", "vera"),
        ("open", "system:audit"),
    ]


def test_an_open_review_takes_more_and_keeps_its_due_time():
    """Going on does not put off the day it must be judged by."""
    more = reviewing.with_more(a_review(5, rule="break-glass"), [5, 7], "system:audit", LATER)
    assert (more.count, more.due_at, more.steps) == (2, NOON + timedelta(hours=24), ())


@given(st.integers(1, 400), st.integers(0, 50))
def test_of_more_than_a_hundred_none_is_counted_twice(count, more):
    """A detection finds the same entries again and again; those that are not kept are known by their number."""
    numbers = range(count)
    raised = reviewing.decided(a_review(*numbers), "violation", "vera", NOON, "Curiosity.")
    assert reviewing.with_more(raised, numbers, "system:audit", LATER) == raised
    grown = reviewing.with_more(raised, range(count + more), "system:audit", LATER)
    assert grown.count == count + more and (grown.state == "open") == (more > 0)
    assert reviewing.with_more(grown, range(count + more), "system:audit", LATER) == grown
