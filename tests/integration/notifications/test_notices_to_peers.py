"""Peers on the real bus, to a far side that speaks as an SMS API does: heard where it is safe, and silent elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bson import encode

from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1.events_pb2 import (
    ReferralRevised,
    ReferralStatusChanged,
    ReferralStopped,
    ReferralSubmitted,
)
from kindred.matching.v1.events_pb2 import CheckinDue
from tests.integration.notifications.processes import running, until

SAFE, ASLEEP, STOPPED, UNASKED = (f"peer_{name}" for name in ("safe", "asleep", "stopped", "unasked"))
NUMBERS = {SAFE: "+13125550171", ASLEEP: "+13125550172", STOPPED: "+13125550173"}


def zone_where_it_is(hour):
    """A zone without summer time whose clocks show about that hour now: these tests run at any time of the day."""
    ahead = (hour - datetime.now(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def about(message, peer_id):
    message.provenance.CopyFrom(Provenance(peer_id=peer_id))
    message.referral_id = f"ref_of_{peer_id}"
    if hasattr(message, "source_id"):
        message.source_id = "src_brigid"
    return message, peer_id


def reachable(sealed, pair, hour=13, language="en"):
    message, peer_id = pair
    context = f"peer-contact:{message.referral_id}"
    contact = sealed(context, phone=NUMBERS[peer_id], language=language, time_zone=zone_where_it_is(hour))
    message.sealed_peer_contact.CopyFrom(contact)
    return message, peer_id


def promised(pair, minutes, version=3):
    message, peer_id = pair
    message.status, message.modality, message.version = "assigned", "bedside", version
    message.promised_arrival_at.FromDatetime(datetime.now(UTC) + timedelta(minutes=minutes))
    return message, peer_id


def sought_again(pair, version=4):
    message, peer_id = pair
    message.previous_status, message.status, message.version = "assigned", "seeking", version
    return message, peer_id


def checkin(pair):
    message, peer_id = pair
    message.specialist_id, message.number = "", 1
    message.missed_at.FromDatetime(datetime.now(UTC) + timedelta(hours=30))
    return message, peer_id


def say(broker, pair):
    message, _ = pair
    return broker.say(message, message.referral_id, source="intake")


def texts(posted_side, peer_id):
    return [
        posted.fields["Body"].splitlines()[0]
        for posted in posted_side.taken
        if posted.fields["To"] == NUMBERS[peer_id]
    ]


def told(database, peer_id):
    """The peer's notices: what each is about, how it stands, and why."""
    rows = database.notices.find({"recipient_id": peer_id}, sort=[("opened_at", 1)])
    return [(row["intent"], row["state"], row["reason_code"]) for row in rows]


def test_a_peer_hears_where_it_is_safe_and_nobody_else_does(
    sms_environ, broker, database, posted_side, sealed, tmp_path
):
    """Received, who comes when, a call, later: once each by day; at night, after a no or a stop, and unasked: nothing."""
    for peer_id in (SAFE, ASLEEP, STOPPED):
        hour = 2 if peer_id == ASLEEP else 13
        event = reachable(sealed, about(ReferralSubmitted(), peer_id), hour)
        if peer_id != STOPPED:
            broker.repeat(say(broker, event))
    say(broker, about(ReferralSubmitted(), UNASKED))
    with running("worker", sms_environ, tmp_path):
        until("it was received", lambda: len(texts(posted_side, SAFE)) == 1)
        for peer_id in (SAFE, ASLEEP, UNASKED):
            broker.repeat(say(broker, promised(about(ReferralStatusChanged(), peer_id), 14 * 60)))
        until("somebody comes", lambda: len(texts(posted_side, SAFE)) == 2)
        for peer_id in (SAFE, ASLEEP, UNASKED):
            say(broker, checkin(about(CheckinDue(), peer_id)))
        until("somebody calls", lambda: len(texts(posted_side, SAFE)) == 3)
        # Nobody keeps the promise: who heard of it hears that, who slept does not.
        for peer_id in (SAFE, UNASKED):
            say(broker, sought_again(about(ReferralStatusChanged(), peer_id)))
        until("it takes longer", lambda: len(texts(posted_side, SAFE)) == 4)
        # The night holds back what is worth it in the morning, and drops what is not.
        until("all of the sleeper's", lambda: len(told(database, ASLEEP)) == 3)
        until("dropped", lambda: ("request-received", "cancelled", "no-safe-time") in told(database, ASLEEP))
        assert ("help-coming", "due", "") in told(database, ASLEEP)
        # The person moves on: what waits is not true any more.
        moved = say(broker, promised(about(ReferralStatusChanged(), ASLEEP), 15 * 60, version=4))
        until("overtaken", lambda: ("help-coming", "cancelled", "overtaken") in told(database, ASLEEP))
        say(broker, sought_again(about(ReferralStatusChanged(), ASLEEP), version=5))
        until(
            "none waits", lambda: told(database, ASLEEP).count(("help-coming", "cancelled", "overtaken")) == 2
        )
        say(broker, promised(about(ReferralStatusChanged(), ASLEEP), 16 * 60, version=6))
        until("another", lambda: ("help-coming", "due", "") in told(database, ASLEEP))
        broker.repeat(moved)  # heard again, it undoes nothing
        say(broker, about(ReferralSubmitted(), "peer_after"))
        until("heard", lambda: database.contacts.find_one({"_id": "peer-contact:peer_after"}))
        assert ("help-coming", "due", "") in told(database, ASLEEP)
        assert "help-later" not in [intent for intent, _, _ in told(database, ASLEEP)]
        # A correction that says nothing of safe contact takes the yes back, also for what is queued.
        say(broker, about(ReferralRevised(revision=2, reason_code="corrected"), ASLEEP))
        until(
            "silenced",
            lambda: (
                [row for row in told(database, ASLEEP) if row[1] == "due"] == []
                and ("help-coming", "cancelled", "do-not-contact") in told(database, ASLEEP)
            ),
        )
        # Stopped before it was heard of at all: the late yes opens nothing that is sent.
        say(broker, about(ReferralStopped(stop_code="consent-revoked"), STOPPED))
        until("the mark", lambda: database.stops.find_one({"_id": f"ref_of_{STOPPED}"}))
        say(broker, reachable(sealed, about(ReferralSubmitted(), STOPPED)))
        until(
            "stopped",
            lambda: told(database, STOPPED) == [("request-received", "cancelled", "referral-stopped")],
        )
    first, second, third, fourth = texts(posted_side, SAFE)
    assert fourth == "It will take a little longer. We will write to you again."
    assert (first, third) == ("Your message was received.", "Someone will call you soon.")
    assert second.startswith("Someone will be with you at about ")
    assert [texts(posted_side, one) for one in (ASLEEP, STOPPED)] == [[], []]
    assert told(database, UNASKED) == []
    assert [row for row in told(database, ASLEEP) if row[1] == "dead"] == []
    assert len(posted_side.taken) == 4
    stored = b"".join(
        encode(row) for name in database.list_collection_names() for row in database[name].find()
    )
    assert b"peer_safe" in stored
    assert [number for number in NUMBERS.values() if number.encode() in stored] == []
    assert database.contacts.find_one({"_id": f"peer-contact:{UNASKED}"})["sealed"] == b""
