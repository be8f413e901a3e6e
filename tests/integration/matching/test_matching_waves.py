"""Waves of offers on a real mongod with a turned clock: expiry, the ladder, its end."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Refusal
from chassis.identity import Caller
from chassis.sealing import PrivateSeal
from kindred.intake.v1 import events_pb2
from services.matching import handlers
from services.matching.ranking import RosterIndex
from services.matching.watching import RosterWatch
from tests.matching_room import (
    CAUSE,
    SYSTEM,
    a_row,
    a_submission,
    accept,
    decline,
    enroll,
    looked,
    said,
    submit,
)

WAVE = timedelta(seconds=300)


def _people(count, **columns):
    return [a_row(f"s{n:02}", **columns) for n in range(count)]


def test_the_best_three_have_an_offer_each_with_a_deadline(room, clock):
    """A submitted referral is offered to three, in the same write as its case, until five minutes from now."""
    enroll(room, _people(5))
    submit(room, a_submission())
    case = room.cases.case("ref_1")
    made = said(room, "offer.made.v1")
    assert case.state == "seeking" and case.wave == 1
    assert [offer.specialist_id for offer in case.offers] == ["s00", "s01", "s02"]
    assert {m.deadline_at.ToDatetime(tzinfo=clock.now().tzinfo) for m in made} == {clock.now() + WAVE}
    assert {m.provenance.peer_id for m in made} == {"peer_ref_1"} and {m.urgency for m in made} == {
        "immediate"
    }


def test_the_link_reaches_only_notifications_and_is_not_stored(room, tmp_path):
    """The token of an offer's link opens with notifications' key alone; the database holds its SHA-256."""
    enroll(room, _people(1))
    submit(room, a_submission())
    [made] = said(room, "offer.made.v1")
    private = PrivateSeal.from_dir(tmp_path / "keys", "notifications")
    token = private.unseal(made.sealed_link_token, f"offer-link:{made.offer_id}")
    stored = room.database["cases"].find_one({})["offers"][0]
    assert stored["token_sha256"] == hashlib.sha256(token).digest()
    assert len(token) >= 43 and token not in repr(room.database["cases"].find_one({})).encode()


def test_a_referral_heard_twice_has_one_case(room):
    """The same event again, even in the same batch, makes no second case and no second offer."""
    enroll(room, _people(5))
    submit(room, a_submission(), a_submission())
    submit(room, a_submission())
    assert len(said(room, "offer.made.v1")) == 3


def test_silence_leads_to_the_next_wave_and_then_to_the_supervisor(room, clock):
    """After five silent minutes five others are asked; after five more the nearest supervisor is told."""
    enroll(
        room,
        [
            *_people(7),
            a_row("far", role="supervisor", programme_id="buffalo-peers", zip="14203"),
            a_row("near", role="supervisor", zip="10451"),
        ],
    )
    submit(room, a_submission())
    assert handlers.advance_due(room, CAUSE) == 0
    clock.turn(WAVE)
    assert handlers.advance_due(room, CAUSE) == 1
    case = room.cases.case("ref_1")
    assert case.wave == 2 and [o.specialist_id for o in case.open_offers] == ["s03", "s04", "s05", "s06"]
    assert [o.state for o in case.offers[:3]] == ["expired"] * 3
    clock.turn(WAVE)
    handlers.advance_due(room, CAUSE)
    escalated = said(room, "referral.escalated.v1")
    assert [(e.wave, e.is_exhausted, e.reason_code) for e in escalated] == [
        (2, False, "wave-unanswered"),
        (0, True, "ladder-exhausted"),
    ]
    assert escalated[1].supervisor_id == "near"
    assert room.cases.case("ref_1").state == "unfilled"
    assert len(said(room, "offer.expired.v1")) == 7
    clock.turn(WAVE * 10)
    assert handlers.advance_due(room, CAUSE) == 1  # looked at again, and nobody new is there
    assert len(said(room, "offer.made.v1")) == 7 and len(said(room, "referral.escalated.v1")) == 2


def test_when_everybody_declined_the_next_wave_does_not_wait_for_the_deadline(room):
    """Three fast refusals lead to the next wave at once."""
    enroll(room, _people(4))
    submit(room, a_submission())
    for specialist_id in ("s00", "s01"):
        decline(room, room.cases.case("ref_1"), specialist_id)
    assert handlers.advance_due(room, CAUSE) == 0
    decline(room, room.cases.case("ref_1"), "s02")
    assert handlers.advance_due(room, CAUSE) == 1
    assert [o.specialist_id for o in room.cases.case("ref_1").open_offers] == ["s03"]


def test_declining_costs_nothing(room, clock):
    """A specialist who declined is ranked for the next referral exactly as before."""
    enroll(room, _people(3))
    submit(room, a_submission())
    before = room.cases.case("ref_1").offers
    for offer in before:
        decline(room, room.cases.case("ref_1"), offer.specialist_id)
    submit(room, a_submission("ref_2"))
    after = room.cases.case("ref_2").offers
    assert [(o.specialist_id, o.terms) for o in after] == [(o.specialist_id, o.terms) for o in before]


def test_nobody_eligible_is_said_at_once_with_the_reasons_counted(room):
    """Where nobody fits in any wave the referral is unfilled immediately, and each rule says how many it kept out."""
    enroll(
        room,
        [
            a_row("a", certifications="NJ/any/any/2026-01-01/2026-12-31"),
            a_row("b", languages="ht:native"),
            a_row("boss", role="supervisor"),
        ],
    )
    submit(room, a_submission(), a_submission("ref_2"))
    case = room.cases.case("ref_1")
    assert case.state == "unfilled" and case.offers == ()
    assert case.exclusions == {"certification": 1, "language": 1}
    [first, second] = said(room, "referral.escalated.v1")
    assert first.is_exhausted and first.reason_code == "nobody-eligible" and first.supervisor_id == "boss"
    assert second.referral_id == "ref_2"


def test_an_empty_roster_still_answers(room):
    """Without anybody in the roster the referral is unfilled, with nobody to tell."""
    submit(room, a_submission())
    assert room.cases.case("ref_1").state == "unfilled"
    assert said(room, "referral.escalated.v1")[0].supervisor_id == ""


def test_a_wider_wave_reaches_by_phone_whom_the_first_could_not(room):
    """Nobody can come to the bedside: the phone is offered at once, as the second wave."""
    enroll(room, [a_row("caller", modalities="phone")])
    submit(room, a_submission(modalities=["bedside"]))
    case = room.cases.case("ref_1")
    assert case.wave == 2 and case.open_offers[0].ways == {"phone"}
    assert said(room, "referral.escalated.v1")[0].reason_code == "nobody-eligible"


def test_a_must_and_an_avoid_hold_in_every_wave(room, clock):
    """Rather unfilled than against a must, an avoid or a safety exclusion (P8)."""
    enroll(
        room,
        [
            a_row("wrong", attributes="gender.man:released"),
            a_row(
                "secret",
                attributes="gender.woman:released;faith.christian.catholic:private",
                agrees_to_private_use="yes",
            ),
            a_row("known", attributes="gender.woman:released"),
            a_row("right", attributes="gender.woman:released"),
        ],
    )
    wishes = [
        events_pb2.Preference(code="gender.woman", strength=events_pb2.STRENGTH_MUST),
        events_pb2.Preference(code="faith", strength=events_pb2.STRENGTH_AVOID),
    ]
    submit(room, a_submission(preferences=wishes, excluded_specialist_ids=["known"]))
    for _ in range(3):
        clock.turn(WAVE)
        handlers.advance_due(room, CAUSE)
    case = room.cases.case("ref_1")
    assert case.asked_ids == {"right"} and case.state == "unfilled"


@pytest.mark.parametrize("avoided", ["gender.man", "gender.woman", "gender"])
def test_a_specialist_who_keeps_their_gender_private_is_never_offered_to_somebody_who_avoids_a_gender(
    room, clock, avoided
):
    """A specialist who keeps their gender private is never offered to somebody who avoids a gender (P8)."""
    enroll(
        room,
        [
            a_row("quiet-man", attributes="gender.man:private;overdose:released"),
            a_row("quiet-woman", attributes="gender.woman:private", agrees_to_private_use="no"),
            a_row("untold", attributes="overdose:released"),
        ],
    )
    wishes = [events_pb2.Preference(code=avoided, strength=events_pb2.STRENGTH_AVOID)]
    submit(room, a_submission(preferences=wishes), a_submission("ref_2"))
    assert room.cases.case("ref_2").asked_ids == {"quiet-man", "quiet-woman", "untold"}
    for _ in range(3):
        clock.turn(WAVE)
        handlers.advance_due(room, CAUSE)
    case = room.cases.case("ref_1")
    assert case.asked_ids == {"untold"} and case.state == "unfilled"
    assert case.exclusions == {"already-asked": 1, "must-or-avoid": 2}


def test_an_index_that_has_not_seen_what_was_withheld_since_makes_no_offer(room):
    """The index proposes by the old row; the store's row withholds the gender by now, and no offer goes out (P8)."""
    enroll(room, [a_row("rosa", attributes="gender.woman:released")])
    room.roster_watch.refresh()
    row = {"released": [], "private": [], "withheld": ["gender"]}
    room.database["specialists"].update_one({"_id": "rosa"}, {"$set": row})
    wishes = [events_pb2.Preference(code="gender.man", strength=events_pb2.STRENGTH_AVOID)]
    submit(room, a_submission(preferences=wishes))
    assert room.cases.case("ref_1").offers == ()


def test_what_changed_since_the_index_was_read_stops_an_offer(room):
    """A stale index proposes a specialist who is full by now; the store's word decides and they get no offer."""
    enroll(room, _people(2))
    room.roster_watch.refresh()
    room.database["caseloads"].update_one({"_id": "s00"}, {"$set": {"load_milli": 3000}})
    submit(room, a_submission())
    assert [o.specialist_id for o in room.cases.case("ref_1").offers] == ["s01"]


def test_no_offer_outlives_the_consent(room, clock):
    """An offer stands no longer than the consent, and none is made after it (42 CFR 2.31)."""
    enroll(room, _people(8))
    ends = Timestamp()
    ends.FromDatetime(clock.now() + timedelta(seconds=90))
    submit(room, a_submission(consent_expires_at=ends))
    case = room.cases.case("ref_1")
    assert {o.deadline_at for o in case.offers} == {clock.now() + timedelta(seconds=90)}
    clock.turn(timedelta(seconds=91))
    with pytest.raises(Refusal, match="offer-expired"):
        accept(room, case, "s00")
    handlers.advance_due(room, CAUSE)
    assert room.cases.case("ref_1").state == "unfilled"
    assert said(room, "referral.escalated.v1")[0].reason_code == "consent-expired"


def test_a_row_of_a_roster_is_ranked_within_the_next_look(room):
    """A specialist enrolled after the index was loaded is found by the next referral."""
    submit(room, a_submission())
    enroll(room, _people(1))
    submit(room, a_submission("ref_2"))
    assert room.cases.case("ref_2").asked_ids == {"s00"}


def test_each_role_sees_only_what_it_may(room):
    """Specialists see their own offer, programmes theirs, the source the state without the offers, others nothing.

    Each look and each refusal is written down before the answer.
    """
    enroll(room, [a_row("a"), a_row("b", programme_id="queens-peers")])
    submit(room, a_submission())

    def seen_by(actor_id, role, organization_id):
        caller = Caller(actor_id, role, organization_id)
        return [o.specialist_id for o in handlers.read_case(room, "ref_1", caller, CAUSE)[1]]

    assert seen_by("a", "specialist", "bronx-peers") == ["a"]
    assert seen_by("c", "coordinator", "queens-peers") == ["b"]
    assert seen_by("nurse-17", "nurse", "st-brigid") == []
    for actor, role, organization in (("z", "specialist", "bronx-peers"), ("nurse-9", "nurse", "elsewhere")):
        with pytest.raises(Refusal, match="case-unknown") as told:
            seen_by(actor, role, organization)
        with pytest.raises(Refusal, match="case-unknown") as of_nothing:
            room.cases.case("ref_nobody_knows")
        assert told.value.message == of_nothing.value.message
    assert looked(room) == {("record.read.v1", "peer_ref_1"): 3, ("access.denied.v1", ""): 2}
    listed = handlers.list_offers(room, "", "", True, Caller("b", "specialist", "queens-peers"), cause=CAUSE)
    assert [(case.referral_id, offer.specialist_id) for case, offer in listed] == [("ref_1", "b")]
    of_another = Caller("b", "specialist", "bronx-peers")
    assert handlers.list_offers(room, "", "", True, of_another, cause=CAUSE) == []
    assert handlers.list_offers(room, "", "ref_1", True, of_another, cause=CAUSE) == []
    with pytest.raises(Refusal, match="not-your-offer"):
        handlers.list_offers(room, "a", "", True, Caller("b", "specialist", "queens-peers"), cause=CAUSE)
    assert SYSTEM.role == "system"


def test_referrals_that_come_together_spread_over_the_specialists(room):
    """Twelve equal referrals at once, or one after another, do not all ask the same three of twelve equal people."""
    enroll(room, _people(12))
    submit(room, *[a_submission(f"ref_{n}") for n in range(8)])
    for n in range(8, 12):
        submit(room, a_submission(f"ref_{n}"))
    asked = Counter(o.specialist_id for n in range(12) for o in room.cases.case(f"ref_{n}").offers)
    assert set(asked.values()) == {3} and len(asked) == 12


def test_an_open_offer_makes_nobody_unreachable(room):
    """Somebody with more open offers than room is still asked when there is nobody else, and free again afterwards."""
    enroll(room, [a_row("rosa", capacity="1")])
    submit(room, *[a_submission(f"ref_{n}") for n in range(3)])
    assert all(room.cases.case(f"ref_{n}").asked_ids == {"rosa"} for n in range(3))
    assert room.roster_watch.open_milli("rosa") == 3000
    for n in range(3):
        decline(room, room.cases.case(f"ref_{n}"), "rosa")
    room.roster_watch.refresh()
    assert room.roster_watch.open_milli("rosa") == 0


def test_a_worker_that_starts_knows_the_open_offers_of_the_others(room):
    """What is open is counted from the store, so a second worker ranks like the first."""
    enroll(room, _people(3))
    submit(room, a_submission())
    second = RosterWatch(room.roster, room.cases, RosterIndex(list(room.taxonomy.attributes)), room.clock)
    second.refresh()
    room.roster_watch.refresh()
    assert [second.open_milli(f"s{n:02}") for n in range(3)] == [1000] * 3
    assert [room.roster_watch.open_milli(f"s{n:02}") for n in range(3)] == [1000] * 3
