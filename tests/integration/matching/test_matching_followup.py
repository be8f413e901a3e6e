"""From the acceptance to the end: handoff, ninety days of check-ins by a turned clock, an outcome."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching import handlers
from services.matching.handlers import Recorded
from tests.matching_room import CAUSE, a_row, a_submission, accept, enroll, said, stop, submit

ROSA = Caller("rosa", "specialist", "bronx-peers")
LEAD = Caller("lead-wanda", "supervisor", "bronx-peers")
DAY = timedelta(days=1)


@pytest.fixture
def assigned(room):
    """Rosa has accepted the referral; Wanda leads her programme."""
    enroll(room, [a_row("rosa"), a_row("wanda", role="supervisor")])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "rosa")
    return room


def handoff(room, outcome="met", key="h-1", caller=ROSA, **given):
    return handlers.record_handoff(room, Recorded("ref_1", key, outcome, "bedside", **given), caller, CAUSE)


def checkin(room, outcome="reached", key="c-1", number=0, caller=ROSA):
    return handlers.record_checkin(room, Recorded("ref_1", key, outcome, number=number), caller, CAUSE)


def load(room):
    return room.database["caseloads"].find_one({"_id": "rosa"})["load_milli"]


def turn_to(room, clock, days, step=timedelta(hours=12)):
    """The clock goes on in steps, and the worker looks at what is due after each."""
    for _ in range(int(days * DAY / step)):
        clock.turn(step)
        while handlers.advance_due(room, CAUSE):
            pass


def test_ninety_days_are_followed_by_the_clock_alone(assigned, clock):
    """Each of the six check-ins falls due once, on its day; recorded ones are not missed, the others are, once."""
    room = assigned
    handoff(room)
    for number in range(1, 4):
        turn_to(room, clock, {1: 1, 2: 2, 3: 4}[number])
        assert [message.number for message in said(room, "checkin.due.v1")] == list(range(1, number + 1))
        assert checkin(room, key=f"c-{number}").number == number
    turn_to(room, clock, 95 - 7)
    due = said(room, "checkin.due.v1")
    missed = said(room, "checkin.missed.v1")
    assert [message.number for message in due] == [1, 2, 3, 4, 5, 6]
    assert [message.number for message in missed] == [4, 5, 6]
    assert {message.supervisor_id for message in missed} == {"wanda"}
    began = room.cases.case("ref_1").handoff.occurred_at
    days = [(message.due_at.ToDatetime(tzinfo=began.tzinfo) - began) / DAY for message in due]
    assert days == [1, 3, 7, 30, 60, 90]
    assert handlers.advance_due(room, CAUSE) == 0


def test_a_missed_check_in_may_still_be_recorded(assigned, clock):
    """Late is better than never: it is on record with its outcome, and not due again."""
    handoff(assigned)
    turn_to(assigned, clock, 2)
    assert [message.number for message in said(assigned, "checkin.missed.v1")] == [1]
    late = checkin(assigned, outcome="no-answer")
    assert (late.number, late.state, late.outcome) == (1, "recorded", "no-answer")


def test_a_worker_that_was_away_for_days_says_missed_and_not_due(assigned, clock):
    """What fell due and was missed while nobody looked is told as missed; nobody is reminded of the past."""
    handoff(assigned)
    clock.turn(timedelta(days=5))
    while handlers.advance_due(assigned, CAUSE):
        pass
    assert [message.number for message in said(assigned, "checkin.missed.v1")] == [1, 2]
    assert said(assigned, "checkin.due.v1") == []


def test_the_end_needs_an_outcome_and_gives_the_load_back(assigned, clock):
    """Completed once: the load is free, no check-in falls due any more, a repeat says nothing."""
    handoff(assigned)
    checkin(assigned)
    with pytest.raises(Refusal, match="outcome-unknown") as wrong:
        handlers.complete(assigned, "ref_1", "cured", ROSA, CAUSE)
    assert wrong.value.kind is Kind.INVALID and load(assigned) == 1000
    for _ in range(2):
        done = handlers.complete(assigned, "ref_1", "connected-to-treatment", ROSA, CAUSE)
    assert (done.state, done.stop_code, done.outcome) == ("closed", "completed", "connected-to-treatment")
    assert load(assigned) == 0
    assert len(said(assigned, "case.completed.v1")) == 1
    assert said(assigned, "assignment.ended.v1") == []  # it was carried out: nobody is told not to go
    turn_to(assigned, clock, 10)
    assert said(assigned, "checkin.due.v1") == []


def test_who_left_is_followed_by_phone_and_may_be_met_later(assigned):
    """Left before seen is on record with the same plan; a later meeting replaces it, a second meeting does not."""
    first = handoff(assigned, "left-before-seen")
    assert (first.state, len(first.checkins)) == ("followed", 6)
    later = handoff(assigned, "met", key="h-2")
    assert later.handoff.outcome == "met" and later.checkins == first.checkins
    for outcome in ("met", "unreachable"):
        with pytest.raises(Refusal, match="handoff-already-recorded"):
            handoff(assigned, outcome, key="h-3")
    assert [message.outcome for message in said(assigned, "handoff.recorded.v1")] == [
        "left-before-seen",
        "met",
    ]


def test_the_same_key_again_changes_nothing(assigned):
    """A retry of a handoff or a check-in gets the same answer and says nothing new."""
    for _ in range(3):
        handoff(assigned)
        checkin(assigned)
    assert len(said(assigned, "handoff.recorded.v1")) == len(said(assigned, "checkin.recorded.v1")) == 1


def test_only_who_was_assigned_or_leads_records(assigned):
    """Another specialist, another programme and a source are refused; the programme's lead may."""
    for caller in (
        Caller("ana", "specialist", "bronx-peers"),
        Caller("rosa", "specialist", "buffalo-peers"),
        Caller("lead", "supervisor", "buffalo-peers"),
        Caller("nurse-ada", "nurse", "st-brigid"),
    ):
        with pytest.raises(Refusal, match="not-your-referral"):
            handoff(assigned, caller=caller)
    assert handoff(assigned, caller=LEAD).state == "followed"


def test_nothing_is_recorded_out_of_order(assigned, clock):
    """No check-in and no end before the handoff, no handoff before anybody said yes, none from the future."""
    with pytest.raises(Refusal, match="no-handoff-yet"):
        checkin(assigned)
    with pytest.raises(Refusal, match="no-handoff-yet"):
        handlers.complete(assigned, "ref_1", "engaged", ROSA, CAUSE)
    with pytest.raises(Refusal, match="time-not-possible"):
        handoff(assigned, at=clock.now() + timedelta(hours=1))
    submit(assigned, a_submission("ref_2"))
    with pytest.raises(Refusal, match="not-assigned") as early:
        handlers.record_handoff(assigned, Recorded("ref_2", "k", "met", "phone"), ROSA, CAUSE)
    assert "accept the offer first" in early.value.message
    stranger = Caller("nia", "specialist", "harlem-peers")
    with pytest.raises(Refusal, match="not-your-referral"):
        handlers.record_handoff(assigned, Recorded("ref_2", "k", "met", "phone"), stranger, CAUSE)


def test_a_stop_ends_the_follow_up_too(assigned, clock):
    """P7: after a revocation nobody is reminded to call."""
    handoff(assigned)
    stop(assigned, stop_code="consent-revoked")
    assert (assigned.cases.case("ref_1").state, load(assigned)) == ("closed", 0)
    turn_to(assigned, clock, 4)
    assert said(assigned, "checkin.due.v1") == [] and said(assigned, "checkin.missed.v1") == []
    with pytest.raises(Refusal, match="no-handoff-yet"):
        checkin(assigned)
