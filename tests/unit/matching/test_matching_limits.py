"""A specialist's own side: limits, people they must never meet, rest and what weighs on them; hard rules all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.matching.domain import wellbeing
from services.matching.domain.limits import Limit
from services.matching.domain.rules import all_that_exclude, excluded_by
from services.matching.domain.wellbeing import Strain
from tests.unit.matching.matching_builders import NOW, POLICY, a_need, a_specialist, a_standing, asked

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("limit", "is_out"),
    [
        (Limit("source", "st-brigid"), True),
        (Limit("source", "elsewhere"), False),
        (Limit("experience", "bereavement"), True),  # and everything below it
        (Limit("experience", "bereavement.overdose-loss"), True),
        (Limit("experience", "overdose"), False),
        (Limit("urgency", "immediate"), True),
        (Limit("age-band", "minor"), False),
        (Limit("source", "st-brigid", date(2026, 11, 21)), True),
        (Limit("source", "st-brigid", date(2026, 11, 20)), False),
    ],
)
def test_a_limit_of_their_own_is_a_hard_rule(limit, is_out):
    """What a specialist does not want to be asked is not asked, up to and with the limit's last day."""
    need = a_need(experience=("bereavement.overdose-loss",))
    found = excluded_by(asked(need), a_specialist(limits=(limit,)), a_standing())
    assert found == ("own-limit" if is_out else None)


def test_a_limit_ends_at_midnight_on_their_own_clock():
    """Its last day is counted whole, where they live."""
    rosa, need = a_specialist(limits=(Limit("urgency", "immediate", date(2026, 11, 21)),)), a_need()
    midnight = datetime(2026, 11, 22, 5, tzinfo=UTC)
    before = asked(need, at=midnight - timedelta(minutes=1))
    assert excluded_by(before, rosa, a_standing()) == "own-limit"
    assert excluded_by(asked(need, at=midnight), rosa, a_standing()) is None


def test_who_must_never_meet_is_kept_apart_like_any_safety_exclusion():
    """A specialist's never-list and the peer's exclusions have one code: nobody can tell whose wish it was."""
    rosa = a_specialist(never=frozenset({"peer_1"}))
    assert excluded_by(asked(a_need()), rosa, a_standing()) == "safety-exclusion"
    assert excluded_by(asked(a_need(peer_id="peer_2")), rosa, a_standing()) is None


def test_every_rule_that_keeps_somebody_out_can_be_told():
    """All of them, in the order in which they are tried."""
    rosa = a_specialist(never=frozenset({"peer_1"}), limits=(Limit("urgency", "immediate"),))
    told = all_that_exclude(asked(a_need()), rosa, a_standing(capacity_milli=0))
    assert told == ("safety-exclusion", "own-limit", "at-capacity")


def test_rest_keeps_them_out_until_it_ends():
    """Nobody is brought to who rests; at the end of the rest they are there again."""
    resting = a_standing(rests_until=NOW + timedelta(seconds=1))
    assert excluded_by(asked(a_need()), a_specialist(), resting) == "resting"
    assert excluded_by(asked(a_need(), at=NOW + timedelta(seconds=1)), a_specialist(), resting) is None


def test_strain_weighs_like_cases_for_as_long_as_it_lasts():
    """After a death there is less room, and a while later there is the old room again."""
    strained = a_standing(load_milli=2000, strains=(Strain(1000, NOW + timedelta(hours=1)),))
    assert excluded_by(asked(a_need()), a_specialist(), strained) == "at-capacity"
    later = asked(a_need(), at=NOW + timedelta(hours=1))
    assert excluded_by(later, a_specialist(), strained) is None


def test_many_acceptances_in_a_short_time_make_rest_due():
    """The policy's number of acceptances within its hours, then rest until the first of them is that long ago."""
    care = POLICY.care
    accepted = [NOW + timedelta(minutes=10 * n) for n in range(care.most_acceptances)]
    assert wellbeing.rests_until(care, accepted[1:], None) is None
    assert wellbeing.rests_until(care, accepted, None) == NOW + care.within
    asked_for = NOW + timedelta(days=3)
    assert wellbeing.rests_until(care, accepted, asked_for) == asked_for


def test_nights_and_deaths_weigh_by_their_own_clock():
    """An acceptance at 23:00 where they live weighs for a day, one at noon does not, a death for two weeks."""
    night, noon = datetime(2026, 11, 21, 4, tzinfo=UTC), datetime(2026, 11, 21, 17, tzinfo=UTC)
    found = wellbeing.strains(POLICY.care, [night, noon], [noon], NEW_YORK)
    assert found == (Strain(250, night + timedelta(hours=24)), Strain(1000, noon + timedelta(days=14)))
