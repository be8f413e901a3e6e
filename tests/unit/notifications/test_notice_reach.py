"""May it go out now, and how: silence, time, and the way are decided in one place, again before every attempt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Refusal
from services.notifications.domain import wishes as wishing
from services.notifications.domain.contacts import Contact, is_worth_waiting_for
from services.notifications.domain.intents import TABLE, Channel, Intent, Quiet, Urgency
from services.notifications.domain.notices import Attempt, Outcome, Reason
from services.notifications.domain.reach import Go, Never, Wait, decide, digest_at, next_channel, reach_of
from services.notifications.domain.windows import Window
from services.notifications.domain.wishes import Wishes
from tests.unit.notifications.notice_builders import NOW, a_notice, rule_of

ALWAYS = (Window(0, 0),)
# NOW is 19:00 UTC.
EVENING = (Window(18 * 60, 20 * 60),)
CONTACT = Contact("ines@example.org", "es", "UTC", "+13125550123")


def lasting(intent=Intent.OFFER_MADE, **changes):
    return replace(a_notice(intent), expires_at=NOW + timedelta(days=2), **changes)


def a_reach(**wished):
    return reach_of(CONTACT, Wishes("sp_ines_calloway", **wished))


def verdict(notice, reach, now=NOW, is_stopped=False):
    return decide(notice, reach, now, is_stopped=is_stopped)


@pytest.mark.parametrize("intent", list(Intent))
@pytest.mark.parametrize("urgency", list(Urgency))
def test_do_not_contact_silences_everything(intent, urgency):
    """No intent and no urgency speaks to somebody who said no; of an offer it is said, so that somebody else is asked."""
    notice = lasting(intent, urgency=urgency)
    said = verdict(notice, a_reach(is_do_not_contact=True))
    assert said == Never(Reason.DO_NOT_CONTACT, is_failure=intent is Intent.OFFER_MADE)


@pytest.mark.parametrize("intent", list(Intent))
@pytest.mark.parametrize("urgency", list(Urgency))
def test_nothing_breaks_an_unsafe_time(intent, urgency):
    """In a time the person named as unsafe nothing is sent, not even an immediate offer."""
    said = verdict(lasting(intent, urgency=urgency), a_reach(unsafe=EVENING))
    assert said == Wait(NOW + timedelta(hours=1))


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.intent.value)
@pytest.mark.parametrize("urgency", [Urgency.IMMEDIATE, Urgency.URGENT, Urgency.ROUTINE])
def test_only_an_immediate_offer_breaks_quiet_hours(rule, urgency):
    """What concerns an immediate offer to someone on call goes out; everything else waits for the end of the night."""
    said = verdict(lasting(rule.intent, urgency=urgency), a_reach(quiet=EVENING))
    breaks = rule.quiet is Quiet.BREAKS_IF_IMMEDIATE and urgency is Urgency.IMMEDIATE
    assert isinstance(said, Go if breaks else Wait)


def test_quiet_hours_are_broken_for_whoever_is_on_call_and_nobody_else():
    """The lines that may: an offer or a request given by hand, its end, and the supervisor who has to act now."""
    may = {rule.intent for rule in TABLE if rule.quiet is Quiet.BREAKS_IF_IMMEDIATE}
    assert may == {
        Intent.OFFER_MADE,
        Intent.REQUEST_GIVEN,
        Intent.ASSIGNMENT_ENDED,
        Intent.SUPERVISOR_NEEDED,
        Intent.ARRIVAL_UNHEARD,
        Intent.ARRIVAL_TOO_LATE,
    }


def test_what_is_worthless_when_the_night_ends_is_said_to_have_failed():
    """A notice that cannot wait and may not be sent is given up at once, so that somebody else is asked."""
    offer = a_notice(urgency=Urgency.URGENT)
    said = verdict(replace(offer, urgency=Urgency.URGENT), a_reach(quiet=EVENING))
    assert said == Never(Reason.NO_SAFE_TIME, is_failure=True)
    assert verdict(lasting(), a_reach(unsafe=ALWAYS)) == Never(Reason.NO_SAFE_TIME, is_failure=True)


def test_a_stopped_referral_speaks_to_nobody_but_whoever_was_asked():
    """P7 holds at the moment of the send; whoever was asked still hears that they need not come."""
    assert verdict(lasting(), a_reach(), is_stopped=True) == Never(Reason.REFERRAL_STOPPED, is_failure=False)
    assert isinstance(verdict(lasting(Intent.ASSIGNMENT_ENDED), a_reach(), is_stopped=True), Go)


def test_the_person_chooses_the_channels_and_their_order():
    """The order of the wishes comes before the table's; what is not wished for is not used."""
    assert verdict(lasting(), a_reach()) == Go(Channel.EMAIL, "ines@example.org")
    assert verdict(lasting(), a_reach(channels=(Channel.SMS,))) == Go(Channel.SMS, "+13125550123")
    assert verdict(lasting(), a_reach(channels=(Channel.WEBHOOK,))) == Never(
        Reason.NO_ADDRESS, is_failure=True
    )


def test_where_others_read_nothing_is_sent():
    """A mailbox that somebody else reads too gets nothing; the phone does."""
    assert verdict(lasting(), a_reach(shared=(Channel.EMAIL,))) == Go(Channel.SMS, "+13125550123")


def test_a_refusal_hands_on_to_the_next_channel_and_the_last_one_ends_it():
    """Refused by mail: SMS at once; refused by both: dead, and said."""
    refused = Attempt(1, NOW, Outcome.REFUSED)
    notice = lasting(attempts=(refused,))
    assert verdict(notice, a_reach()) == Go(Channel.SMS, "+13125550123")
    both = replace(notice, attempts=(refused, Attempt(2, NOW, Outcome.BOUNCED, channel=Channel.SMS)))
    assert verdict(both, a_reach()) == Never(Reason.REFUSED_BY_FAR_SIDE, is_failure=True)


def test_a_far_side_in_trouble_gives_the_next_channel_its_turn():
    """Three tries in a row without an answer, then the next channel for three, then the first again."""
    notice, used = lasting(), []
    for number in range(1, 10):
        go = verdict(notice, a_reach())
        used.append(go.channel)
        attempt = Attempt(number, NOW, Outcome.DEFERRED, channel=go.channel)
        notice = replace(notice, attempts=(*notice.attempts, attempt))
    assert used == [Channel.EMAIL] * 3 + [Channel.SMS] * 3 + [Channel.EMAIL] * 3


def test_an_erased_person_has_no_address_left():
    """After erasure wishes name nothing, and say that nobody may write."""
    gone = wishing.erased(Wishes("sp_1", email="a@example.org", quiet=EVENING))
    assert gone == Wishes("sp_1", is_do_not_contact=True, is_erased=True)
    with pytest.raises(Refusal, match="person-erased"):
        wishing.change(gone, email="b@example.org")


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ({"quiet": (Window(0, 1440),)}, "quiet[0]"),
        ({"unsafe": (Window(0, 1), Window(0, 1, (7,)))}, "unsafe[1]"),
        ({"quiet": (Window(0, 1),) * 29}, "quiet"),
        ({"channels": (Channel.SMS, Channel.SMS)}, "channels"),
        ({"digest_minute": 1440}, "digest_minute"),
        ({"person_id": "sp_2"}, "person_id"),
    ],
)
def test_a_wrong_wish_is_refused_with_its_place(wanted, place):
    """Each fault names the field, and nothing is changed."""
    with pytest.raises(Refusal) as refused:
        wishing.change(Wishes("sp_1"), **wanted)
    assert [fault.path for fault in refused.value.faults] == [place]


@given(
    st.sampled_from(list(Intent)),
    st.sampled_from([Urgency.IMMEDIATE, Urgency.URGENT, Urgency.ROUTINE]),
    st.lists(st.sampled_from([Channel.EMAIL, Channel.SMS, Channel.IN_APP]), unique=True).map(tuple),
    st.lists(st.sampled_from(list(Outcome)), max_size=8),
    st.booleans(),
    st.integers(0, 47),
)
@settings(max_examples=200, deadline=None)
def test_every_verdict_is_one_the_wishes_allow(intent, urgency, shared, outcomes, is_silent, hours):
    """Whatever happened before: never on a shared or refused channel, never to who said no, never late."""
    attempts = tuple(
        Attempt(number, NOW, outcome, channel=Channel.EMAIL) for number, outcome in enumerate(outcomes, 1)
    )
    notice = lasting(intent, urgency=urgency, attempts=attempts)
    reach = a_reach(shared=shared, is_do_not_contact=is_silent, unsafe=EVENING)
    now = NOW + timedelta(hours=hours)
    said = verdict(notice, reach, now)
    if is_silent:
        assert isinstance(said, Never)
    if isinstance(said, Go):
        assert said.channel not in shared
        assert not (said.channel is Channel.EMAIL and {Outcome.REFUSED, Outcome.BOUNCED} & set(outcomes))
        assert now < notice.expires_at
        assert not 18 <= now.hour < 20
    if isinstance(said, Wait):
        assert now < said.until < notice.expires_at


def test_routine_news_wait_for_the_letter_of_the_day():
    """Who asked for one letter at 8:00 gets routine news then, and an offer at once."""
    reach = a_reach(digest_minute=8 * 60)
    met = lasting(Intent.PERSON_MET, urgency=Urgency.ROUTINE)
    assert digest_at(met, reach, NOW) == NOW + timedelta(hours=13)
    assert digest_at(lasting(urgency=Urgency.ROUTINE), reach, NOW) is None
    assert digest_at(met, a_reach(), NOW) is None


@pytest.mark.parametrize(
    ("life", "waits"),
    [(timedelta(minutes=5), timedelta(minutes=2.5)), (timedelta(days=1), timedelta(minutes=10))],
)
def test_a_contact_that_does_not_come_leaves_time_to_ask_somebody_else(life, waits):
    """An offer waits for its specialist's address for half of its time, other news for ten minutes."""
    expires_at = NOW + life
    assert is_worth_waiting_for(NOW, NOW + waits - timedelta(seconds=1), expires_at)
    assert not is_worth_waiting_for(NOW, NOW + waits, expires_at)


def test_who_ended_routine_mail_reads_it_here_and_hears_what_cannot_wait():
    """One click keeps what can wait in the inbox, also where a daily letter was asked for; an offer is still mailed."""
    reach = a_reach(is_routine_only_here=True, digest_minute=600)
    routine = lasting(Intent.PERSON_MET)
    assert next_channel(rule_of(Intent.PERSON_MET), reach, routine) is Channel.IN_APP
    assert digest_at(routine, reach, NOW) is None
    offer = lasting(Intent.OFFER_MADE)
    assert next_channel(rule_of(Intent.OFFER_MADE), reach, offer) is Channel.EMAIL
