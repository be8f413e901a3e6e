"""Warnings before a certification ends: each step once, at its time, none where another one carries it on."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain import expiry
from tests.unit.matching.matching_builders import NOW, a_certification, a_specialist

STEPS = (60, 30, 7, 0)
DAYS = st.integers(-30, 200).map(lambda days: date(2026, 11, 21) + timedelta(days=days))


@settings(max_examples=80, deadline=None)
@given(st.lists(DAYS, max_size=3), st.lists(st.integers(1, 40), min_size=20, max_size=20))
def test_whenever_somebody_looks_every_step_is_said_at_most_once_and_the_last_always(days, gaps):
    """However seldom one looks: steps come down, none comes twice, and something is due when it was said to be."""
    mine = tuple(a_certification(valid_until=day, valid_from=date(2024, 1, 1)) for day in days)
    rosa, said, at, told = a_specialist(certifications=mine), {}, NOW, {}
    for gap in gaps:
        next_at = expiry.next_at(rosa, said, STEPS)
        due = expiry.due(rosa, said, STEPS, at)
        assert bool(due) == (next_at is not None and next_at <= at)
        for one in due:
            told.setdefault(one.key, []).append(one.days)
            said[one.key] = one.days
        at += timedelta(days=gap)
    for steps in told.values():
        assert steps == sorted(set(steps), reverse=True)
    last = max(days, default=None)
    carried_on = {expiry.key(one) for one in mine if one.valid_until != last}
    assert not carried_on & told.keys()


def test_only_what_covers_everything_carries_a_certification_on():
    """Another state's, a narrower or a later beginning one leaves the warning standing."""
    mine = a_certification(valid_until=date(2026, 12, 1))
    for other in (
        a_certification(state="NJ", valid_until=date(2030, 1, 1)),
        a_certification(payers=frozenset({"medicaid"}), valid_until=date(2030, 1, 1)),
        a_certification(valid_from=date(2026, 12, 3), valid_until=date(2030, 1, 1)),
    ):
        both = a_specialist(certifications=(mine, other))
        assert [one.days for one in expiry.due(both, {}, STEPS, NOW)] == [30]
    renewed = a_certification(valid_from=date(2026, 12, 2), valid_until=date(2030, 1, 1))
    assert expiry.due(a_specialist(certifications=(mine, renewed)), {}, STEPS, NOW) == []
