"""Subscriptions, what waits to be delivered, and how receivers answer, in MongoDB; secrets only as ciphertext."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from pymongo import ASCENDING, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.access import provenance
from chassis.aggregates import Aggregates, Loaded, StaleVersion
from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.identity import Caller
from kindred.access.v1.events_pb2 import RecordRead
from services.intake.domain.outward import Attempt, Delivery, Health, Kind, News, Subscription, failed

SUBSCRIPTIONS = "subscriptions"
DELETED = "deleted"
_MOST_TRIES = 10
_RECORD = "Subscription"
_UNSENT = {"$expr": {"$gt": ["$wanted", {"$max": ["$sent", "$refused"]}]}}
Document = dict[str, Any]
Decision = Callable[[Delivery], tuple[Delivery, datetime | None]]


@dataclass(frozen=True)
class Wanted:
    """A subscription as its owner wrote it, with its secret; only ever opened to send or to show it to its owner."""

    endpoint: str
    headers: tuple[str, ...]
    secret: str
    resource: Document  # what was sent, without what we set


@dataclass(frozen=True)
class HeldSubscription:
    """A subscription as it was read."""

    subscription: Subscription
    loaded: Loaded

    @property
    def version(self) -> int:
        """Rises with every change."""
        return self.loaded.version

    @property
    def changed_at(self) -> datetime:
        """When it last did."""
        moment: datetime = self.loaded.body["changed_at"]
        return moment


class Subscriptions:
    """The collection `subscriptions`; every change says who made it, in the same write."""

    def __init__(self, aggregates: Aggregates, cipher: AtRest, clock: Clock) -> None:
        self._aggregates, self._cipher, self._clock = aggregates, cipher, clock

    def ensure_indexes(self) -> None:
        """The relay's and the due work's, and a source's subscriptions."""
        self._aggregates.ensure_indexes()
        self._aggregates.collection.create_index([("source_id", ASCENDING)], name="of_source")

    def add(self, subscription: Subscription, wanted: Wanted, caller: Caller, cause: Cause) -> None:
        """It is stored, due for its handshake, and its making is audited."""
        body = self._body(subscription, wanted)
        says = [_said(caller, subscription, "create")]
        self._aggregates.insert(
            subscription.subscription_id, body, says=says, cause=cause, due_at=self._clock.now()
        )

    def change(
        self,
        held: HeldSubscription,
        subscription: Subscription,
        caller: Caller,
        cause: Cause,
        *,
        wanted: Wanted | None = None,
        due_at: datetime | None = None,
    ) -> None:
        """The new state is stored and audited; raises StaleVersion."""
        body = dict(held.loaded.body) | self._body(subscription, wanted)
        if subscription.status == DELETED:
            body.pop("sealed", None)
        deed = "delete" if subscription.status == DELETED else "update"
        is_news = subscription != held.subscription or wanted is not None
        says = [_said(caller, subscription, deed)] if is_news else []
        self._aggregates.save(held.loaded, body, says=says, cause=cause, due_at=due_at)

    def load(self, subscription_id: str) -> HeldSubscription | None:
        """The subscription, None where there is none or it was deleted."""
        loaded = self._aggregates.load(subscription_id)
        held = HeldSubscription(_subscription(loaded), loaded) if loaded else None
        return held if held and held.subscription.status != DELETED else None

    def of_sources(self, source_ids: Iterable[str]) -> list[HeldSubscription]:
        """The sources' subscriptions, oldest first, without those that were deleted."""
        query = {"source_id": {"$in": list(source_ids)}, "status": {"$ne": DELETED}}
        ids = [
            row["_id"] for row in self._aggregates.collection.find(query, {"_id": 1}).sort("_id", ASCENDING)
        ]
        found = self._aggregates.load_many(ids)
        return [HeldSubscription(_subscription(found[one]), found[one]) for one in ids if one in found]

    def claim_due(self, limit: int, lease_s: float) -> list[HeldSubscription]:
        """Those that wait for their handshake, or have come to their end."""
        return [
            HeldSubscription(_subscription(one), one) for one in self._aggregates.claim_due(limit, lease_s)
        ]

    def open(self, held: HeldSubscription) -> Wanted:
        """What was sealed."""
        sealed = bytes(held.loaded.body["sealed"])
        said = json.loads(self._cipher.open(sealed, _context(held.subscription.subscription_id)))
        return Wanted(**{**said, "headers": tuple(said["headers"])})

    def next_number(self, subscription_id: str) -> int:
        """One more event for this subscription; its number, from 1."""
        row = self._aggregates.collection.find_one_and_update(
            {"_id": subscription_id},
            {"$inc": {"events": 1}},
            {"events": 1},
            return_document=ReturnDocument.AFTER,
        )
        return int(row["events"]) if row else 0

    def _body(self, subscription: Subscription, wanted: Wanted | None) -> Document:
        body = asdict(subscription)
        del body["subscription_id"]
        body["changed_at"] = self._clock.now()
        if wanted is not None:
            plain = json.dumps(asdict(wanted)).encode()
            body["sealed"] = self._cipher.seal(plain, _context(subscription.subscription_id))
        return body


@dataclass(frozen=True)
class HeldDelivery:
    """A delivery as it was read."""

    delivery: Delivery
    loaded: Loaded
    cause: Cause


class Deliveries:
    """The collection `deliveries`: one row for each receiver of each referral, due while something is to be said.

    One row, not one for each version: so nothing overtakes anything, and a newer version replaces an older one.
    """

    def __init__(self, database: Database[Document], clock: Clock, producer: str) -> None:
        self._aggregates = Aggregates(database, "deliveries", clock, producer)
        self._health, self._referrals = database["receivers"], database["referrals"]
        self._clock = clock

    def ensure_indexes(self) -> None:
        """The due work's, and a receiver's rows."""
        self._aggregates.ensure_indexes()
        self._aggregates.collection.create_index([("receiver_id", ASCENDING)], name="of_receiver")

    def news_of(self, referral_ids: Sequence[str]) -> list[News]:
        """Whose each of these referrals is, and its newest version."""
        wanted = {"source_id": 1, "task_version": 1}
        found = self._referrals.find({"_id": {"$in": list(referral_ids)}}, wanted)
        return [News(row["_id"], row["source_id"], row["task_version"]) for row in found]

    def want(self, receiver_id: str, kind: Kind, news: News, cause: Cause) -> None:
        """The receiver will be told of this version or a newer one; safe to repeat.

        A row that is being sent, or waits for another try, is left where it is: whoever settles it sees the version.
        """
        rows, now = self._aggregates.collection, self._clock.now()
        version, delivery_id = news.version, f"{receiver_id}.{news.referral_id}"
        first = Delivery(delivery_id, receiver_id, kind, news.source_id, news.referral_id, version)
        body = {**_delivery_body(first), "cause": asdict(cause)}
        del body["wanted"]
        fresh = {"schema": 1, "event_seq": 0, "handled": [], "outbox": [], "due_at": now, **body}
        rows.update_one(
            {"_id": delivery_id},
            {"$max": {"wanted": version}, "$inc": {"version": 1}, "$setOnInsert": fresh},
            upsert=True,
        )
        # Between the two writes a sender may have told it: then nothing is due.
        rows.update_one(
            {"_id": delivery_id, "due_at": {"$exists": False}, **_UNSENT}, {"$set": {"due_at": now}}
        )

    def claim_due(self, limit: int, lease_s: float) -> list[HeldDelivery]:
        """Rows whose time has come, each given to one sender for `lease_s` seconds."""
        return [_held_delivery(one) for one in self._aggregates.claim_due(limit, lease_s)]

    def save(self, held: HeldDelivery, delivery: Delivery, due_at: datetime | None) -> None:
        """The new state is stored; raises StaleVersion."""
        body = {**held.loaded.body, **_delivery_body(delivery)}
        self._aggregates.save(held.loaded, body, cause=Cause(held.cause.correlation_id), due_at=due_at)

    def revise(self, delivery_id: str, decide: Decision) -> None:
        """What `decide` makes of the newest state is stored, however many others write meanwhile."""
        for _ in range(_MOST_TRIES):
            held = self.load(delivery_id)
            if held is None:
                return None
            try:
                return self.save(held, *decide(held.delivery))
            except StaleVersion:
                continue
        raise StaleVersion(delivery_id)

    def load(self, delivery_id: str) -> HeldDelivery | None:
        """The row, or None."""
        loaded = self._aggregates.load(delivery_id)
        return _held_delivery(loaded) if loaded else None

    def forget(self, receiver_id: str) -> None:
        """Nothing waits for this receiver any more."""
        self._aggregates.collection.delete_many({"receiver_id": receiver_id})
        self._health.delete_one({"_id": receiver_id})

    def wake(self, receiver_id: str) -> None:
        """The receiver is back: whatever it has not had is due."""
        query = {"receiver_id": receiver_id, "due_at": {"$exists": False}, **_UNSENT}
        self._aggregates.collection.update_many(query, {"$set": {"due_at": self._clock.now()}})

    def count_waiting(self) -> int:
        """How many rows wait to be sent."""
        return self._aggregates.collection.count_documents({"due_at": {"$exists": True}})

    def health(self, receiver_id: str) -> Health:
        """How the receiver answered lately."""
        row = self._health.find_one({"_id": receiver_id})
        return Health(row["failures"], row["retry_at"]) if row else Health()

    def note_failure(self, receiver_id: str, seen: Health, wait_s: float) -> Health:
        """One failure more, counted once however many senders saw it at the same time."""
        after = failed(seen, self._clock.now(), wait_s)
        try:
            self._health.update_one(
                {"_id": receiver_id, "failures": seen.failures}, {"$set": asdict(after)}, upsert=True
            )
        except DuplicateKeyError:
            return self.health(receiver_id)
        return after

    def note_success(self, receiver_id: str) -> None:
        """It answers."""
        self._health.delete_one({"_id": receiver_id})


def _context(subscription_id: str) -> str:
    return f"subscription:{subscription_id}"


def _said(caller: Caller, subscription: Subscription, deed: str) -> Message:
    return RecordRead(
        provenance=provenance(caller),
        record_type=_RECORD,
        record_id=subscription.subscription_id,
        action=deed,
    )


def _subscription(loaded: Loaded) -> Subscription:
    names: Sequence[str] = ("source_id", "status", "criteria", "has_payload", "error", "ends_at")
    return Subscription(loaded.aggregate_id, **{name: loaded.body[name] for name in names})


def _delivery_body(delivery: Delivery) -> Document:
    body = asdict(delivery)
    del body["delivery_id"]
    return body | {"kind": delivery.kind.value}


def _held_delivery(loaded: Loaded) -> HeldDelivery:
    body = {name: value for name, value in loaded.body.items() if name != "cause"}
    attempt = Attempt(**body["attempt"]) if body["attempt"] else None
    known = {**body, "kind": Kind(body["kind"]), "attempt": attempt}
    return HeldDelivery(Delivery(loaded.aggregate_id, **known), loaded, Cause(**loaded.body["cause"]))
