"""Duplicate and reordered delivery: everything ever said is said twice more, in any order, and nothing changes."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import kombu

from chassis.envelope import to_amqp
from chassis.outbox import envelope_of
from tests.driving import SERVICES, Er, Officer, Roster, Running, a_referral, until

SEED = 7


def _state(running: Running, officer: Officer) -> dict[str, Any]:
    """What an effect that happened twice would change."""
    matching, intake = running.database("matching"), running.database("intake")
    notices = running.database("notifications").notices
    return {
        "offers": {
            case["_id"]: [(o["offer_id"], o["state"]) for o in case["offers"]]
            for case in matching.cases.find()
        },
        "caseloads": {load["_id"]: load for load in matching.caseloads.find({}, {"outbox": 0})},
        "referrals": {one["_id"]: (one["status"], one["version"]) for one in intake.referrals.find()},
        "notices": Counter(notice["state"] for notice in notices.find()),
        "mails": len(running.mails()),
        "said": {name: running.database(name).outbox.count_documents({}) for name in SERVICES},
        "entries": officer.check_size(),
    }


def _differing(before: Any, after: Any) -> Any:
    """Before and after, of what is not the same."""
    if not isinstance(before, dict):
        return before, after
    return {
        key: (before.get(key), after.get(key)) for key in before | after if before.get(key) != after.get(key)
    }


def _is_quiet(running: Running, officer: Officer) -> bool:
    """Nobody is asked, every queue is empty and every event is published and under a signed checkpoint."""
    if running.database("matching").cases.count_documents({"offers.state": "open"}):
        return False
    with kombu.Connection(running.known.amqp_uri) as connection:
        channel = connection.channel()
        depths = [channel.queue_declare(f"{name}.inbox", passive=True).message_count for name in SERVICES]
    waiting = sum(
        running.database(name).outbox.count_documents({"state": {"$ne": "published"}})
        + running.database(name).retry_events.count_documents({})
        for name in SERVICES
    )
    due = running.database("notifications").notices.count_documents({"state": {"$in": ["due", "sending"]}})
    return not any(depths) and not waiting and not due and _is_logged(running, officer)


def _is_logged(running: Running, officer: Officer) -> bool:
    """A queue without a ready message may still have some in a worker's hands, and the head is signed after that."""
    databases = [running.database(name) for name in SERVICES]
    if any(one[name].find_one({"outbox.0": {"$exists": True}}) for one in databases for name in _names(one)):
        return False
    said = [row["_id"] for one in databases for row in one.outbox.find({}, {"_id": 1})]
    below = {"_id": {"$in": said}, "index": {"$lt": officer.check_size()}}
    return running.database("audit").rows.count_documents(below) == len(said)


def _names(database: Any) -> list[str]:
    found = database.list_collection_names(filter={"type": "collection"})
    return [name for name in found if not name.startswith("system.")]


def _say_again(running: Running) -> int:
    rows = [
        row for name in SERVICES for row in running.database(name).outbox.find({"state": "published"})
    ] * 2
    random.Random(SEED).shuffle(rows)
    with kombu.Connection(running.known.amqp_uri, transport_options={"confirm_publish": True}) as connection:
        producer = connection.Producer(exchange=kombu.Exchange("kindred.events", "topic", passive=True))
        for row in rows:
            envelope = envelope_of(row)
            properties, headers = to_amqp(envelope)
            producer.publish(envelope.data, routing_key=envelope.type, headers=headers, **properties)
    return len(rows)


def test_everything_said_again_changes_nothing(running: Running, er: Er, roster: Roster, officer: Officer):
    """Every event twice more, shuffled: no second offer, mail, assignment or audit entry (P3, P4, P5)."""
    accepted = er.submit(a_referral("again-1")).referral_id
    declined = er.submit(a_referral("again-2")).referral_id
    roster.accept(until("offers", lambda: roster.open_offers(accepted))[0])
    for offer in until("offers", lambda: roster.open_offers(declined)):
        roster.decline(offer)
    until("the second wave", lambda: roster.case(declined).wave == 2)
    until("the ladder's end", lambda: roster.case(declined).state == "unfilled", within_s=60)
    # Whom nobody could be found for is looked at again by the clock: what is compared must not move by itself.
    unfilled = {"state": "unfilled"}
    running.database("matching").cases.update_many(unfilled, {"$unset": {"due_at": ""}})
    until("quiet", lambda: _is_quiet(running, officer))
    before = until(
        "a stable state", lambda: (s := _state(running, officer)) == _state(running, officer) and s
    )
    assert _say_again(running) > 40
    until("quiet again", lambda: _is_quiet(running, officer), within_s=120)
    after = _state(running, officer)
    changed = {what: _differing(before[what], after[what]) for what in before if after[what] != before[what]}
    assert not changed
