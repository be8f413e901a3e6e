"""CoordinationService method by method, through its messages: who may, what is missing, what comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis import identity
from chassis.errors import Refusal
from chassis.identity import Caller
from kindred.matching.v1 import coordination_pb2 as pb
from services.matching import handlers
from services.matching.coordinating import CoordinationServicer
from services.matching.handlers import Recorded
from tests.matching_room import CAUSE, a_row, a_submission, accept, enroll, submit


@pytest.fixture
def door(room):
    """The servicer on a room with Rosa, Otto and their supervisor; call it as somebody."""
    enroll(room, [a_row("rosa"), a_row("otto"), a_row("wanda", role="supervisor")])
    servicer = CoordinationServicer(room)

    def call(method, request, role, actor="wanda", programme="bronx-peers"):
        mark = identity.set_current(Caller(actor, role, programme, "COC"))
        try:
            return getattr(servicer, method)(request, None)
        finally:
            identity.reset_current(mark)

    return room, call


def promised(room, message, minutes=20):
    message.promised_arrival_at.FromDatetime(room.clock.now() + timedelta(minutes=minutes))
    return message


@pytest.mark.parametrize(
    ("method", "request_type", "role"),
    [
        ("AssignByHand", pb.AssignByHandRequest, "specialist"),
        ("ListPool", pb.ListPoolRequest, "nurse"),
        ("ClaimReferral", pb.ClaimReferralRequest, "supervisor"),
        ("QueryCapacity", pb.QueryCapacityRequest, "compliance"),
        ("ReportArrival", pb.ReportArrivalRequest, "nurse"),
        ("RequestRematch", pb.RequestRematchRequest, "nurse"),
        ("ListCaseload", pb.ListCaseloadRequest, "nurse"),
        ("ProposeMove", pb.ProposeMoveRequest, "engineer"),
        ("PreviewBacklog", pb.PreviewBacklogRequest, "specialist"),
        ("ApplyBacklog", pb.ApplyBacklogRequest, "specialist"),
        ("GetLadder", pb.GetLadderRequest, "specialist"),
        ("SetLadder", pb.SetLadderRequest, "nurse"),
    ],
)
def test_every_method_asks_for_a_role(door, method, request_type, role):
    """Authorization comes before anything else is looked at."""
    _, call = door
    with pytest.raises(Refusal, match="role-not-allowed"):
        call(method, request_type(), role)


def test_what_is_missing_is_named_by_its_field(door):
    """An empty request names every field it lacks."""
    _, call = door
    with pytest.raises(Refusal, match="request-incomplete") as refused:
        call("AssignByHand", pb.AssignByHandRequest(), "supervisor")
    assert {fault.path for fault in refused.value.faults} == {
        "referral_id",
        "specialist_id",
        "idempotency_key",
        "modality",
        "reason_code",
    }
    with pytest.raises(Refusal, match="request-incomplete") as refused:
        asked = pb.ClaimReferralRequest(referral_id="r", idempotency_key="k", modality="phone")
        call("ClaimReferral", asked, "specialist", "rosa")
    assert [fault.path for fault in refused.value.faults] == ["promised_arrival_at"]


def test_by_hand_then_on_the_way_then_somebody_else(door):
    """The answers say what was promised, and a wish for somebody else empties the caseload."""
    room, call = door
    submit(room, a_submission())
    asked = pb.AssignByHandRequest(
        referral_id="ref_1",
        specialist_id="rosa",
        idempotency_key="h",
        modality="bedside",
        reason_code="continuity",
        specialist_agreed=True,
    )
    assert call("AssignByHand", promised(room, asked), "supervisor").offer_id
    step = pb.ReportArrivalRequest(referral_id="ref_1", idempotency_key="a", step="by-phone")
    answer = call("ReportArrival", promised(room, step, 5), "specialist", "rosa")
    assert (answer.modality, answer.promised_arrival_at) == ("phone", step.promised_arrival_at)
    load = call("ListCaseload", pb.ListCaseloadRequest(specialist_id="rosa", with_takers=True), "supervisor")
    [entry] = load.entries
    assert (entry.referral_id, entry.state, list(entry.taker_ids)) == ("ref_1", "assigned", ["otto"])
    assert (load.load_milli, load.capacity_milli) == (1000, 3000)
    wish = pb.RequestRematchRequest(
        referral_id="ref_1", idempotency_key="w", side="peer", reason_code="schedule"
    )
    call("RequestRematch", wish, "coordinator")
    assert len(call("ListCaseload", pb.ListCaseloadRequest(), "specialist", "rosa").entries) == 0


def test_a_case_is_put_to_somebody_who_could_take_it_over(door):
    """The answer names who is asked, and until when."""
    room, call = door
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "rosa")
    handlers.record_handoff(
        room, Recorded("ref_1", "h", "met", "phone"), Caller("rosa", "specialist", "bronx-peers"), CAUSE
    )
    asked = pb.ProposeMoveRequest(
        referral_id="ref_1", idempotency_key="m", reason_code="leave", peer_agreed=True
    )
    answer = call("ProposeMove", asked, "specialist", "rosa")
    assert answer.to_specialist_id == "otto"
    assert answer.deadline_at.ToDatetime(tzinfo=room.clock.now().tzinfo) == room.clock.now() + timedelta(
        days=2
    )


def test_the_pool_a_claim_and_a_plan(door):
    """What waits is seen with its reasons, planned as a whole, and claimed."""
    room, call = door
    enroll(room, [a_row("rosa", capacity="0"), a_row("otto", capacity="0")])
    submit(room, a_submission(), a_submission("ref_2"))
    enroll(room, [a_row("rosa", capacity="1")])
    [first, second] = call("ListPool", pb.ListPoolRequest(), "specialist", "rosa").entries
    assert first.explanation.score_milli == sum(t.points_milli for t in first.explanation.terms) > 0
    assert {first.referral_id, second.referral_id} == {"ref_1", "ref_2"} and "phone" in first.ways
    assert call("ListPool", pb.ListPoolRequest(limit=1), "supervisor").entries[0].exclusions
    plan = call("PreviewBacklog", pb.PreviewBacklogRequest(), "coordinator")
    assert len(plan.matches) == 1 and plan.is_proven_best and plan.greedy_served == 1
    assert plan.left_over[0].reason_code == "no-capacity-left"
    claim = pb.ClaimReferralRequest(referral_id="ref_1", idempotency_key="c", modality="phone")
    assert call("ClaimReferral", promised(room, claim), "specialist", "rosa").offer_id
    with pytest.raises(Refusal, match="plan-stale"):
        call("ApplyBacklog", pb.ApplyBacklogRequest(plan_id=plan.plan_id, idempotency_key="k"), "coordinator")


def test_a_ladder_is_set_and_read_with_its_history(door):
    """What was told comes back, with who told it and why."""
    _, call = door
    steps = pb.LadderSteps(urgency="immediate", sizes=[2, 4], seconds=[120, 240])
    asked = pb.SetLadderRequest(programme_id="bronx-peers", ladders=[steps], reason="nights are thin")
    assert call("SetLadder", asked, "coordinator").version == 1
    read = call("GetLadder", pb.GetLadderRequest(programme_id="bronx-peers"), "supervisor")
    assert list(read.ladders) == [steps] and read.changes[0].changed_by == "wanda"
    twice = pb.SetLadderRequest(programme_id="bronx-peers", ladders=[steps, steps], reason="x")
    with pytest.raises(Refusal, match="request-incomplete"):
        call("SetLadder", twice, "coordinator")
