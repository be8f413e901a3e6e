"""The referral's state machine, as the table it is (DOMAIN 1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Kind, Refusal
from chassis.identity import ROLES
from services.intake.domain import referral as referrals
from services.intake.domain.errors import (
    MoveNotPossible,
    NotHeardOfYet,
    ReferralAlreadyAssigned,
    ReferralAlreadyClosed,
    RoleMayNotMove,
)
from services.intake.domain.referral import Assignment, Handoff, Referral
from services.intake.domain.states import CLOSED, OPEN, RULES, Command, State, next_state
from services.intake.fhir import names, task
from services.intake.hl7v2.status import STATUS
from services.intake.r4 import table, validator
from services.intake.web import pages
from services.intake.web.words import WORDS
from tests.unit.intake.intake_builders import NOW

# The rows of DOMAIN 1, written a second time and by hand: (state, command, role) -> state.
MOVES = {
    ("submitted", "hold", "system"): "needs-information",
    ("needs-information", "supply", "nurse"): "submitted",
    ("submitted", "refuse", "system"): "refused",
    ("needs-information", "refuse", "coordinator"): "refused",
    ("submitted", "seek", "system"): "seeking",
    ("unfilled", "seek", "system"): "seeking",
    ("seeking", "mark-unfilled", "system"): "unfilled",
    ("submitted", "mark-unfilled", "system"): "unfilled",
    ("seeking", "assign", "system"): "assigned",
    ("unfilled", "assign", "system"): "assigned",
    ("submitted", "assign", "system"): "assigned",
    ("assigned", "record-met", "specialist"): "met",
    ("not-met", "record-met", "specialist"): "met",
    ("assigned", "record-not-met", "specialist"): "not-met",
    ("met", "engage", "specialist"): "engaged",
    ("not-met", "engage", "specialist"): "engaged",
    ("seeking", "request-cancel", "nurse"): "cancel-requested",
    ("cancel-requested", "cancel", "system"): "cancelled",
    ("assigned", "decline-by-peer", "specialist"): "declined-by-peer",
    ("unfilled", "refer-elsewhere", "coordinator"): "referred-elsewhere",
    ("engaged", "complete", "specialist"): "completed",
    ("seeking", "expire", "system"): "expired",
    ("completed", "enter-in-error", "clinician"): "entered-in-error",
}


def a_referral(**given: object) -> Referral:
    made = Referral("ref-1", "peer_1", "er-1", State.SUBMITTED, "immediate", NOW, NOW)
    return replace(made, **given)


@pytest.mark.parametrize(("move", "target"), MOVES.items())
def test_a_named_move_leads_where_the_table_says(move: tuple[str, str, str], target: str):
    """Each row of the rules moves as written."""
    state, command, role = move
    assert next_state(State(state), Command(command), role) == target


@pytest.mark.parametrize("role", sorted(ROLES))
@pytest.mark.parametrize("command", Command)
@pytest.mark.parametrize("state", State)
def test_every_triple_moves_or_is_refused_with_a_reason(state: State, command: Command, role: str):
    """Every (state, command, role) either moves, says nothing new, or is refused with a stable code."""
    rule = RULES[command]
    try:
        target = next_state(state, command, role)
    except Refusal as refusal:
        assert refusal.code in ("role-not-allowed", "referral-already-closed", "move-not-possible")
        assert (refusal.code == "role-not-allowed") == (role not in rule.roles)
        assert state not in rule.moves or role not in rule.roles
    else:
        assert role in rule.roles
        assert target == (state if state in rule.stays else rule.moves[state])


def test_refusals_say_which():
    """The three ways to say no are three errors of the right kind."""
    with pytest.raises(RoleMayNotMove) as role:
        next_state(State.SUBMITTED, Command.ASSIGN, "nurse")
    with pytest.raises(ReferralAlreadyClosed):
        next_state(State.COMPLETED, Command.ASSIGN, "system")
    with pytest.raises(MoveNotPossible) as move:
        next_state(State.SUBMITTED, Command.COMPLETE, "specialist")
    assert (role.value.kind, move.value.kind) == (Kind.FORBIDDEN, Kind.CONFLICT)


# DOMAIN 1 once more: state -> Task.status, BSeR business status, and RF1-1 of HL7 v2 (docs/connect-your-hospital.md).
SHOWN = {
    "submitted": ("requested", "2.0", "P"),
    "needs-information": ("on-hold", None, "P"),
    "refused": ("rejected", "4.0", "R"),
    "seeking": ("accepted", "3.0", "A"),
    "unfilled": ("accepted", "3.0", "A"),
    "assigned": ("accepted", "5.1.1", "A"),
    "met": ("in-progress", "5.1.4", "A"),
    "not-met": ("in-progress", "5.1.2", "A"),
    "engaged": ("in-progress", None, "A"),
    "cancel-requested": ("cancelled", "5.2", "A"),
    "cancelled": ("cancelled", "6.0", "R"),
    "declined-by-peer": ("cancelled", "6.0", "R"),
    "referred-elsewhere": ("completed", "7.0", "A"),
    "completed": ("completed", "7.0", "A"),
    "expired": ("failed", "6.0", "E"),
    "entered-in-error": ("entered-in-error", None, "R"),
}
ENDED = {"cancelled", "completed", "failed", "entered-in-error", "rejected"}  # of Task.status


@given(st.lists(st.tuples(st.sampled_from(Command), st.sampled_from(sorted(ROLES))), max_size=40))
def test_whatever_is_commanded_every_side_shows_the_same_state(commands: list[tuple[Command, str]]):
    """After any sequence of commands Task, BSeR status, RRI and page agree, and what is closed stays closed."""
    state = State.SUBMITTED
    for command, role in commands:
        before = state
        try:
            state = next_state(state, command, role)
        except Refusal:
            continue
        if before in CLOSED:
            assert state in (before, State.ENTERED_IN_ERROR)
        assert sides_of(state) == SHOWN[state]
    assert state in OPEN | CLOSED


def sides_of(state: State) -> tuple[str, str | None, str]:
    """What FHIR and HL7 v2 say of the state, after the page was seen to have a word for it in each language."""
    referral = a_referral(state=state, modality="bedside")
    made = task.of(referral, ())
    codes = {one["system"]: one["code"] for one in made["businessStatus"]["coding"]}
    assert codes[names.STATES] == made["businessStatus"]["text"] == state
    assert all(words[pages.state_key(referral)] for words in WORDS.values())
    return made["status"], codes.get(names.BUSINESS), STATUS[state]


def test_a_task_has_ended_where_its_referral_has():
    """A client that stops asking at a final status stops where nothing moves any more, or is about to end."""
    assert set(SHOWN) == set(State)
    ended = {state for state in State if SHOWN[state][0] in ENDED}
    assert ended == CLOSED | {State.CANCEL_REQUESTED}


def test_an_offer_and_an_acceptance_move_the_view():
    """Seeking, then assigned with what the specialist said; each move is one version and one event."""
    sought, first = referrals.seek(a_referral(), NOW, NOW)
    promised = Assignment("off-1", NOW + timedelta(minutes=20), "bedside")
    assigned, second = referrals.assign(sought, promised, NOW, NOW)
    assert (sought.state, assigned.state, assigned.task_version) == ("seeking", "assigned", 3)
    assert [event.status for event in (*first, *second)] == ["seeking", "assigned"]
    assert second[0].promised_arrival_at == NOW + timedelta(minutes=20)


def test_what_was_overtaken_changes_nothing():
    """A late offer neither reopens an unfilled referral nor unseats an assignment, and nobody is told of it."""
    late, now = NOW - timedelta(seconds=5), NOW
    unfilled, _ = referrals.mark_unfilled(a_referral(state=State.SEEKING), "nobody", NOW, now)
    assert referrals.seek(unfilled, late, now) == (unfilled, [])
    assigned, _ = referrals.assign(unfilled, Assignment("off-1", None, "phone"), NOW, now)
    assert referrals.seek(assigned, NOW, now) == (assigned, [])
    assert referrals.mark_unfilled(assigned, "nobody", NOW, now) == (assigned, [])


def test_a_new_wave_reopens_what_was_unfilled():
    """An offer made after the ladder ended (the open pool) is sought again."""
    unfilled, _ = referrals.mark_unfilled(a_referral(state=State.SEEKING), "nobody", NOW, NOW)
    later = NOW + timedelta(minutes=1)
    sought, events = referrals.seek(unfilled, later, later)
    assert (sought.state, sought.reason_code, len(events)) == ("seeking", "", 1)


def test_a_second_acceptance_is_refused():
    """P3: a referral that is assigned is not assigned to anybody else; the same acceptance again is no news."""
    one, two = Assignment("off-1", None, "bedside"), Assignment("off-2", None, "bedside")
    assigned, _ = referrals.assign(a_referral(state=State.SEEKING), one, NOW, NOW)
    assert referrals.assign(assigned, one, NOW, NOW) == (assigned, [])
    with pytest.raises(ReferralAlreadyAssigned):
        referrals.assign(assigned, two, NOW, NOW)
    with pytest.raises(NotHeardOfYet):  # the end of the first one may still be on its way
        referrals.assign(assigned, two, NOW + timedelta(seconds=1), NOW)


def _at(second: int) -> datetime:
    return NOW + timedelta(seconds=second)


ONE, TWO = Assignment("off-1", NOW, "bedside"), Assignment("off-2", NOW, "phone")
FOLLOWED = [
    lambda one: referrals.seek(one, _at(1), NOW),
    lambda one: referrals.assign(one, ONE, _at(2), NOW),
    lambda one: referrals.change_arrival(one, replace(ONE, modality="video"), _at(3), NOW),
    lambda one: referrals.record_handoff(one, Handoff("off-1", "not-met", ""), _at(4), NOW),
    lambda one: referrals.record_handoff(one, Handoff("off-1", "met", ""), _at(5), NOW),
    lambda one: referrals.engage(one, _at(6), NOW),
    lambda one: referrals.complete(one, "engaged", _at(7), NOW),
]
HANDED_ON = [
    lambda one: referrals.assign(one, ONE, _at(1), NOW),
    lambda one: referrals.seek_again(one, "off-1", _at(2), NOW),
    lambda one: referrals.assign(one, TWO, _at(2), NOW),
    lambda one: referrals.change_arrival(one, replace(TWO, modality="video"), _at(3), NOW),
]


@pytest.mark.parametrize(("said", "end"), [(FOLLOWED, "completed"), (HANDED_ON, "assigned")])
@given(data=st.data())
def test_what_arrives_in_another_order_ends_where_it_would_have(
    said: list[Any], end: str, data: st.DataObject
):
    """Events of one case in any order, those that come too early tried again: nothing that was said is lost."""
    waiting = list(data.draw(st.permutations(said)))
    one = a_referral(state=State.SUBMITTED, offer_id="", heard_at=None)
    while waiting:
        left = []
        for apply in waiting:
            try:
                one, _ = apply(one)
            except NotHeardOfYet:
                left.append(apply)
            except (MoveNotPossible, ReferralAlreadyAssigned, ReferralAlreadyClosed):
                pass  # handled and recorded: something newer has overtaken it
        assert len(left) < len(waiting), "nothing moves any more"
        waiting = left
    assert one.state == end
    if end == "assigned":
        assert (one.offer_id, one.modality) == ("off-2", "video")


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_valid_task(state: State):
    """Each state is shown as a Task that R4 and its own table accept."""
    made = task.of(
        a_referral(state=state, reason_code="no-one", modality="phone", promised_arrival_at=NOW), ()
    )
    assert validator.check(made) == []
    assert sides_of(state) == SHOWN[state]


def test_the_answer_to_a_bundle_is_r4():
    """A transaction is answered entry by entry, in order; the request's entry names its Task."""
    types = ["Patient", "ServiceRequest", "Consent"]
    answer = task.submitted("transaction", types, a_referral(), was_known=False)
    assert validator.check(answer, table.load()) == []
    assert [one["response"]["status"] for one in answer["entry"]] == [
        "202 Accepted",
        "201 Created",
        "202 Accepted",
    ]
    assert answer["entry"][1]["response"]["location"] == "ServiceRequest/ref-1/_history/1"
    told = answer["entry"][1]["response"]["outcome"]["issue"][0]["details"]["text"]
    assert told.startswith("Task/ref-1 ")
    again = task.submitted("collection", types, a_referral(), was_known=True)
    assert [one["response"]["status"] for one in again["entry"]] == ["200 OK"]
