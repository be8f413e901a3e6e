"""A notice's life: sent once, repeated only where the first fate is unknown, never after its time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain import receipts
from services.notifications.domain.contacts import Contact
from services.notifications.domain.events import NoticeFailed, NoticeSent
from services.notifications.domain.intents import Channel, Intent
from services.notifications.domain.notices import (
    Answer,
    Outcome,
    Reason,
    State,
    begin_attempt,
    cancel,
    may_have_been_heard,
    settle_attempt,
    take_back,
)
from services.notifications.domain.opening import open_cancelled, open_notice
from services.notifications.domain.reach import Reach
from services.notifications.domain.reach import has_tried_all as has_tried_all_ways
from services.notifications.domain.retrying import delay_after
from tests.unit.notifications.notice_builders import NOW, a_happening, a_notice, rule_of

ACCEPTED = Answer(Outcome.ACCEPTED, 250)


def begun(notice, at=NOW):
    notice, events = begin_attempt(notice, at)
    assert events == []
    return notice


def settled(notice, outcome, at=NOW, jitter=0.5):
    return settle_attempt(notice, notice.attempts[-1].number, Answer(outcome), at, jitter)


def test_an_accepted_attempt_is_said_once():
    """The far side's yes makes the notice sent and says so, also when the yes is settled twice."""
    notice, events = settled(begun(a_notice()), Outcome.ACCEPTED)
    assert (notice.state, notice.due_at) == (State.SENT, None)
    assert [type(event) for event in events] == [NoticeSent]
    again, more = settle_attempt(notice, 1, ACCEPTED, NOW, 0.5)
    assert (again.state, more) == (State.SENT, [])


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.UNREACHABLE])
def test_a_try_that_certainly_failed_is_no_possible_repeat(outcome):
    """After a "not now" or no connection the next attempt is not marked: nobody can have heard."""
    notice, _ = settled(begun(a_notice()), outcome)
    assert notice.state is State.DUE
    assert not begun(notice, notice.due_at).attempts[-1].is_possible_repeat


def test_a_crash_between_attempt_and_answer_marks_the_next_as_possible_repeat():
    """An attempt that was never settled has an unknown fate, and the next one says that it may be a repeat (P4)."""
    notice = begun(begun(a_notice()))
    assert [attempt.outcome for attempt in notice.attempts] == [Outcome.UNKNOWN, Outcome.OPEN]
    notice, events = settled(notice, Outcome.ACCEPTED)
    assert events[0].attempt.is_possible_repeat
    assert events[0].attempt.number == 2


def test_a_refusal_is_final_and_said():
    """A 5xx ends the notice, and everybody can see that nobody heard."""
    notice, events = settled(begun(a_notice()), Outcome.REFUSED)
    assert (notice.state, notice.reason_code) == (State.DEAD, Reason.REFUSED_BY_FAR_SIDE)
    assert events == [NoticeFailed(notice)]


def test_a_late_offer_notice_is_not_sent():
    """At the deadline an offer's notice is dead: nobody is asked to answer what cannot be answered."""
    happening = a_happening()
    notice, events = open_notice(
        rule_of(Intent.OFFER_MADE), happening, happening.deadline_at, is_reachable=True
    )
    assert (notice.state, notice.reason_code) == (State.DEAD, Reason.EXPIRED)
    assert events == [NoticeFailed(notice)]
    waiting = a_notice()
    late, events = begin_attempt(waiting, waiting.expires_at)
    assert (late.state, late.reason_code, late.attempts) == (State.DEAD, Reason.EXPIRED, ())
    assert events == [NoticeFailed(late)]


def test_an_attempt_that_was_never_begun_is_taken_back():
    """What was recorded and not begun leaves the log and is due; where somebody else wrote since, it says withheld."""
    later = NOW + timedelta(seconds=1)
    marked, _ = begin_attempt(a_notice(), NOW, lease_over=NOW + timedelta(seconds=30))
    assert marked.due_at == NOW + timedelta(seconds=30)
    attempt = marked.attempts[-1]
    back = take_back(marked, attempt, later)
    assert (back.state, back.due_at, back.attempts) == (State.DUE, later, ())
    again = begun(back, later)
    assert take_back(again, attempt, later) == again
    closed = take_back(cancel(marked, Reason.OFFER_CLOSED), attempt, later)
    assert (closed.state, closed.attempts[0].outcome) == (State.CANCELLED, Outcome.WITHHELD)


def test_retries_end_before_the_expiry():
    """When the next try would come too late the notice is given up now, not kept waiting."""
    notice = begun(a_notice())
    at = notice.expires_at - timedelta(milliseconds=100)
    dead, events = settled(notice, Outcome.DEFERRED, at)
    assert (dead.state, dead.reason_code) == (State.DEAD, Reason.ATTEMPTS_EXHAUSTED)
    assert events == [NoticeFailed(dead)]


def test_giving_up_on_an_unknown_fate_says_so():
    """Where somebody may have heard, "failed" does not claim that nobody did."""
    notice = begun(a_notice())
    dead, _ = begin_attempt(notice, notice.expires_at)
    assert dead.reason_code == Reason.FATE_UNKNOWN


def test_nobody_without_an_address_is_silently_skipped():
    """A recipient without an address makes a dead notice that is said."""
    notice, events = open_notice(rule_of(Intent.OFFER_MADE), a_happening(), NOW, is_reachable=False)
    assert (notice.state, notice.reason_code, notice.due_at) == (State.DEAD, Reason.NO_ADDRESS, None)
    assert events == [NoticeFailed(notice)]


def test_a_cancelled_notice_is_not_due_and_was_not_heard():
    """Cancelled before any attempt: nothing is sent, and nobody needs to hear that it closed."""
    notice = cancel(a_notice(), Reason.OFFER_CLOSED)
    assert (notice.state, notice.due_at, may_have_been_heard(notice)) == (State.CANCELLED, None, False)
    assert open_cancelled(rule_of(Intent.OFFER_MADE), a_happening(), NOW).state is State.CANCELLED


def test_what_was_sent_while_it_was_cancelled_is_still_recorded_as_sent():
    """A cancel that loses the race to the far side does not hide that the person heard."""
    notice = cancel(begun(a_notice()), Reason.OFFER_CLOSED)
    assert may_have_been_heard(notice)
    notice, events = settle_attempt(notice, 1, ACCEPTED, NOW, 0.5)
    assert notice.state is State.SENT
    assert [type(event) for event in events] == [NoticeSent]
    refused, events = settle_attempt(
        cancel(begun(a_notice()), Reason.OFFER_CLOSED), 1, Answer(Outcome.REFUSED), NOW, 0.5
    )
    assert (refused.state, events) == (State.CANCELLED, [])


def test_an_answer_that_comes_after_its_receipt_takes_nothing_back():
    """Whatever the sender believes by then, what the far side's receipt said of the attempt stands."""
    arrived, _ = receipts.delivered(begun(a_notice()), 1)
    for outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN):
        late, events = settle_attempt(arrived, 1, Answer(outcome, 201, far_id="SM1"), NOW, 0.5)
        assert (late.state, late.attempts[0].outcome, events) == (State.SENT, Outcome.DELIVERED, [])
        assert late.attempts[0].far_id == "SM1"
    came_back, _ = receipts.bounced(begun(a_notice()), 1, NOW, is_last_way=False, reason_code="5.1.1")
    late, events = settle_attempt(came_back, 1, ACCEPTED, NOW, 0.5)
    assert (late.state, late.attempts[0].outcome, late.due_at, events) == (
        State.DUE,
        Outcome.BOUNCED,
        NOW,
        [],
    )
    refused, _ = settled(begun(a_notice()), Outcome.REFUSED)
    assert receipts.taken(refused, 1) == (refused, [])
    assert receipts.taken(refused, 7) == (refused, [])


def test_cancelling_changes_nothing_that_is_over():
    """A sent or dead notice stays what it is."""
    sent, _ = settled(begun(a_notice()), Outcome.ACCEPTED)
    assert cancel(sent, Reason.OFFER_CLOSED) == sent


def test_a_late_answer_of_a_taken_over_attempt_only_changes_the_log():
    """When a slow sender comes back after another took over, its "not now" does not disturb the other's try."""
    taken_over = begun(begun(a_notice()))
    notice, events = settle_attempt(taken_over, 1, Answer(Outcome.DEFERRED, 451), NOW, 0.5)
    assert (notice.state, events) == (State.SENDING, [])
    assert notice.attempts[0].reply_code == 451


@given(st.integers(1, 200), st.floats(0, 1))
def test_the_wait_doubles_between_half_and_full_up_to_five_minutes(number, jitter):
    """Delays grow from one second to five minutes, and half of each is left to chance."""
    full = min(2.0 ** (number - 1), 300.0)
    assert full / 2 - 0.001 <= delay_after(number, jitter).total_seconds() <= full + 0.001


STEP = st.one_of(
    st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.OPEN]),
    st.just("crash"),
    st.just("cancel"),
    st.integers(0, 90).map(lambda seconds: timedelta(seconds=seconds)),
)


@given(st.lists(STEP, max_size=40))
def test_whatever_happens_a_notice_keeps_its_promises(steps):
    """Random answers, crashes, cancels and waits: one "sent", every repeat marked, none begun too late (P4)."""
    notice, now, said = a_notice(), NOW, []
    for step in steps:
        if isinstance(step, timedelta):
            now += step
        elif step == "cancel":
            notice = cancel(notice, Reason.OFFER_CLOSED)
        elif notice.state in (State.DUE, State.SENDING):
            notice, events = begin_attempt(notice, now)
            said += events
            if step != "crash" and notice.state is State.SENDING:
                notice, events = settled(notice, step, now)
                said += events
        check(notice, said)


def check(notice, said):
    assert [type(event) for event in said] in ([], [NoticeSent], [NoticeFailed])
    assert bool(said) == (notice.state in (State.SENT, State.DEAD))
    assert (notice.due_at is None) == (notice.state in (State.SENT, State.DEAD, State.CANCELLED))
    assert [attempt.number for attempt in notice.attempts] == list(range(1, len(notice.attempts) + 1))
    for index, attempt in enumerate(notice.attempts):
        earlier = {before.outcome for before in notice.attempts[:index]}
        assert attempt.is_possible_repeat == (Outcome.UNKNOWN in earlier)
        assert attempt.at < notice.expires_at
        assert not earlier & {Outcome.ACCEPTED, Outcome.REFUSED, Outcome.OPEN}


@pytest.mark.parametrize(
    ("outcome", "intent", "state"),
    [
        (Outcome.UNREACHABLE, Intent.OFFER_MADE, State.DEAD),
        (Outcome.DEFERRED, Intent.OFFER_MADE, State.DEAD),
        (Outcome.UNKNOWN, Intent.OFFER_MADE, State.DUE),
        (Outcome.UNREACHABLE, Intent.ASSIGNMENT_ENDED, State.DUE),
    ],
)
def test_an_offer_nobody_can_hand_over_is_said_to_have_failed_at_half_time(outcome, intent, state):
    """While others can still be asked: but not where somebody may have heard, nor where no answer is waited for."""
    notice = a_notice(intent)
    reach = Reach(Contact("ines@example.org"), {Channel.EMAIL: "ines@example.org"}, (Channel.EMAIL,))
    half = NOW + (notice.expires_at - NOW) / 2
    for at in (NOW, NOW, NOW, half):
        notice, _ = begin_attempt(notice, at)
        has_tried_all = has_tried_all_ways(rule_of(intent), reach, notice)
        number = len(notice.attempts)
        notice, events = settle_attempt(notice, number, Answer(outcome), at, 0.5, has_tried_all=has_tried_all)
    assert notice.state is state
    assert [event.notice.reason_code for event in events] == (
        ["attempts-exhausted"] if state is State.DEAD else []
    )
    assert len(notice.attempts) == 4
