"""What a relay has to carry, and a tap on the bus that sees what it carried."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kombu import Connection

from chassis import topology
from chassis.aggregates import Aggregates, New
from chassis.clock import SystemClock
from chassis.envelope import Cause, Envelope, from_amqp
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.matching.v1.events_pb2 import OfferExpired

# Heard by nobody but the audit log, so that a test can take its one binding away.
EVENT_TYPE = "offer.expired.v1"


def things(database: Any) -> Aggregates:
    """The aggregates whose events are relayed."""
    aggregates = Aggregates(database, "things", SystemClock(), "subject")
    aggregates.ensure_indexes()
    return aggregates


def an_expiry() -> OfferExpired:
    """One event."""
    return OfferExpired(provenance=Provenance(actor_id="system:test"), offer_id=secrets.token_hex(8))


def say(database: Any, count: int, *, each: int = 2) -> int:
    """`count` aggregates that say `each` events; returns how many events that is."""
    news = [
        New(f"thing_{secrets.token_hex(8)}", {}, Cause("test"), [an_expiry() for _ in range(each)])
        for _ in range(count)
    ]
    things(database).insert_many(news)
    return count * each


@dataclass
class Tap:
    """A queue bound to the test's event type; reads everything that reached it."""

    amqp_uri: str
    name: str = field(default_factory=lambda: f"tap.{os.urandom(4).hex()}")
    seen: list[Envelope] = field(default_factory=list)

    def __enter__(self) -> Tap:
        self.connection = Connection(self.amqp_uri)
        self.channel = self.connection.channel()
        topology.EVENTS(self.channel).declare()
        self.channel.queue_declare(
            self.name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
        )
        self.channel.queue_bind(self.name, topology.EVENTS.name, EVENT_TYPE)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self.channel.queue_delete(self.name)
        self.connection.release()

    def read(self) -> list[Envelope]:
        """Everything so far, in order of arrival."""
        while message := self.channel.basic_get(self.name, no_ack=True):
            headers = message.properties.get("application_headers")
            self.seen.append(from_amqp(message.properties, headers, bytes(message.body)))
        return self.seen

    def ids(self) -> set[str]:
        """The events that arrived at least once."""
        return {envelope.id for envelope in self.read()}

    def doubles(self) -> int:
        """How many copies too many arrived."""
        return sum(count - 1 for count in Counter(envelope.id for envelope in self.seen).values())

    def is_in_order(self) -> bool:
        """True where the first copies of every aggregate's events came in the order they were said."""
        last: dict[str, int] = {}
        known: set[str] = set()
        for envelope in self.seen:
            if envelope.id in known:
                continue
            known.add(envelope.id)
            if envelope.aggregate_seq != last.get(envelope.aggregate_id, 0) + 1:
                return False
            last[envelope.aggregate_id] = envelope.aggregate_seq
        return True


def unpublished(database: Any) -> int:
    """Events that are not marked as published, wherever they are."""
    ringing = database["things"].count_documents({"ringing": {"$exists": True}})
    return ringing + database["outbox"].count_documents({"state": {"$ne": "published"}})


def is_numbered_without_a_gap(database: Any) -> bool:
    """True where the numbers of the rows are 1, 2, 3 ... and each is there once."""
    seqs = sorted(row["seq"] for row in database["outbox"].find({}, {"seq": 1}))
    return seqs == list(range(1, len(seqs) + 1))
