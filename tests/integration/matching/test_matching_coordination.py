"""Outside the ladder on a real mongod: by hand, by claim, by wish, during leave; and when the world changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Refusal
from chassis.identity import Caller
from kindred.intake.v1 import events_pb2
from services.matching import handlers
from services.matching.domain.case import CLAIM
from services.matching.domain.taking import Taking
from services.matching.handlers import ByHand, Move, Recorded, Rematch, Step
from tests.matching_room import (
    CAUSE,
    a_row,
    a_submission,
    accept,
    decline,
    enroll,
    looked,
    revise,
    said,
    submit,
)

LEAD = Caller("wanda", "supervisor", "bronx-peers")
WAVE = timedelta(seconds=300)


def specialist(specialist_id, programme="bronx-peers"):
    return Caller(specialist_id, "specialist", programme)


def load(room, specialist_id):
    return room.database["caseloads"].find_one({"_id": specialist_id})["load_milli"]


def by_hand(room, specialist_id, key="h", reason="nobody-in-time", caller=LEAD, **changes):
    told = {"modality": "phone", "has_agreed": True, "referral_id": "ref_1"} | changes
    at = room.clock.now() + timedelta(minutes=20)
    chosen = ByHand(specialist_id=specialist_id, key=key, promised_arrival_at=at, reason_code=reason, **told)
    return handlers.assign_by_hand(room, chosen, caller, CAUSE)


def claim(room, specialist_id, key="c"):
    told = Taking(CLAIM, key, room.clock.now() + timedelta(minutes=10), "phone")
    return handlers.claim(room, "ref_1", told, specialist(specialist_id), CAUSE)


def unfilled(room, clock, *rows):
    """The referral waits in the open pool: everybody there was silent."""
    enroll(room, [*rows, a_row("wanda", role="supervisor")])
    submit(room, a_submission())
    for _ in range(2):
        clock.turn(WAVE)
        handlers.advance_due(room, CAUSE)
    assert room.cases.case("ref_1").state == "unfilled"


def test_a_supervisor_assigns_by_hand_and_it_is_said_with_its_reason(room):
    """The ranking is overridden, which is said; who was asked hears that it is taken; a repeat says nothing new."""
    enroll(room, [*[a_row(f"s{n}") for n in range(4)], a_row("zoe", attributes="homelessness:released")])
    submit(room, a_submission())
    for _ in range(2):
        offer, _ = by_hand(room, "zoe")
    after = room.cases.case("ref_1")
    assert (after.state, after.assigned_specialist_id, load(room, "zoe")) == ("assigned", "zoe", 1000)
    [chosen] = said(room, "assignment.chosen.v1")
    assert (chosen.how, chosen.reason_code, chosen.passed_over) == ("by-hand", "nobody-in-time", 4)
    assert chosen.provenance.actor_id == "wanda" and chosen.offer_id == offer.offer_id
    assert len(said(room, "offer.accepted.v1")) == 1 and len(said(room, "offer.withdrawn.v1")) == 3


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"attributes": "military.veteran:released"}, "must-or-avoid"),
        ({"languages": "ru:native"}, "language"),
        ({"certifications": "NY/any/any/2020-01-01/2020-12-31"}, "certification"),
        ({"shifts": "mon 09:00-10:00"}, "off-shift"),
    ],
)
def test_no_hand_breaks_a_hard_rule(room, row, rule):
    """A supervisor is told which rule keeps somebody out, and nothing happens (P8)."""
    enroll(room, [a_row("zoe", **row)])
    wish = events_pb2.Preference(code="military.veteran", strength=events_pb2.STRENGTH_AVOID)
    submit(room, a_submission(preferences=[wish]))
    with pytest.raises(Refusal, match="hard-rule") as refused:
        by_hand(room, "zoe")
    assert refused.value.facts["rule"] == rule
    assert room.cases.case("ref_1").state == "unfilled" and load(room, "zoe") == 0


def test_nobody_is_assigned_by_hand_beyond_capacity_without_a_yes_or_by_another_programme(room):
    """Their capacity, their own yes and their own programme's lead: all three."""
    enroll(room, [a_row("zoe", capacity="1")])
    submit(room, a_submission(), a_submission("ref_2"))
    with pytest.raises(Refusal, match="specialist-not-asked"):
        by_hand(room, "zoe", has_agreed=False)
    with pytest.raises(Refusal, match="not-your-programme"):
        by_hand(room, "zoe", caller=Caller("ilse", "supervisor", "buffalo-peers"))
    by_hand(room, "zoe")
    with pytest.raises(Refusal, match="hard-rule") as refused:
        by_hand(room, "zoe", key="again", referral_id="ref_2")
    assert refused.value.facts["rule"] == "at-capacity"
    with pytest.raises(Refusal, match="not-waiting"):
        by_hand(room, "zoe", key="other")


def test_the_open_pool_is_seen_by_those_who_could_and_claimed_once(room, clock):
    """A silent specialist may still claim; who no hard rule lets in does not see it; the second claim is told so."""
    unfilled(room, clock, a_row("ana"), a_row("bo"), a_row("far", languages="ru:native"))
    seen = {
        who: [one.case.referral_id for one in handlers.pool(room, 50, specialist(who), CAUSE)]
        for who in ("ana", "bo", "far")
    }
    assert seen == {"ana": ["ref_1"], "bo": ["ref_1"], "far": []}
    assert handlers.pool(room, 50, specialist("ana", "buffalo-peers"), CAUSE) == []
    [lead_sees] = handlers.pool(room, 50, LEAD, CAUSE)
    assert lead_sees.candidate is None and sum(lead_sees.case.exclusions.values()) == 3
    offers = [claim(room, "ana") for _ in range(2)]
    assert offers[0] == offers[1] and load(room, "ana") == 1000
    with pytest.raises(Refusal, match="not-waiting"):
        claim(room, "bo")
    [chosen] = said(room, "assignment.chosen.v1")
    assert (chosen.how, chosen.specialist_id) == ("claim", "ana")
    assert handlers.pool(room, 50, specialist("bo"), CAUSE) == []


def test_whoever_looks_at_the_pool_or_a_caseload_is_on_record(room, clock):
    """One entry for the look, also where nothing was shown, and one for each person shown."""
    unfilled(room, clock, a_row("ana"), a_row("far", languages="ru:native"))
    for who in (specialist("ana"), specialist("far"), LEAD):
        handlers.pool(room, 50, who, CAUSE)
    assert looked(room) == {("record.read.v1", ""): 3, ("record.read.v1", "peer_ref_1"): 2}
    claim(room, "ana")
    handlers.caseload(room, "ana", False, LEAD, CAUSE)
    assert looked(room) == {("record.read.v1", ""): 4, ("record.read.v1", "peer_ref_1"): 3}


def test_a_claim_waits_for_those_who_are_being_asked(room):
    """While offers are out nobody jumps the queue."""
    enroll(room, [a_row(f"s{n}") for n in range(5)])
    submit(room, a_submission())
    with pytest.raises(Refusal, match="not-in-the-pool"):
        claim(room, "s4")


def test_an_unfilled_referral_is_put_to_whoever_comes_on_shift_or_is_free_again(room, clock):
    """Somebody full, somebody off shift: as soon as either could come they are asked, without anybody's help."""
    enroll(room, [a_row("full", capacity="1"), a_row("night", shifts="mon-sun 17:20-18:20")])
    submit(room, a_submission("ref_0"))
    accept(room, room.cases.case("ref_0"), "full")
    submit(room, a_submission())
    assert room.cases.case("ref_1").state == "unfilled"
    handlers.record_handoff(room, Recorded("ref_0", "h", "met", "phone"), specialist("full"), CAUSE)
    handlers.complete(room, "ref_0", "engaged", specialist("full"), CAUSE)
    clock.turn(timedelta(seconds=21))
    handlers.advance_due(room, CAUSE)
    assert [o.specialist_id for o in room.cases.case("ref_1").open_offers] == ["full"]
    decline(room, room.cases.case("ref_1"), "full")
    handlers.advance_due(room, CAUSE)
    clock.turn(timedelta(minutes=20))  # 22:20 UTC is 17:20 in New York
    handlers.advance_due(room, CAUSE)
    assert [o.specialist_id for o in room.cases.case("ref_1").open_offers] == ["night"]


def test_an_offer_ends_with_the_shift_and_the_next_best_is_asked(room, clock):
    """Nobody answers for a referral after their shift; another takes their place in the wave, until its deadline."""
    day = "mon-sun 08:00-17:02"  # ends two minutes after the referral comes
    enroll(room, [a_row("a", shifts=day), *[a_row(f"b{n}") for n in range(4)]])
    submit(room, a_submission())
    case = room.cases.case("ref_1")
    deadlines = {o.specialist_id: o.deadline_at - clock.now() for o in case.offers}
    assert deadlines == {"a": timedelta(minutes=2), "b0": WAVE, "b1": WAVE}
    clock.turn(timedelta(minutes=2))
    handlers.advance_due(room, CAUSE)
    after = room.cases.case("ref_1")
    assert [o.specialist_id for o in after.open_offers] == ["b0", "b1", "b2"] and after.wave == 1
    assert {o.deadline_at for o in after.open_offers} == {clock.now() + WAVE - timedelta(minutes=2)}
    assert "a" not in after.asked_ids


def test_who_became_full_is_asked_no_longer_and_the_next_best_is(room):
    """An acceptance that fills a caseload withdraws that specialist's other open offers within a second."""
    enroll(room, [a_row("busy", capacity="1"), *[a_row(f"b{n}", capacity="9") for n in range(5)]])
    submit(room, a_submission(), a_submission("ref_2", excluded_specialist_ids=["b0", "b1", "b2"]))
    handlers.follow_roster(room, CAUSE)
    offered = [n for n in ("ref_1", "ref_2") if "busy" in room.cases.case(n).asked_ids]
    if offered != ["ref_1", "ref_2"]:  # they spread: both must have been asked for this test to say anything
        submit(room, a_submission("ref_3", excluded_specialist_ids=[f"b{n}" for n in range(4)]))
        offered = ["ref_3", *offered]
    first, *others = offered
    assert others
    accept(room, room.cases.case(first), "busy")
    assert handlers.follow_roster(room, CAUSE) >= 1
    for other in others:
        open_ids = {o.specialist_id for o in room.cases.case(other).open_offers}
        assert open_ids and "busy" not in open_ids
    assert {m.reason_code for m in said(room, "offer.withdrawn.v1") if m.specialist_id == "busy"} == {
        "caseload-full"
    }


def test_a_profile_that_no_longer_fits_cannot_say_yes(room):
    """A hard rule that came true after the offer went out is not broken by a quick yes (P8)."""
    enroll(room, [a_row("rosa"), a_row("otto")])
    submit(room, a_submission())
    case = room.cases.case("ref_1")
    enroll(room, [a_row("rosa", languages="es:native")])
    with pytest.raises(Refusal, match="no-longer-fits"):
        accept(room, case, "rosa")
    handlers.follow_roster(room, CAUSE)
    assert {o.specialist_id for o in room.cases.case("ref_1").open_offers} == {"otto"}


def leaving(clock, minutes):
    leaves = Timestamp()
    leaves.FromDatetime(clock.now() + timedelta(minutes=minutes))
    return leaves


def test_a_visit_after_the_departure_becomes_a_call(room, clock):
    """The ER says "leaving at 22:10"; who promised 22:20 rings instead, at the time they said themselves."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "rosa", modality="bedside", minutes=20)
    promised = room.cases.case("ref_1").accepted_offer.promised_arrival_at
    revise(room, expected_departure_at=leaving(clock, 10))
    offer = room.cases.case("ref_1").accepted_offer
    assert (offer.modality, offer.step, offer.promised_arrival_at) == ("phone", "by-phone", promised)
    [updated] = said(room, "arrival.updated.v1")
    assert (updated.modality, updated.reason_code) == ("phone", "leaves-before-arrival")


def test_who_cannot_ring_and_would_be_late_is_told_to_the_supervisor(room, clock):
    """No promise is turned into a call that nobody can make: a person decides."""
    enroll(room, [a_row("rosa", modalities="bedside"), a_row("wanda", role="supervisor")])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "rosa", modality="bedside", minutes=20)
    revise(room, expected_departure_at=leaving(clock, 10))
    [overdue] = said(room, "arrival.overdue.v1")
    assert (overdue.reason_code, overdue.supervisor_id) == ("leaves-before-arrival", "wanda")


def test_nobody_promises_a_bedside_the_person_has_left(room, clock):
    """A visit after the expected departure is refused, and nothing is stored; a call is taken."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission(expected_departure_at=leaving(clock, 40)))
    case = room.cases.case("ref_1")
    with pytest.raises(Refusal, match="leaves-before-arrival"):
        accept(room, case, "rosa", modality="bedside", minutes=45)
    assert accept(room, case, "rosa", modality="phone", minutes=45).state == "assigned"


def test_the_way_is_on_record_and_an_arrival_nobody_heard_of_is_told_once(room, clock):
    """En route, late, there; a new time moves the watch; silence past it is told to the supervisor, once."""
    enroll(room, [a_row("rosa"), a_row("wanda", role="supervisor")])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "rosa", modality="bedside", minutes=20)
    rosa = specialist("rosa")
    for _ in range(2):
        handlers.report_arrival(room, Step("ref_1", "k1", "en-route"), rosa, CAUSE)
    with pytest.raises(Refusal, match="promise-missing"):
        handlers.report_arrival(room, Step("ref_1", "k2", "delayed"), rosa, CAUSE)
    later = clock.now() + timedelta(minutes=40)
    handlers.report_arrival(room, Step("ref_1", "k2", "delayed", later), rosa, CAUSE)
    clock.turn(timedelta(minutes=54))
    handlers.advance_due(room, CAUSE)
    assert said(room, "arrival.overdue.v1") == []
    for _ in range(3):
        clock.turn(timedelta(minutes=1))
        handlers.advance_due(room, CAUSE)
    [overdue] = said(room, "arrival.overdue.v1")
    assert (overdue.reason_code, overdue.supervisor_id) == ("not-heard-of", "wanda")
    handlers.report_arrival(room, Step("ref_1", "k3", "arrived"), rosa, CAUSE)
    assert [m.step for m in said(room, "arrival.updated.v1")] == ["en-route", "delayed", "arrived"]
    with pytest.raises(Refusal, match="already-arrived"):
        handlers.report_arrival(room, Step("ref_1", "k4", "en-route"), rosa, CAUSE)


@pytest.mark.parametrize("side", ["peer", "specialist"])
def test_either_side_may_wish_for_somebody_else_and_the_two_never_meet_again(room, side):
    """The load is given back, others are asked at once, and the pair stays apart in a later referral of the person."""
    enroll(room, [a_row("rosa"), *[a_row(f"s{n}") for n in range(3)]])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "rosa")
    for _ in range(2):
        handlers.request_rematch(
            room, Rematch("ref_1", "w", side, "prefer-not-to-say"), specialist("rosa"), CAUSE
        )
    after = room.cases.case("ref_1")
    assert (after.state, load(room, "rosa"), len(said(room, "rematch.requested.v1"))) == ("seeking", 0, 1)
    assert after.open_offers and "rosa" not in {o.specialist_id for o in after.open_offers}
    assert [m.reason_code for m in said(room, "assignment.ended.v1")] == ["rematch"]
    with pytest.raises(Refusal, match="hard-rule"):
        by_hand(room, "rosa")
    again = a_submission("ref_2")
    again.provenance.peer_id = "peer_ref_1"
    submit(room, again)
    assert "rosa" not in room.cases.case("ref_2").asked_ids


def test_after_the_first_meeting_a_new_match_goes_on_with_the_follow_up(room, clock):
    """What was planned stays planned, and who comes then is the one it is due for."""
    enroll(room, [a_row("rosa"), a_row("otto")])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "rosa")
    handlers.record_handoff(room, Recorded("ref_1", "h", "met", "phone"), specialist("rosa"), CAUSE)
    handlers.request_rematch(room, Rematch("ref_1", "w", "peer", "language"), specialist("rosa"), CAUSE)
    case = room.cases.case("ref_1")
    assert accept(room, case, "otto").state == "followed"
    [moved] = said(room, "case.moved.v1")
    assert (moved.from_specialist_id, moved.specialist_id, moved.reason_code) == ("", "otto", "rematch")
    assert (load(room, "rosa"), load(room, "otto")) == (0, 1000)
    clock.turn(timedelta(hours=25))
    handlers.advance_due(room, CAUSE)
    assert [m.specialist_id for m in said(room, "checkin.due.v1")] == ["otto"]


def followed(room):
    enroll(room, [a_row("rosa"), a_row("otto"), a_row("wanda", role="supervisor")])
    submit(room, a_submission())
    accept(room, room.cases.case("ref_1"), "rosa")
    handlers.record_handoff(room, Recorded("ref_1", "h", "met", "phone"), specialist("rosa"), CAUSE)


def test_a_case_moves_during_leave_when_both_the_peer_and_the_taker_agree(room):
    """Without the peer's word nobody is asked; until the taker's yes it stays; then the load goes with it."""
    followed(room)
    with pytest.raises(Refusal, match="peer-not-asked"):
        handlers.propose_move(room, Move("ref_1", "m", "", "vacation", False), specialist("rosa"), CAUSE)
    offers = [
        handlers.propose_move(room, Move("ref_1", "m", "", "vacation", True), specialist("rosa"), CAUSE)
        for _ in range(2)
    ]
    assert offers[0] == offers[1] and offers[0].specialist_id == "otto"
    [carried], standing = handlers.caseload(room, "rosa", True, LEAD, CAUSE)
    assert (carried.asked_id, carried.taker_ids, standing.load_milli) == ("otto", ("otto",), 1000)
    assert room.cases.case("ref_1").assigned_specialist_id == "rosa"
    moved = accept(room, room.cases.case("ref_1"), "otto", key="yes")
    assert (moved.state, moved.assigned_specialist_id) == ("followed", "otto")
    assert (load(room, "rosa"), load(room, "otto")) == (0, 1000)
    [event] = said(room, "case.moved.v1")
    assert (event.from_specialist_id, event.specialist_id, event.reason_code) == ("rosa", "otto", "vacation")
    assert len(said(room, "offer.accepted.v1")) == 1
    assert handlers.complete(room, "ref_1", "engaged", specialist("otto"), CAUSE).state == "closed"


def test_a_case_nobody_takes_over_stays_where_it_is(room, clock):
    """A no and a silence cost nothing: whoever carries it carries it, and somebody may be asked again."""
    followed(room)
    move = Move("ref_1", "m", "otto", "leave", True)
    handlers.propose_move(room, move, LEAD, CAUSE)
    with pytest.raises(Refusal, match="move-already-asked"):
        handlers.propose_move(room, Move("ref_1", "n", "otto", "leave", True), LEAD, CAUSE)
    clock.turn(timedelta(days=2))
    handlers.advance_due(room, CAUSE)
    case = room.cases.case("ref_1")
    assert (case.state, case.assigned_specialist_id, case.open_offers) == ("followed", "rosa", ())
    assert len(said(room, "offer.expired.v1")) == 1
    with pytest.raises(Refusal, match="carries-it-already"):
        handlers.propose_move(room, Move("ref_1", "o", "rosa", "leave", True), LEAD, CAUSE)


def test_a_caseload_is_for_its_own_programme(room):
    """Another specialist and another programme find nobody."""
    followed(room)
    for caller in (specialist("otto"), Caller("ilse", "supervisor", "buffalo-peers")):
        with pytest.raises(Refusal, match="specialist-unknown"):
            handlers.caseload(room, "rosa", False, caller, CAUSE)
    assert len(handlers.caseload(room, "", False, specialist("rosa"), CAUSE)[0]) == 1
