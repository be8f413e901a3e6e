"""Accepting and declining under races, on a real mongod with real threads (P3)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching import handlers
from tests.matching_room import CAUSE, a_room, a_row, a_submission, accept, decline, enroll, said, submit


def _race(acts):
    """Runs all acts at the same moment; their results, or the code of their refusal."""
    gate = threading.Barrier(len(acts))

    def run(act):
        gate.wait()
        try:
            return act()
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_of_sixty_four_simultaneous_acceptances_one_wins(mongo_uri, database, clock, tmp_path):
    """One offer is accepted, 63 specialists are told it is closed, one load rises, 63 offers are withdrawn (P3)."""
    with a_room(
        mongo_uri, database, clock, tmp_path / "keys", KINDRED_WAVE_SIZES="64", KINDRED_WAVE_SECONDS="300"
    ) as room:
        enroll(room, [a_row(f"s{n:02}") for n in range(64)])
        submit(room, a_submission())
        case = room.cases.case("ref_1")
        assert len(case.offers) == 64
        results = _race([lambda n=n: accept(room, case, f"s{n:02}") for n in range(64)])
        assert [type(r).__name__ for r in results].count("Case") == 1
        assert results.count("offer-already-closed") == 63
        after = room.cases.case("ref_1")
        winner = after.assigned_specialist_id
        loads = {d["_id"]: d["load_milli"] for d in room.database["caseloads"].find()}
        assert after.state == "assigned" and [i for i, load in loads.items() if load] == [winner]
        assert len(said(room, "offer.accepted.v1")) == 1 and len(said(room, "offer.withdrawn.v1")) == 63
        assert said(room, "offer.accepted.v1")[0].specialist_id == winner


def test_nobody_carries_more_than_their_capacity_in_any_race(room):
    """Ten referrals accepted at once by one specialist with room for three: three are theirs (P3)."""
    enroll(room, [a_row("busy", capacity="3")])
    submit(room, *[a_submission(f"ref_{n}") for n in range(10)])
    cases = [room.cases.case(f"ref_{n}") for n in range(10)]
    results = _race([lambda case=case: accept(room, case, "busy") for case in cases])
    assert results.count("at-capacity") == 7
    assert room.database["caseloads"].find_one({"_id": "busy"})["load_milli"] == 3000
    states = [room.cases.case(f"ref_{n}").state for n in range(10)]
    assert states.count("assigned") == 3 and states.count("seeking") == 7
    assert len(said(room, "offer.accepted.v1")) == 3


def test_a_retry_with_the_same_key_gets_the_same_answer(room):
    """A repeated acceptance says nothing new and adds no load; another key finds the offer closed."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission())
    case = room.cases.case("ref_1")
    first = accept(room, case, "rosa", key="one")
    results = _race([lambda: accept(room, case, "rosa", key="one").assigned_specialist_id for _ in range(8)])
    assert results == ["rosa"] * 8 and first.state == "assigned"
    assert len(said(room, "offer.accepted.v1")) == 1
    assert room.database["caseloads"].find_one({"_id": "rosa"})["load_milli"] == 1000
    with pytest.raises(Refusal, match="offer-already-closed"):
        accept(room, case, "rosa", key="two")


@pytest.mark.parametrize("other", [{"modality": "video"}, {"minutes": 90}])
def test_a_key_that_promised_something_else_is_no_retry(room, other):
    """The same key with another way or time is a conflict, and what was promised first stands."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission())
    first = accept(room, room.cases.case("ref_1"), "rosa", key="one")
    with pytest.raises(Refusal, match="idempotency-key-reused") as refused:
        accept(room, first, "rosa", key="one", **other)
    assert refused.value.kind is Kind.CONFLICT
    after = room.cases.case("ref_1").offers[0]
    assert (after.modality, after.promised_arrival_at) == ("phone", first.offers[0].promised_arrival_at)


def test_a_second_click_on_a_link_is_told_what_the_first_promised(room, clock):
    """The link counts minutes from the click: a later click is the same yes, not another one."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission())
    offer = room.cases.case("ref_1").offers[0]
    rosa = Caller("rosa", "specialist", "bronx-peers")
    promised = []
    for _ in range(2):
        at = room.clock.now() + timedelta(minutes=20)
        yes = handlers.Acceptance(offer.offer_id, "link:accept", at, "phone", is_click=True)
        promised.append(handlers.accept(room, yes, rosa, CAUSE).offer(offer.offer_id).promised_arrival_at)
        clock.turn(timedelta(seconds=3))
    assert promised[0] == promised[1]


def test_an_acceptance_and_the_expiry_never_both_win(room, clock):
    """At the deadline the timer and the specialist race: either assigned or expired, never both."""
    enroll(room, [a_row("rosa")])
    for n in range(12):
        submit(room, a_submission(f"ref_{n}"))
        case = room.cases.case(f"ref_{n}")
        clock.turn(timedelta(seconds=299) if n % 2 else timedelta(seconds=300))
        room.database["caseloads"].update_one({"_id": "rosa"}, {"$set": {"load_milli": 0}})
        _race(
            [lambda case=case: accept(room, case, "rosa", key="k"), lambda: handlers.advance_due(room, CAUSE)]
        )
        after = room.cases.case(f"ref_{n}")
        assert (after.state, after.offers[0].state) == (
            ("assigned", "accepted") if n % 2 else ("unfilled", "expired")
        )
        clock.turn(timedelta(seconds=5))


def test_an_acceptance_after_the_deadline_is_refused(room, clock):
    """The deadline holds even before the timer has noticed it."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission())
    clock.turn(timedelta(seconds=300))
    with pytest.raises(Refusal, match="offer-expired"):
        accept(room, room.cases.case("ref_1"), "rosa")


@pytest.mark.parametrize(
    ("modality", "minutes", "code"),
    [
        ("video-wall", 20, "modality-not-offered"),
        ("phone", -1, "promise-not-in-time"),
        ("phone", 60 * 24 * 8, "promise-not-in-time"),
    ],
)
def test_only_what_was_offered_can_be_promised(room, modality, minutes, code):
    """A way that was not offered and a time that is past or far away are refused, and nothing is stored."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission())
    with pytest.raises(Refusal, match=code):
        accept(room, room.cases.case("ref_1"), "rosa", minutes=minutes, modality=modality)
    assert room.cases.case("ref_1").state == "seeking"


def test_somebody_else_cannot_answer_for_a_specialist_but_their_programme_can(room):
    """Another specialist and another programme's coordinator are refused; their own coordinator may."""
    enroll(room, [a_row("rosa")])
    submit(room, a_submission())
    offer = room.cases.case("ref_1").offers[0]
    yes = handlers.Acceptance(offer.offer_id, "k", room.clock.now() + timedelta(minutes=5), "phone")
    no = handlers.Declining(offer.offer_id, "k", "busy")
    for caller in (
        Caller("otto", "specialist", "bronx-peers"),
        Caller("rosa", "specialist", "queens-peers"),
        Caller("rosa", "specialist", ""),
        Caller("c", "coordinator", "queens-peers"),
        Caller("n", "nurse", "bronx-peers"),
    ):
        with pytest.raises(Refusal, match="not-your-offer"):
            handlers.accept(room, yes, caller, CAUSE)
        with pytest.raises(Refusal, match="not-your-offer"):
            handlers.decline(room, no, caller, CAUSE)
    assert handlers.accept(room, yes, Caller("c", "coordinator", "bronx-peers"), CAUSE).state == "assigned"
    assert said(room, "offer.accepted.v1")[0].provenance.actor_id == "c"


def test_a_decline_is_said_once_and_an_unknown_reason_is_refused(room):
    """The reason is one of a closed list; the same decline again says nothing new."""
    enroll(room, [a_row("rosa"), a_row("otto")])
    submit(room, a_submission())
    case = room.cases.case("ref_1")
    with pytest.raises(Refusal, match="reason-unknown"):
        decline(room, case, "rosa", reason="did not like the name")
    decline(room, case, "rosa", reason="too-far")
    decline(room, case, "rosa", reason="too-far")
    assert [e.reason_code for e in said(room, "offer.declined.v1")] == ["too-far"]
    with pytest.raises(Refusal, match="offer-already-closed"):
        accept(room, case, "rosa")


def test_an_offer_nobody_made_is_not_found(room):
    """An unknown offer is NOT_FOUND, for everybody alike."""
    yes = handlers.Acceptance("off_nothing", "k", room.clock.now(), "phone")
    with pytest.raises(Refusal, match="offer-unknown"):
        handlers.accept(room, yes, Caller("rosa", "specialist", "bronx-peers"), CAUSE)
