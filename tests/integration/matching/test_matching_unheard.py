"""Offers of which nobody heard, and a no that says why, on a real mongod: who is asked then, and who never again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.envelope import Cause, Envelope
from chassis.errors import Refusal
from chassis.hearing import Heard
from chassis.identity import Caller
from kindred.notifications.v1.events_pb2 import NoticeFailed
from services.matching import handlers
from services.matching.worker import Worker
from tests.matching_room import CAUSE, a_row, a_submission, decline, enroll, said, submit


def _people(count, **columns):
    return [a_row(f"s{n:02}", **columns) for n in range(count)]


def _failed(room, offer, reason_code="no-address", intent="offer-made", event_id="evt_failed"):
    """Matching's worker hears that the notice of this offer was given up."""
    message = NoticeFailed(
        intent=intent,
        offer_id=offer.offer_id,
        referral_id="ref_1",
        recipient_id=offer.specialist_id,
        reason_code=reason_code,
    )
    envelope = Envelope.__new__(Envelope)
    Worker(room).on_notice_failed(Heard(envelope, message, Cause("req_1", event_id), False))


def _asked(room):
    return [o.specialist_id for o in room.cases.case("ref_1").open_offers]


def test_the_next_best_is_asked_where_an_offer_never_arrived(room, clock):
    """Within one look of the clock, for as long as the wave stands, and the same event again asks nobody more."""
    enroll(room, _people(5))
    submit(room, a_submission())
    first = room.cases.case("ref_1").offers[0]
    clock.turn(timedelta(seconds=20))
    _failed(room, first)
    _failed(room, first)
    handlers.advance_due(room, CAUSE)
    case = room.cases.case("ref_1")
    assert _asked(room) == ["s01", "s02", "s03"] and case.wave == 1
    assert (case.offers[0].state, case.offers[0].reason_code) == ("expired", "not-delivered")
    assert case.offers[3].deadline_at == case.offers[1].deadline_at
    assert [e.offer_id for e in said(room, "offer.expired.v1")] == [first.offer_id]
    _failed(room, first, event_id="evt_said_again")
    handlers.advance_due(room, CAUSE)
    assert _asked(room) == ["s01", "s02", "s03"]


def test_where_no_offer_arrived_the_next_wave_does_not_wait(room, clock):
    """Three addresses that are none cost seconds, not five minutes."""
    enroll(room, _people(4))
    submit(room, a_submission())
    for offer in room.cases.case("ref_1").offers:
        _failed(room, offer, "do-not-contact", event_id=f"evt_{offer.offer_id}")
    handlers.advance_due(room, CAUSE)
    case = room.cases.case("ref_1")
    assert (case.wave, _asked(room)) == (2, ["s03"])


@pytest.mark.parametrize(
    ("reason_code", "intent"), [("fate-unknown", "offer-made"), ("no-address", "offer-withdrawn")]
)
def test_who_may_have_heard_keeps_their_time(room, reason_code, intent):
    """Where nobody can say whether it arrived, they may be about to answer; other notices are no offers."""
    enroll(room, _people(5))
    submit(room, a_submission())
    _failed(room, room.cases.case("ref_1").offers[0], reason_code, intent)
    handlers.advance_due(room, CAUSE)
    assert _asked(room) == ["s00", "s01", "s02"]


def test_who_knows_the_person_is_never_brought_to_them_again(room):
    """A no with this reason is a never for this person, in every referral of theirs; what is said of it names nobody."""
    enroll(room, _people(2))
    submit(room, a_submission())
    case = room.cases.case("ref_1")
    again = a_submission("ref_2")
    again.provenance.peer_id = "peer_ref_1"
    submit(room, again)
    decline(room, case, "s00", reason="know-each-other")
    decline(room, case, "s00", reason="know-each-other")
    (changed,) = said(room, "specialist.changed.v1")
    assert (changed.what, changed.provenance.peer_id) == ("kept-apart", "")
    assert "peer_ref_1" not in str(room.database["specialists"].find_one({"_id": "s00"}))
    handlers.follow_roster(room, CAUSE)
    assert [o.specialist_id for o in room.cases.case("ref_2").open_offers] == ["s01"]
    third = a_submission("ref_3")
    third.provenance.peer_id = "peer_ref_1"
    submit(room, third, a_submission("ref_4"))
    assert "s00" not in room.cases.case("ref_3").asked_ids
    assert "s00" in room.cases.case("ref_4").asked_ids


def test_only_whose_offer_it_is_says_that_they_know_each_other(room):
    """Nobody keeps two others apart, and nothing of it is stored where a no is refused."""
    enroll(room, _people(1))
    submit(room, a_submission())
    offer = room.cases.case("ref_1").offers[0]
    no = handlers.Declining(offer.offer_id, "k", "know-each-other")
    with pytest.raises(Refusal, match="not-your-offer"):
        handlers.decline(room, no, Caller("s01", "specialist", "bronx-peers"), CAUSE)
    assert not said(room, "specialist.changed.v1")
