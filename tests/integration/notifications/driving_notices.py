"""Happenings to tell of, and what became of their notices."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

from chassis.clock import SystemClock
from chassis.envelope import Cause
from kindred.notifications.v1.events_pb2 import NoticeFailed, NoticeSent
from services.notifications.domain.contacts import Card, Contact
from services.notifications.domain.intents import Happening


def a_card(person_id, address, language="en", zone="UTC", revision=1):
    contact = Contact(address, language, zone)
    return Card(f"specialist-contact:{person_id}", person_id, revision, contact)


def an_offer(offer_id="off_1", specialist_id="sp_ines", minutes=5.0, **changes):
    now = SystemClock().now()
    happening = Happening(
        event="offer.made.v1",
        happened_at=now,
        referral_id="ref_0192f3aa7b31",
        recipient_id=specialist_id,
        contact_id=f"specialist-contact:{specialist_id}",
        offer_id=offer_id,
        deadline_at=now + timedelta(minutes=minutes),
        urgency="immediate",
        peer_id="peer_1",
        link_token="tok-secret-1",
    )
    return replace(happening, **changes)


def told(*happenings):
    return [
        (happening, Cause(f"cor_{happening.offer_id}", f"evt_{happening.offer_id}"))
        for happening in happenings
    ]


def until(what, ask, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)
    return answer


def notices(room, state=None):
    query = {"state": state} if state else {}
    return list(room.database.notices.find(query))


def settled(room, state, count=1):
    return until(f"{count} notices {state}", lambda: len(found := notices(room, state)) == count and found)


def said(room):
    rows = [row for document in notices(room) for row in document["outbox"]]
    classes = {"notice.sent.v1": NoticeSent, "notice.failed.v1": NoticeFailed}
    return [classes[row["type"]].FromString(row["data"]) for row in rows]
