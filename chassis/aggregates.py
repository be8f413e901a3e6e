"""State, outgoing events, the mark "handled" and the due time of an aggregate, in one document write.

A document is {_id, version, schema, event_seq, handled, outbox, ringing, due_at, claim, saved_by} and, beside
these, the aggregate's own fields. The relay (chassis/relay.py) empties `outbox`; `ringing` is there as long as
it is not empty.
Measured against a three-write transaction in docs/decisions/0002-outbox-in-the-aggregate.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from pymongo import ASCENDING, InsertOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chassis import catalog
from chassis.clock import Clock
from chassis.envelope import LONGEST_TEXT, Cause
from chassis.errors import Kind, Refusal
from chassis.failpoints import failpoint
from chassis.ids import new_id
from chassis.shared_inserts import SharedInserts

OWN_FIELDS = frozenset(
    {"_id", "version", "schema", "event_seq", "handled", "outbox", "ringing", "due_at", "claim", "saved_by"}
)


class AlreadyThere(Refusal):
    """An aggregate with this id, or with the same value in a unique index, exists."""

    def __init__(self, aggregate_id: str) -> None:
        super().__init__("already-there", Kind.CONFLICT, aggregate_id=aggregate_id)


class StaleVersion(Refusal):
    """Somebody else saved this aggregate since it was loaded: load it again and decide again.

    Its kind sends a message back for another try (RELIABILITY, "The three ends").
    """

    def __init__(self, aggregate_id: str) -> None:
        super().__init__("stale-version", Kind.TOO_EARLY, aggregate_id=aggregate_id)


@dataclass(frozen=True)
class New:
    """An aggregate that is about to be inserted."""

    aggregate_id: str
    body: Mapping[str, Any]
    cause: Cause
    says: Sequence[Message] = ()
    due_at: datetime | None = None


@dataclass(frozen=True)
class Loaded:
    """An aggregate as it was read; hand it back to `save` to change it."""

    aggregate_id: str
    body: dict[str, Any]
    version: int
    event_seq: int
    handled: frozenset[str]
    due_at: datetime | None
    # The fields the document has in the database, also those a migration renamed: a save removes what is gone.
    stored_fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """A new state for a loaded aggregate.

    `mark` tells this write from every other one, also from one with the same cause.
    """

    loaded: Loaded
    body: Mapping[str, Any]
    cause: Cause
    says: Sequence[Message] = ()
    due_at: datetime | None = None
    mark: str = field(default_factory=lambda: new_id("save"))


@dataclass
class Aggregates:
    """The aggregates of one collection. `producer` is the service's name, the source of its events."""

    database: Database[dict[str, Any]]
    name: str
    clock: Clock
    producer: str
    schema: int = 1
    # From schema n to n + 1; applied on read, so that old documents stay readable (P10).
    migrations: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._inserts = SharedInserts(self.collection)

    @property
    def collection(self) -> Collection[dict[str, Any]]:
        """The collection itself, for queries and further indexes."""
        return self.database[self.name]

    def ensure_indexes(self) -> None:
        """The relay's and the due-work's indexes exist; they hold only documents that have something to do."""
        for key, name in (("ringing", "ringing"), ("due_at", "due"), ("claim", "claim")):
            there = {key: {"$exists": True}}
            self.collection.create_index([(key, ASCENDING)], name=name, partialFilterExpression=there)

    def insert(
        self,
        aggregate_id: str,
        body: Mapping[str, Any],
        *,
        cause: Cause,
        says: Sequence[Message] = (),
        due_at: datetime | None = None,
        session: ClientSession | None = None,
    ) -> None:
        """The aggregate is stored with what it says; raises AlreadyThere."""
        document = self._document(New(aggregate_id, body, cause, says, due_at))
        failpoint(f"{self.name}.before_insert")
        try:
            self._inserts.insert_one(document, session)
        except DuplicateKeyError:
            raise AlreadyThere(aggregate_id) from None

    def insert_many(self, news: Sequence[New]) -> set[str]:
        """All that were not there yet are stored; returns the ids of those that were."""
        if not news:
            return set()
        try:
            self.collection.bulk_write([InsertOne(self._document(new)) for new in news], ordered=False)
        except BulkWriteError as exc:
            return {news[index].aggregate_id for index in _duplicates(exc)}
        return set()

    def load(self, aggregate_id: str, *, session: ClientSession | None = None) -> Loaded | None:
        """The aggregate, or None."""
        document = self.collection.find_one({"_id": aggregate_id}, {"outbox": 0}, session=session)
        return self._loaded(document) if document else None

    def load_many(self, aggregate_ids: Sequence[str]) -> dict[str, Loaded]:
        """Those of the aggregates that exist, by id."""
        found = self.collection.find({"_id": {"$in": list(aggregate_ids)}}, {"outbox": 0})
        return {document["_id"]: self._loaded(document) for document in found}

    def save(
        self,
        loaded: Loaded,
        body: Mapping[str, Any],
        *,
        cause: Cause,
        says: Sequence[Message] = (),
        due_at: datetime | None = None,
        session: ClientSession | None = None,
    ) -> None:
        """The new state, what it says and the mark "handled" are stored in one write; raises StaleVersion.

        `due_at` replaces the old one; None clears it.
        """
        update = self._update(Change(loaded, body, cause, says, due_at))
        query = {"_id": loaded.aggregate_id, "version": loaded.version}
        if self.collection.update_one(query, update, session=session).matched_count == 0:
            raise StaleVersion(loaded.aggregate_id)

    def save_many(self, changes: Sequence[Change]) -> set[str]:
        """Each change is stored where nobody was quicker; returns the ids of the stale ones."""
        if not changes:
            return set()
        writes = [
            UpdateOne(
                {"_id": change.loaded.aggregate_id, "version": change.loaded.version}, self._update(change)
            )
            for change in changes
        ]
        result = self.collection.bulk_write(writes, ordered=False)
        return set() if result.matched_count == len(changes) else self._stale(changes)

    def claim_due(self, limit: int, lease_s: float, where: Mapping[str, Any] | None = None) -> list[Loaded]:
        """Aggregates whose time has come, each given to one worker for `lease_s` seconds; only those that fit `where`.

        Whoever saves the aggregate clears or moves `due_at`; after a crash the lease runs out: due again.
        """
        now = self.clock.now()
        query = {**(where or {}), "due_at": {"$lte": now}}
        due = self.collection.find(query, {"_id": 1}).sort("due_at", 1).limit(limit)
        due_ids = [document["_id"] for document in due]
        if not due_ids:
            return []
        claim = new_id("claim")
        given = {"due_at": now + timedelta(seconds=lease_s), "claim": claim}
        self.collection.update_many({"_id": {"$in": due_ids}, "due_at": {"$lte": now}}, {"$set": given})
        return [self._loaded(document) for document in self.collection.find({"claim": claim}, {"outbox": 0})]

    def _stale(self, changes: Sequence[Change]) -> set[str]:
        wanted = {change.loaded.aggregate_id: change.loaded.version + 1 for change in changes}
        marks = {change.loaded.aggregate_id: change.mark for change in changes}
        found = self.collection.find({"_id": {"$in": list(wanted)}}, {"version": 1, "saved_by": 1})
        return {
            document["_id"]
            for document in found
            if document["version"] != wanted[document["_id"]]
            or document.get("saved_by") != marks[document["_id"]]
        }

    def _document(self, new: New) -> dict[str, Any]:
        rows = self._rows(new.aggregate_id, new.says, new.cause, 0)
        document: dict[str, Any] = {
            "_id": new.aggregate_id,
            "version": 1,
            "schema": self.schema,
            "event_seq": len(rows),
            "handled": [new.cause.event_id] if new.cause.event_id else [],
            "outbox": rows,
            **new.body,
        }
        if rows:
            document["ringing"] = self.clock.now()
        if new.due_at is not None:
            document["due_at"] = new.due_at
        return document

    def _update(self, change: Change) -> dict[str, Any]:
        loaded = change.loaded
        rows = self._rows(loaded.aggregate_id, change.says, change.cause, loaded.event_seq)
        gone = sorted(loaded.stored_fields - change.body.keys())
        update: dict[str, Any] = {
            "$set": {
                **change.body,
                "version": loaded.version + 1,
                "schema": self.schema,
                "event_seq": loaded.event_seq + len(rows),
                "saved_by": change.mark,
            },
            "$unset": dict.fromkeys([*gone, "claim"], ""),
        }
        if rows:
            update["$push"] = {"outbox": {"$each": rows}}
            update["$min"] = {"ringing": self.clock.now()}
        if change.cause.event_id:
            update["$addToSet"] = {"handled": change.cause.event_id}
        if change.due_at is None:
            update["$unset"]["due_at"] = ""
        else:
            update["$set"]["due_at"] = change.due_at
        return update

    def _rows(
        self, aggregate_id: str, says: Sequence[Message], cause: Cause, after: int
    ) -> list[dict[str, Any]]:
        if len(aggregate_id) > LONGEST_TEXT:
            raise ValueError("an aggregate with so long an id says nothing anybody could read")
        now = self.clock.now()
        return [
            {
                "id": new_id("evt"),
                "type": catalog.type_of(message),
                "source": self.producer,
                "time": now,
                "aggregate_id": aggregate_id,
                "aggregate_seq": after + position,
                "correlation_id": cause.correlation_id,
                "causation_id": cause.event_id,
                "traceparent": cause.traceparent,
                "data": message.SerializeToString(),
            }
            for position, message in enumerate(says, start=1)
        ]

    def _loaded(self, document: dict[str, Any]) -> Loaded:
        stored_fields = document.keys() - OWN_FIELDS
        for schema in range(document["schema"], self.schema):
            document = self.migrations[schema](document)
        return Loaded(
            aggregate_id=document["_id"],
            body={key: value for key, value in document.items() if key not in OWN_FIELDS},
            version=document["version"],
            event_seq=document["event_seq"],
            handled=frozenset(document["handled"]),
            due_at=document.get("due_at"),
            stored_fields=frozenset(stored_fields),
        )


def _duplicates(exc: BulkWriteError) -> list[int]:
    errors = exc.details["writeErrors"]
    if exc.details["writeConcernErrors"] or any(error["code"] != 11000 for error in errors):
        raise exc
    return [error["index"] for error in errors]
