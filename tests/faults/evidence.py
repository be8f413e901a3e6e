"""Reading what the four stores, the mail folder, the bus and the audit log hold after a cell, for the checker."""

from __future__ import annotations

import email
import email.policy
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import kombu
from amqp import AMQPError

from chassis import topology
from chassis.envelope import from_amqp
from tests.driving import SERVICES, Officer, Running
from tests.faults.journal import Journal
from tests.faults.verdict import Case, Evidence, Load, Notice, Said

CARRIED = ("assigned", "followed")


@dataclass
class BusTap:
    """A queue of our own that gets every event; it survives a kill of the broker, and not the loss of its folder."""

    amqp_uri: str
    name: str = field(default_factory=lambda: f"tap.{os.urandom(4).hex()}")
    seen: list[tuple[str, int]] = field(default_factory=list)

    def open(self) -> None:
        """From here on nothing is missed."""
        with kombu.Connection(self.amqp_uri) as connection:
            channel = connection.channel()
            quorum = {"x-queue-type": "quorum"}
            channel.queue_declare(self.name, durable=True, auto_delete=False, arguments=quorum)
            channel.queue_bind(self.name, topology.EVENTS.name, "#")

    def read(self) -> list[tuple[str, int]]:
        """Everything so far, in order of arrival."""
        with kombu.Connection(self.amqp_uri) as connection:
            channel = connection.channel()
            while message := channel.basic_get(self.name, no_ack=True):
                headers = message.properties.get("application_headers")
                envelope = from_amqp(message.properties, headers, bytes(message.body))
                self.seen.append((f"{envelope.source}/{envelope.aggregate_id}", envelope.aggregate_seq))
        return self.seen

    def close(self) -> None:
        """The queue is gone."""
        with suppress(OSError, AMQPError), kombu.Connection(self.amqp_uri) as connection:
            connection.channel().queue_delete(self.name)


def numbers_now(running: Running) -> dict[str, int]:
    """The highest number each service has given to an event."""
    found = {}
    for name in SERVICES:
        newest = running.database(name).outbox.find_one({}, {"seq": 1}, sort=[("seq", -1)])
        found[name] = newest["seq"] if newest else 0
    return found


def depths(running: Running) -> dict[str, int]:
    """How many messages wait in each inbox, not counting those a worker has in its hand."""
    with kombu.Connection(running.known.amqp_uri) as connection:
        channel = connection.channel()
        return {name: channel.queue_declare(f"{name}.inbox", passive=True).message_count for name in SERVICES}


def unsaid(running: Running) -> int:
    """Events that are in no broker yet, of all services."""
    count = 0
    for name in SERVICES:
        database: Any = running.database(name)
        count += database.outbox.count_documents({"state": {"$ne": "published"}})
        count += sum(
            database[each].count_documents({"ringing": {"$exists": True}})
            for each in database.list_collection_names(filter={"type": "collection"})
            if not each.startswith("system.")
        )
    return count


def is_at_rest(running: Running) -> bool:
    """Nothing is on its way: no event unsaid, no inbox with messages, nothing to be tried again, no notice to send."""
    if unsaid(running) or any(depths(running).values()):
        return False
    if any(running.database(name).retry_events.count_documents({}) for name in SERVICES):
        return False
    waiting = {"state": {"$in": ["due", "sending"]}}
    return not running.database("notifications").notices.count_documents(waiting)


def gather(
    running: Running, officer: Officer, journal: Journal, since: dict[str, int], tap: BusTap | None
) -> Evidence:
    """Everything the checker compares; `since` are the numbers before the first call."""
    found = Evidence(stored=_stored(running, journal, since["intake"]))
    found.cases = _cases(running, found.stored)
    found.said = _said(running, since)
    found.audited = _audited(running, [one.event_id for one in found.said])
    found.reads_audited = _reads(officer, {line.facts["actor"] for line in journal.lines("read")})
    found.notices = list(_notices(running, found.stored))
    found.loads = list(_loads(running))
    found.heard = tap.read() if tap else None
    still = {"state": "parked"}
    found.parked = sum(running.database(name).parked_events.count_documents(still) for name in SERVICES)
    told = officer.check()
    found.log_findings = [f"{one.code} at {one.index}" for one in told.findings]
    found.gaps = [f"{one.producer} misses {list(one.missing)[:5]}" for one in told.producers if one.missing]
    return found


def _stored(running: Running, journal: Journal, since: int) -> dict[str, str]:
    """Referrals submitted since, and those anybody was told of, each with the blinded mark of its visit."""
    intake: Any = running.database("intake")
    said = intake.outbox.find({"seq": {"$gt": since}, "type": "referral.submitted.v1"}, {"aggregate_id": 1})
    ids = {row["aggregate_id"] for row in said}.union(*journal.acknowledged().values())
    rows = intake.referrals.find({"_id": {"$in": sorted(ids)}}, {"visit": 1, "peer_id": 1})
    return {row["_id"]: f"{row['peer_id']}/{row['visit'].get('number')}" for row in rows}


def _cases(running: Running, wanted: Iterable[str]) -> dict[str, Case]:
    rows = running.database("matching").cases.find({"_id": {"$in": sorted(wanted)}})
    return {
        row["_id"]: Case(
            row["_id"],
            row["state"],
            row["assigned_specialist_id"],
            {one["offer_id"]: (one["specialist_id"], one["state"]) for one in row["offers"]},
        )
        for row in rows
    }


def _said(running: Running, since: dict[str, int]) -> list[Said]:
    return [
        Said(
            row["_id"],
            row["type"],
            row["aggregate_id"],
            row["aggregate_seq"],
            name,
            row["state"] == "published",
        )
        for name in SERVICES
        for row in running.database(name)
        .outbox.find({"seq": {"$gt": since[name]}}, {"data": 0})
        .sort("seq", 1)
    ]


def _audited(running: Running, event_ids: list[str]) -> set[str]:
    return {
        row["_id"] for row in running.database("audit").rows.find({"_id": {"$in": event_ids}}, {"_id": 1})
    }


def _reads(officer: Officer, actors: set[str]) -> Counter[tuple[str, str]]:
    return Counter(
        (actor, entry.referral_id)
        for actor in sorted(actors)
        for entry in officer.entries(actor_id=actor, event_type="record.read.v1")
    )


def _notices(running: Running, wanted: Iterable[str]) -> Iterable[Notice]:
    arrived = Counter([*_arrived(running), *running.texts()])
    for row in running.database("notifications").notices.find({"referral_id": {"$in": sorted(wanted)}}):
        yield Notice(
            row["_id"],
            row["referral_id"],
            row["intent"],
            row["offer_id"],
            row["recipient_id"],
            row["state"],
            sum(1 for one in row["attempts"] if one.get("is_possible_repeat")),
            arrived[row["_id"]],
            sum(1 for one in row["attempts"] if one["outcome"] in ("unknown", "open")),
            bool(row.get("folded_into")),
        )


def _arrived(running: Running) -> list[str]:
    parsed = (email.message_from_bytes(raw, policy=email.policy.default) for raw in running.mails())
    return [str(mail["Message-ID"]).strip("<>").split("@")[0] for mail in parsed]


def _loads(running: Running) -> Iterable[Load]:
    matching: Any = running.database("matching")
    carried: Counter[str] = Counter()
    for row in matching.cases.find({"state": {"$in": CARRIED}, "assigned_specialist_id": {"$gt": ""}}):
        carried[row["assigned_specialist_id"]] += row["assigned_weight_milli"]
    for row in matching.caseloads.find({}):
        yield Load(row["_id"], row["load_milli"], row["capacity_milli"], carried[row["_id"]])
