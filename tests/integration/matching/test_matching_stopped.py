"""Referrals that are stopped or revised while offers are out, on a real mongod (P3, P7, P8)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Refusal
from kindred.intake.v1 import events_pb2
from services.matching import handlers
from tests.matching_room import (
    CAUSE,
    a_row,
    a_submission,
    accept,
    enroll,
    revise,
    said,
    stop,
    submit,
)


def _load(room, specialist_id):
    return room.database["caseloads"].find_one({"_id": specialist_id})["load_milli"]


def _preference(code, strength):
    return events_pb2.Preference(code=code, strength=strength)


def test_a_stopped_referral_has_no_open_offer_and_never_gets_one(room, clock):
    """Each open offer is withdrawn with the reason, nobody can accept, no wave follows; said once (P7)."""
    enroll(room, [a_row(f"s{n:02}") for n in range(5)])
    submit(room, a_submission())
    before = room.cases.case("ref_1")
    for _ in range(2):
        stop(room, stop_code="consent-revoked")
    stop(room, stop_code="cancelled", event_id="evt_another")
    after = room.cases.case("ref_1")
    assert (after.state, after.stop_code) == ("closed", "consent-revoked")
    assert {offer.state for offer in after.offers} == {"withdrawn"}
    assert [message.reason_code for message in said(room, "offer.withdrawn.v1")] == ["consent-revoked"] * 3
    assert len(said(room, "case.closed.v1")) == 1
    with pytest.raises(Refusal, match="offer-already-closed"):
        accept(room, before, "s00")
    clock.turn(timedelta(minutes=30))
    assert handlers.advance_due(room, CAUSE) == 0 and len(said(room, "offer.made.v1")) == 3


def test_an_assignment_that_is_stopped_gives_its_load_back(room):
    """The specialist is told, carries less again, and may take another referral (P3)."""
    enroll(room, [a_row("busy", capacity="1")])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "busy")
    assert _load(room, "busy") == 1000
    for _ in range(2):
        stop(room)
    assert _load(room, "busy") == 0
    [ended] = said(room, "assignment.ended.v1")
    assert (ended.specialist_id, ended.reason_code) == ("busy", "cancelled")
    assert said(room, "case.closed.v1")[0].specialist_id == "busy"
    submit(room, a_submission("ref_2"))
    assert accept(room, room.cases.case("ref_2"), "busy").state == "assigned"


def test_a_stop_that_is_heard_before_the_referral_wins(room):
    """A revocation that overtakes its referral leaves a closed case: the late referral is offered to nobody (P7)."""
    enroll(room, [a_row("rosa")])
    stop(room, stop_code="consent-revoked")
    submit(room, a_submission())
    assert room.cases.case("ref_1").state == "closed"
    assert said(room, "offer.made.v1") == [] and len(said(room, "case.closed.v1")) == 1
    with pytest.raises(Refusal, match="case-unknown"):
        room.cases.case("ref_2")


def test_a_new_avoid_withdraws_exactly_the_offers_it_forbids(room):
    """P8 holds for wishes that are told late: who now may not be asked is withdrawn, the others stay."""
    enroll(room, [a_row("ana", attributes="military.veteran:released"), a_row("bo"), a_row("cy")])
    submit(room, a_submission())
    assert len(room.cases.case("ref_1").open_offers) == 3
    wish = [_preference("military.veteran", events_pb2.STRENGTH_AVOID)]
    revise(room, preferences=wish)
    after = room.cases.case("ref_1")
    assert {offer.specialist_id for offer in after.open_offers} == {"bo", "cy"}
    assert [message.specialist_id for message in said(room, "offer.withdrawn.v1")] == ["ana"]
    revise(room, revision=2, preferences=[])
    assert room.cases.case("ref_1").need.preferences == {"military.veteran": "avoid"}


def test_an_exclusion_told_late_ends_the_assignment_and_seeks_again(room):
    """Safety is not for people to weigh: who must never come is told not to, and others are asked at once (P8)."""
    enroll(room, [a_row("ana"), *[a_row(f"s{n}") for n in range(4)]])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "ana")
    revise(room, excluded_specialist_ids=["ana"])
    after = room.cases.case("ref_1")
    assert (after.state, after.assigned_specialist_id, _load(room, "ana")) == ("seeking", "", 0)
    assert [message.specialist_id for message in said(room, "assignment.ended.v1")] == ["ana"]
    asked = {offer.specialist_id for offer in after.open_offers}
    assert asked and "ana" not in asked
    first = after.open_offers[0].specialist_id
    assert accept(room, after, first, key="again").assigned_specialist_id == first
    assert (_load(room, "ana"), _load(room, first)) == (0, 1000)


def test_a_peer_who_leaves_soon_is_not_promised_a_bedside(room, clock):
    """After a new departure time an open offer keeps only the ways that can still be kept."""
    enroll(
        room, [a_row("far", zip="10992", radius_miles="200")]
    )  # two hours away by the policy's minutes a mile
    submit(room, a_submission(urgency=events_pb2.URGENCY_ROUTINE, modalities=["bedside", "phone"]))
    [offer] = room.cases.case("ref_1").open_offers
    assert "bedside" in offer.ways
    leaves = Timestamp()
    leaves.FromDatetime(clock.now() + timedelta(minutes=20))
    revise(
        room,
        urgency=events_pb2.URGENCY_ROUTINE,
        modalities=["bedside", "phone"],
        expected_departure_at=leaves,
    )
    [offer] = room.cases.case("ref_1").open_offers
    assert offer.ways == {"phone"}


def test_an_unfilled_referral_is_sought_for_again_after_a_correction(room):
    """Nobody spoke the language that was told first; with the right one somebody is asked."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission(languages=["vi"]))
    assert room.cases.case("ref_1").state == "unfilled"
    revise(room, languages=["es"])
    after = room.cases.case("ref_1")
    assert (after.state, [offer.specialist_id for offer in after.open_offers]) == ("seeking", ["rosa"])


def test_a_referral_that_becomes_immediate_asks_at_once(room):
    """Whoever was asked for tomorrow may still say yes; the first wave for now goes out besides."""
    enroll(room, [a_row(f"s{n:02}") for n in range(12)])
    submit(room, a_submission(urgency=events_pb2.URGENCY_ROUTINE))
    before = {offer.specialist_id for offer in room.cases.case("ref_1").open_offers}
    revise(room)
    after = room.cases.case("ref_1")
    now = {offer.specialist_id for offer in after.open_offers}
    assert before < now and len(now - before) == 3
    assert {message.urgency for message in said(room, "offer.made.v1")} == {"routine", "immediate"}


def test_a_revision_that_overtakes_its_referral_waits(room):
    """Facts of a referral that was not heard of yet are too early, and come again."""
    with pytest.raises(Refusal, match="case-not-known-yet"):
        revise(room)
