"""Notices on their way to a real SMTP server that is well, slow, full, rude or gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis import settings as chassis_settings
from chassis.clock import SystemClock
from chassis.errors import Kind, Refusal
from services.notifications import handlers
from services.notifications.bootstrap import build_room, prepare
from services.notifications.settings import Settings
from tests.integration.notifications.driving_notices import (
    a_card,
    an_offer,
    notices,
    said,
    settled,
    told,
    until,
)


@pytest.fixture
def room(environ):
    room = build_room(chassis_settings.read(Settings, environ))
    prepare(room)
    handlers.keep_contacts(room, [a_card("sp_ines", "ines@example.org", "es", "America/Chicago")])
    yield room
    room.sending.stop()


def test_an_offer_reaches_its_specialist_once(room, far_side):
    """One offer, heard three times: one e-mail, in the specialist's language and zone, and one notice.sent."""
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    settled(room, "sent")
    handlers.tell(room, told(an_offer()))
    handlers.tell(room, told(an_offer(), an_offer()))
    [taken] = far_side.taken
    assert taken.recipient == "ines@example.org"
    assert taken.message["Content-Language"] == "es"
    assert (
        "https://answers.example.org/answer/tok-secret-1" in taken.message.get_body(("plain",)).get_content()
    )
    [event] = said(room)
    assert (event.notice_id, event.attempt, event.is_possible_repeat) == (taken.notice_id, 1, False)
    assert event.provenance.peer_id == "peer_1"
    [document] = notices(room)
    assert (document["outbox"][0]["correlation_id"], document["outbox"][0]["causation_id"]) == (
        "cor_off_1",
        "evt_off_1",
    )


def test_connections_are_reused(room, far_side):
    """Many notices travel over as many connections as there are senders, not one each."""
    handlers.tell(room, told(*[an_offer(f"off_{n}") for n in range(40)]))
    room.sending.start()
    settled(room, "sent", 40)
    assert len({taken.notice_id for taken in far_side.taken}) == len(far_side.taken) == 40
    assert len({taken.connection for taken in far_side.taken}) <= 4


@pytest.mark.parametrize("fault", ["451-rcpt", "451-data", "421-data", "drop-rcpt"])
def test_not_now_is_tried_again_without_a_mark(room, far_side, fault):
    """A server that says "not now", or goes before it has the text, hears again later, without a mark."""
    far_side.faults.append(fault)
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    [document] = settled(room, "sent")
    assert not any(attempt["is_possible_repeat"] for attempt in document["attempts"])
    assert len(far_side.accepted()) == 1


@pytest.mark.parametrize("fault", ["550-rcpt", "550-data"])
def test_a_refused_notice_is_dead_and_said(room, far_side, fault):
    """A 5xx is final: no second try, and notice.failed names the reason."""
    far_side.faults.append(fault)
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    [document] = settled(room, "dead")
    assert [(attempt["outcome"], attempt["reply_code"]) for attempt in document["attempts"]] == [
        ("refused", 550)
    ]
    assert [event.reason_code for event in said(room)] == ["refused-by-far-side"]
    handlers.tell(room, told(an_offer("off_2")))
    settled(room, "sent")


@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_a_server_that_took_the_text_and_never_answered_gets_a_marked_repeat(room, far_side, fault):
    """When nobody knows whether the far side took it, it is sent again with the same Message-ID, marked (P4)."""
    far_side.faults.append(fault)
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    [document] = settled(room, "sent")
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["unknown", "accepted"]
    first, second = far_side.taken
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert (first.is_marked_as_repeat, second.is_marked_as_repeat) == (False, True)
    assert [(event.attempt, event.is_possible_repeat) for event in said(room)] == [(2, True)]


def test_one_hanging_send_stops_only_its_own_sender(room, far_side):
    """While one sender waits for a silent server the others carry on, and what waited behind it goes out unmarked."""
    far_side.faults.append("hang")
    handlers.tell(room, told(*[an_offer(f"off_{n}") for n in range(12)]))
    room.sending.start()
    until("the others are through", lambda: len(far_side.taken) >= 9)
    until("what they sent is settled", lambda: len(notices(room, "sent")) >= 5)
    settled(room, "sent", 12)
    unknown = {row["_id"] for row in room.database.notices.find({"attempts.outcome": "unknown"})}
    assert {taken.notice_id for taken in far_side.taken if taken.is_marked_as_repeat} == unknown
    assert far_side.taken[0].notice_id in unknown


def test_a_server_that_is_away_is_waited_for(room, far_side):
    """With nobody listening the notice stays due; once the server is back it is sent, unmarked."""
    far_side.stop()
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    until("a failed attempt", lambda: [n for n in notices(room) if n["attempts"] and n["state"] == "due"])
    far_side.start()
    [document] = settled(room, "sent")
    assert document["attempts"][0]["outcome"] == "unreachable"
    assert not document["attempts"][-1]["is_possible_repeat"]


def test_a_kept_connection_that_died_costs_no_attempt(room, far_side):
    """A server that closed an idle connection is reached again at once, within the same attempt."""
    room.sending.start()
    handlers.tell(room, told(*[an_offer(f"off_{n}") for n in range(20)]))
    settled(room, "sent", 20)
    far_side.stop()
    far_side.start()
    handlers.tell(room, told(*[an_offer(f"off_later_{n}") for n in range(20)]))
    assert all(len(document["attempts"]) == 1 for document in settled(room, "sent", 40))


def test_a_deadline_that_passed_is_not_mailed(room, far_side):
    """A notice that was due and could not go out before the deadline is never sent; the failure is said."""
    offer = an_offer(minutes=0.01)
    handlers.tell(room, told(offer))
    until("the deadline passes", lambda: room.clock.now() >= offer.deadline_at)
    room.sending.start()
    settled(room, "dead")
    assert [event.reason_code for event in said(room)] == ["expired"]
    assert far_side.taken == []


def test_an_offer_before_its_specialist_waits(room, far_side):
    """An offer for somebody not known yet is retried; the others of its batch are stored, and the next try succeeds."""
    batch = told(an_offer("off_early", "sp_new"), an_offer("off_known"))
    with pytest.raises(Refusal) as refusal:
        handlers.tell(room, batch)
    assert refusal.value.kind is Kind.TOO_EARLY
    assert [document["offer_id"] for document in notices(room)] == ["off_known"]
    handlers.keep_contacts(room, [a_card("sp_new", "nia@example.org")])
    handlers.tell(room, batch)
    room.sending.start()
    settled(room, "sent", 2)
    assert {taken.recipient for taken in far_side.taken} == {"ines@example.org", "nia@example.org"}


def test_a_contact_that_never_comes_is_said(room):
    """After ten minutes, or at the deadline, an unknown recipient makes a dead notice, not an endless retry."""
    old = SystemClock().now() - timedelta(minutes=11)
    handlers.tell(room, told(an_offer(specialist_id="sp_ghost", minutes=60, happened_at=old)))
    assert [event.reason_code for event in said(room)] == ["no-address"]


def test_an_offer_closed_before_its_notice_went_out_is_never_sent(room, far_side):
    """Withdrawn while due: cancelled, nobody is mailed, also not about the withdrawal."""
    handlers.tell(room, told(an_offer()))
    handlers.close_offers(room, told(an_offer(event="offer.withdrawn.v1")))
    room.sending.start()
    handlers.tell(room, told(an_offer("off_2")))
    settled(room, "sent")
    [document] = notices(room, "cancelled")
    assert (document["reason_code"], "sealed_link" in document, "due_at" in document) == (
        "offer-closed",
        False,
        False,
    )
    assert len(far_side.taken) == 1


@pytest.mark.parametrize("event", ["offer.withdrawn.v1", "offer.accepted.v1", "offer.declined.v1"])
def test_an_offer_heard_after_its_end_is_never_sent(room, far_side, event):
    """Reordered events: the end comes first, and the late offer.made opens nothing."""
    handlers.close_offers(room, told(an_offer(event=event)))
    handlers.tell(room, told(an_offer()))
    assert [document["state"] for document in notices(room)] == ["cancelled"]
    assert far_side.taken == []


def test_who_heard_of_an_offer_hears_that_it_closed(room, far_side):
    """Withdrawn after the e-mail went out: one more e-mail says so, once."""
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    settled(room, "sent")
    for _ in range(3):
        handlers.close_offers(room, told(an_offer(event="offer.withdrawn.v1")))
    settled(room, "sent", 2)
    assert [taken.message["Subject"] for taken in far_side.taken][1] == "Ya no hace falta que responda"


def test_who_answered_hears_nothing_more(room, far_side):
    """An accepted or declined offer makes no further notice for its specialist."""
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    settled(room, "sent")
    handlers.close_offers(room, told(an_offer(event="offer.accepted.v1")))
    assert len(notices(room)) == 1


def test_a_destroyed_key_silences(room, environ, far_side):
    """After a person's key is destroyed nothing is sent to them, also not what was queued."""
    handlers.tell(room, told(an_offer()))
    assert room.vault.erase("sp_ines")
    other = build_room(chassis_settings.read(Settings, environ))
    other.sending.start()
    settled(room, "dead")
    other.sending.stop()
    assert [event.reason_code for event in said(room)] == ["no-address"]
    assert far_side.taken == []


def test_stopping_gives_back_what_was_not_begun(room, far_side):
    """A clean stop leaves no notice waiting for a lease: another worker may have it at once."""
    far_side.faults.extend(["hang"] * 4)
    handlers.tell(room, told(*[an_offer(f"off_{n}") for n in range(16)]))
    room.sending.start()
    until("four hanging", lambda: len(far_side.taken) == 4)
    far_side.release.set()
    room.sending.stop()
    now = SystemClock().now()
    assert all(document["due_at"] <= now for document in notices(room, "due"))
    assert len(notices(room, "due")) + len(notices(room, "sent")) == 16


def test_two_workers_share_the_work_and_send_nothing_twice(room, environ, far_side):
    """Two processes' worth of senders on one database: every notice once, none marked."""
    other = build_room(chassis_settings.read(Settings, environ))
    handlers.tell(room, told(*[an_offer(f"off_{n}") for n in range(60)]))
    room.sending.start()
    other.sending.start()
    settled(room, "sent", 60)
    other.sending.stop()
    assert len({taken.notice_id for taken in far_side.taken}) == len(far_side.taken) == 60
    assert not any(taken.is_marked_as_repeat for taken in far_side.taken)


def test_a_stopped_referral_is_silenced_also_what_is_queued_and_what_comes_late(room, far_side):
    """P7: nothing that is due goes out after the stop, and nothing that is told later; another referral is not hurt."""
    handlers.tell(room, told(an_offer("off_1"), an_offer("off_2")))
    handlers.stop(room, "ref_0192f3aa7b31", "consent-revoked")
    handlers.tell(room, told(an_offer("off_3"), an_offer("off_4", referral_id="ref_other")))
    room.sending.start()
    room.sending.ring()
    settled(room, "cancelled", 3)
    settled(room, "sent", 1)
    assert [taken.recipient for taken in far_side.taken] == ["ines@example.org"]
    assert {row["reason_code"] for row in notices(room, "cancelled")} == {"referral-stopped"}


def test_whoever_was_asked_hears_that_a_stopped_request_is_over(room, far_side):
    """After the stop a specialist still hears that they need not answer, or need not come; once each."""
    room.sending.start()
    handlers.tell(room, told(an_offer("off_1"), an_offer("off_2")))
    settled(room, "sent", 2)
    handlers.stop(room, "ref_0192f3aa7b31", "cancelled")
    over = [
        an_offer("off_1", event="offer.withdrawn.v1", link_token="", deadline_at=None),
        an_offer("off_2", event="assignment.ended.v1", link_token="", deadline_at=None),
    ]
    handlers.close_offers(room, told(over[0]))
    for _ in range(2):
        handlers.tell(room, told(over[1]))
    settled(room, "sent", 4)
    subjects = [taken.message["Subject"] for taken in far_side.taken[2:]]
    assert sorted(subjects) == ["Ya no hace falta que responda", "Ya no hace falta que vaya"]
