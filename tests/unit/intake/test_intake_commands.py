"""What a source and a peer may ask of a referral, and what is said of it; the life of a referral as a property."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Refusal
from services.intake.domain import commands
from services.intake.domain import referral as referrals
from services.intake.domain.commands import CANCEL_REASONS, PEER_REASONS
from services.intake.domain.errors import NotHeardOfYet
from services.intake.domain.events import (
    ConsentRecorded,
    ConsentRevoked,
    Event,
    ReferralRevised,
    ReferralStatusChanged,
    ReferralStopped,
    ReferralSubmitted,
)
from services.intake.domain.referral import Assignment, Referral
from services.intake.domain.states import CLOSED, State
from tests.unit.intake.intake_builders import NOW, a_consent, a_submission

ARRIVED = NOW - timedelta(minutes=20)


def opened(**given: object) -> tuple[Referral, list[Event]]:
    """A referral as it was submitted, with what it said."""
    submission = a_submission(**given)
    referral, events = commands.open_referral("ref-1", "peer_1", submission, ARRIVED, NOW)
    return referral, list(events)


def of_type(events: object, kind: type) -> list[Event]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]  # type: ignore[attr-defined]


def test_without_its_consent_a_referral_is_held_and_nothing_is_said_of_the_person():
    """P7: matching hears nothing of a held referral; the source sees exactly what is missing."""
    held, events = opened(consent=None, may_wait_for_consent=True)
    assert (held.state, held.reason_code, held.consent_version) == (
        State.NEEDS_INFORMATION,
        "consent-missing",
        0,
    )
    assert [type(event) for event in events] == [ReferralStatusChanged]


def test_the_consent_that_was_waited_for_sends_the_referral_on():
    """A correction that brings the consent is the moment matching hears of it, once."""
    held, _ = opened(consent=None, may_wait_for_consent=True)
    moved, events = commands.correct(held, "nurse", a_submission(), ARRIVED, NOW)
    assert (moved.state, moved.revision, moved.consent_version) == (State.SUBMITTED, 2, 1)
    assert len(of_type(events, ReferralSubmitted)) == len(of_type(events, ConsentRecorded)) == 1
    again, more = commands.correct(moved, "nurse", a_submission(note="again"), ARRIVED, NOW)
    assert (again.state, again.revision) == (State.SUBMITTED, 3)
    assert [type(event) for event in more] == [ReferralRevised]


def test_a_held_referral_that_is_cancelled_is_cancelled_at_once():
    """Nobody outside heard of it, so there is nothing to withdraw."""
    held, _ = opened(consent=None, may_wait_for_consent=True)
    moved, events = commands.cancel(held, "nurse", "left-before-seen", NOW)
    assert moved.state is State.CANCELLED and of_type(events, ReferralStopped) == []


def test_a_cancellation_is_asked_for_then_done():
    """The source sees at once that it is being withdrawn, and then that it is; asked again, nothing is said."""
    referral, _ = opened()
    asked, events = commands.cancel(referral, "nurse", "admitted", NOW)
    assert (asked.state, asked.reason_code) == (State.CANCEL_REQUESTED, "admitted")
    assert of_type(events, ReferralStopped)[0].stop_code == "cancelled"  # type: ignore[attr-defined]
    assert commands.cancel(asked, "nurse", "other", NOW) == (asked, [])
    done, news = referrals.close(asked, NOW, NOW)
    assert (done.state, done.reason_code, len(news)) == (State.CANCELLED, "admitted", 1)
    assert commands.cancel(done, "nurse", "other", NOW) == (done, [])


def test_a_peers_no_is_kept_apart_from_a_sources():
    """Declined by the peer is a state of its own, never a cancellation."""
    referral, _ = opened()
    moved, events = commands.decline_by_peer(referral, "specialist", "not-now", NOW)
    assert moved.state is State.DECLINED_BY_PEER
    assert of_type(events, ReferralStopped)[0].stop_code == "declined-by-peer"  # type: ignore[attr-defined]


@pytest.mark.parametrize("state", sorted(State))
def test_a_revocation_acts_whatever_the_state(state: State):
    """The consent is taken back once and for all; an open referral ends, an ended one stays as it ended."""
    referral, _ = opened()
    referral = replace(referral, state=state, reason_code="as-it-was")
    moved, events = commands.revoke_consent(referral, "nurse", NOW)
    assert moved.is_consent_revoked and len(of_type(events, ConsentRevoked)) == 1
    assert moved.state is (state if state in CLOSED else State.CANCELLED)
    assert moved.reason_code == ("as-it-was" if state in CLOSED else "consent-revoked")
    assert len(of_type(events, ReferralStopped)) == (0 if state is State.NEEDS_INFORMATION else 1)
    assert commands.revoke_consent(moved, "nurse", NOW) == (moved, [])


def test_leaving_is_said_once_for_each_time():
    """The same departure again is no news; another one is."""
    referral, _ = opened()
    leaving = a_submission(expected_departure_at=NOW + timedelta(minutes=30))
    moved, events = commands.report_departure(referral, "nurse", leaving, ARRIVED, NOW)
    assert [event.reason_code for event in events] == ["leaving"]  # type: ignore[attr-defined]
    assert commands.report_departure(moved, "nurse", leaving, ARRIVED, NOW) == (moved, [])


def test_an_ended_assignment_takes_its_promise_along():
    """Nobody is shown as coming who does not come; an end of another offer changes nothing."""
    referral, _ = opened()
    promise = Assignment("off-1", NOW + timedelta(minutes=20), "bedside", "rosa")
    assigned, _ = referrals.assign(referral, promise, NOW, NOW)
    assert referrals.seek_again(assigned, "off-2", NOW, NOW) == (assigned, [])
    sought, events = referrals.seek_again(assigned, "off-1", NOW, NOW)
    assert (sought.state, sought.specialist_id, sought.promised_arrival_at) == (State.SEEKING, "", None)
    assert (events[0].previous_status, events[0].status) == ("assigned", "seeking")
    again, _ = referrals.assign(sought, replace(promise, offer_id="off-3", specialist_id="ana"), NOW, NOW)
    assert (again.state, again.specialist_id) == (State.ASSIGNED, "ana")


def test_a_changed_promise_is_told_as_it_was_said_and_an_older_word_is_not():
    """A later time and a call instead of a visit are a new version for the source; the rest says nothing."""
    referral, _ = opened()
    promise = Assignment("off-1", NOW + timedelta(minutes=20), "bedside", "rosa")
    assigned, _ = referrals.assign(referral, promise, NOW, NOW)
    later = replace(promise, promised_arrival_at=NOW + timedelta(minutes=40), modality="phone")
    moved, [event] = referrals.change_arrival(assigned, later, NOW + timedelta(minutes=1), NOW)
    assert (event.status, event.previous_status, event.modality) == ("assigned", "assigned", "phone")
    assert (moved.promised_arrival_at, moved.specialist_id) == (later.promised_arrival_at, "rosa")
    assert moved.task_version == assigned.task_version + 1
    for other, at in ((later, NOW + timedelta(minutes=2)), (promise, NOW)):
        assert referrals.change_arrival(moved, other, at, NOW) == (moved, [])
    not_theirs = replace(later, offer_id="off-2", modality="video")
    assert referrals.change_arrival(moved, not_theirs, NOW, NOW) == (moved, [])
    with pytest.raises(NotHeardOfYet):  # somebody else's acceptance may be on its way
        referrals.change_arrival(moved, not_theirs, NOW + timedelta(minutes=3), NOW)


STEPS = (
    *(("cancel", reason) for reason in CANCEL_REASONS[:2]),
    *(("decline", reason) for reason in PEER_REASONS[:1]),
    ("correct", ""),
    ("correct-without-consent", ""),
    ("leave", ""),
    ("revoke", ""),
    ("expire", ""),
    ("error", ""),
    ("seek", ""),
    ("unfilled", ""),
    ("assign", "off-1"),
    ("assign", "off-2"),
    ("ended", "off-1"),
    ("closed", ""),
)


def step(referral: Referral, what: str, word: str, role: str, minute: int) -> commands.Changed:
    """One command of a source, or one piece of matching's news."""
    now = NOW + timedelta(minutes=minute)
    # A correction without a consent keeps the one that is here (handlers.correct).
    is_without = what == "correct-without-consent" and not referral.consent_version
    consent = None if is_without else a_consent()
    content = a_submission(consent=consent, expected_departure_at=now + timedelta(hours=1))
    return {
        "cancel": lambda: commands.cancel(referral, role, word, now),
        "decline": lambda: commands.decline_by_peer(referral, role, word, now),
        "correct": lambda: commands.correct(referral, role, content, ARRIVED, now),
        "correct-without-consent": lambda: commands.correct(referral, role, content, ARRIVED, now),
        "leave": lambda: commands.report_departure(referral, role, content, ARRIVED, now),
        "revoke": lambda: commands.revoke_consent(referral, role, now),
        "expire": lambda: commands.expire_consent(referral, now),
        "error": lambda: commands.enter_in_error(referral, role, now),
        "seek": lambda: referrals.seek(referral, now, now),
        "unfilled": lambda: referrals.mark_unfilled(referral, "ladder-exhausted", now, now),
        "assign": lambda: referrals.assign(referral, Assignment(word, now, "phone", "rosa"), now, now),
        "ended": lambda: referrals.seek_again(referral, word, now, now),
        "closed": lambda: referrals.close(referral, now, now),
    }[what]()


@given(
    is_held=st.booleans(),
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.sampled_from(["nurse", "coordinator", "system", "specialist"])),
        max_size=30,
    ),
)
def test_whatever_is_asked_in_whatever_order_the_referral_keeps_its_word(is_held: bool, steps: list):
    """Any sequence: a version for each visible change, each move said once, nothing told to a match without a consent,
    nothing after a stop, and a promise only while somebody comes."""
    consent = None if is_held else a_consent()
    referral, events = opened(consent=consent, may_wait_for_consent=is_held)
    said = list(events)
    for minute, ((what, word), role) in enumerate(steps):
        try:
            moved, events = step(referral, what, word, role, minute)
        except Refusal:
            continue
        if moved is referral:
            assert list(events) == []
            continue
        assert moved.task_version == referral.task_version + 1
        assert len(of_type(events, ReferralStatusChanged)) == (moved.state is not referral.state)
        if referral.state in CLOSED:
            assert moved.state in (referral.state, State.ENTERED_IN_ERROR)
        referral = moved
        said += events
        assert (referral.promised_arrival_at is None) or referral.specialist_id
    stops = [position for position, event in enumerate(said) if isinstance(event, ReferralStopped)]
    tells = [
        position
        for position, event in enumerate(said)
        if isinstance(event, (ReferralSubmitted, ReferralRevised))
    ]
    assert len(of_type(said, ReferralSubmitted)) <= 1
    assert not tells or isinstance(said[tells[0]], ReferralSubmitted)
    assert not stops or not tells or max(tells) < min(stops)
    assert len(of_type(said, ConsentRevoked)) == referral.is_consent_revoked
    moves = of_type(said, ReferralStatusChanged)
    for before, after in pairwise(moves):
        assert before.status == after.previous_status  # type: ignore[attr-defined]
    assert not moves or moves[-1].status == referral.state  # type: ignore[attr-defined]
