"""The outbox of a service: events moved out of their aggregates, numbered without a gap, published, kept 30 days.

A row is {_id: event id, seq, state: pending | held | published, ...the event}. Rows are found by their state, never
by "seq greater than the last one": a transaction that commits late would be passed over for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from chassis.clock import Clock
from chassis.envelope import Envelope

KEPT = timedelta(days=30)
_RINGING = {"ringing": {"$exists": True}}
_UNSENT = {"state": {"$in": ["held", "pending"]}}
_HELD_FIRST = [("state", ASCENDING), ("seq", ASCENDING)]
_NOBODYS = {"holder": "", "until": datetime(1970, 1, 1, tzinfo=UTC)}
_MAJORITY = WriteConcern("majority", j=True)


class Outbox:
    """The outbox of one producer; `collections` are the names of its aggregates' collections."""

    def __init__(
        self, database: Database[dict[str, Any]], collections: Sequence[str], producer: str, clock: Clock
    ) -> None:
        self.rows = database["outbox"]
        self.collections = tuple(collections)
        self._database = database
        self._numbers = database["outbox_numbers"]
        self._producer = producer
        self._clock = clock
        self._lease_id = f"{producer}:lease"

    def ensure_indexes(self) -> None:
        """What the relay asks for is found without a scan; published rows are forgotten after 30 days."""
        self.rows.create_index([("state", ASCENDING), ("seq", ASCENDING)], name="state")
        self.rows.create_index([("seq", ASCENDING)], name="seq", unique=True)
        self.rows.create_index("published_at", expireAfterSeconds=int(KEPT.total_seconds()), name="forget")
        self._numbers.update_one({"_id": self._lease_id}, {"$setOnInsert": _NOBODYS}, upsert=True)

    # -- collect -----------------------------------------------------------------------------------------

    def collect(self, most: int) -> int:
        """Events of at most `most` ringing aggregates are moved into rows, in one transaction; returns how many.

        A crash moves all of them or none; two relays at once conflict, and one of them tries again.
        """
        ringing = self._ringing()
        if not ringing:
            return 0
        with self._database.client.start_session() as session:
            return session.with_transaction(
                lambda open_session: self._collect(ringing, most, open_session),
                read_concern=ReadConcern("snapshot"),
                write_concern=_MAJORITY,
            )

    def _ringing(self) -> list[str]:
        """The collections that have something to say, by one question instead of one for each."""
        if not self.collections:
            return []
        first, *others = self.collections
        joined = [{"$unionWith": {"coll": name, "pipeline": _rings(name)}} for name in others]
        return [found["name"] for found in self._database[first].aggregate([*_rings(first), *joined])]

    def _collect(self, ringing: Iterable[str], most: int, session: ClientSession) -> int:
        events: list[dict[str, Any]] = []
        moved: list[tuple[str, list[str]]] = []
        for name in ringing:
            found = self._database[name].find(_RINGING, {"outbox": 1}, session=session)
            documents = list(found.sort("ringing", ASCENDING).limit(most))
            moved.append((name, [document["_id"] for document in documents]))
            events.extend(row for document in documents for row in document["outbox"])
        if events:
            self._number(events, session)
        for name, document_ids in moved:
            self._empty(name, document_ids, session)
        return len(events)

    def _number(self, events: list[dict[str, Any]], session: ClientSession) -> None:
        counter = self._numbers.find_one_and_update(
            {"_id": self._producer},
            {"$inc": {"seq": len(events)}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        first = counter["seq"] - len(events) + 1
        self.rows.insert_many(
            [
                {**{key: value for key, value in event.items() if key != "id"}, **_fresh(event["id"], seq)}
                for seq, event in enumerate(events, start=first)
            ],
            session=session,
        )

    def _empty(self, name: str, document_ids: list[str], session: ClientSession) -> None:
        """All that was read is gone from the aggregates, and nothing else.

        In a snapshot transaction an aggregate that said more meanwhile is a write conflict: then all is done again.
        """
        self._database[name].update_many(
            {"_id": {"$in": document_ids}},
            {"$set": {"outbox": []}, "$unset": {"ringing": ""}},
            session=session,
        )

    # -- publish -----------------------------------------------------------------------------------------

    def sendable(self, most: int) -> list[dict[str, Any]]:
        """Held rows that are due, then pending ones in order of `seq`, but none of an aggregate that is held."""
        rows = list(self.rows.find(_UNSENT).sort(_HELD_FIRST).limit(most))
        return self._sendable_beside_held(most) if rows and rows[0]["state"] == "held" else rows

    def _sendable_beside_held(self, most: int) -> list[dict[str, Any]]:
        held = list(
            self.rows.find({"state": "held"}, {"aggregate_id": 1, "next_at": 1}).sort("seq", ASCENDING)
        )
        now = self._clock.now()
        due_ids = [row["_id"] for row in held if row["next_at"] <= now][:most]
        due = list(self.rows.find({"_id": {"$in": due_ids}}).sort("seq", ASCENDING)) if due_ids else []
        waiting = {"$nin": sorted({row["aggregate_id"] for row in held})}
        query = {"state": "pending", "aggregate_id": waiting}
        return due + list(self.rows.find(query).sort("seq", ASCENDING).limit(most - len(due)))

    def mark_published(self, event_ids: Sequence[str]) -> None:
        """The broker has confirmed these."""
        if event_ids:
            self.rows.update_many(
                {"_id": {"$in": list(event_ids)}},
                {
                    "$set": {"state": "published", "published_at": self._clock.now()},
                    "$unset": {"next_at": "", "held_because": ""},
                },
            )

    def hold(self, refused: dict[str, tuple[str, float]]) -> None:
        """These were refused, by event id: why, and seconds until the next try; later ones of each aggregate wait."""
        now = self._clock.now()
        writes = [
            UpdateOne(
                {"_id": event_id},
                {
                    "$set": {
                        "state": "held",
                        "held_because": reason,
                        "next_at": now + timedelta(seconds=wait_s),
                    },
                    "$inc": {"tries": 1},
                },
            )
            for event_id, (reason, wait_s) in refused.items()
        ]
        if writes:
            self.rows.bulk_write(writes, ordered=False)

    def republish(self, since: datetime) -> int:
        """Published events from `since` on are pending again, in their old order; returns how many.

        For a broker that came back empty: listeners absorb what they know.
        """
        again = self.rows.update_many(
            {"state": "published", "time": {"$gte": since}},
            {"$set": {"state": "pending"}, "$unset": {"published_at": ""}},
        )
        return again.modified_count

    def held_count(self) -> int:
        """How many events are refused by the broker at the moment."""
        return self.rows.count_documents({"state": "held"})

    def lag_s(self) -> float:
        """Age in seconds of the oldest event that is not published; 0 where there is none."""
        waiting = self.rows.find_one({"state": {"$in": ["pending", "held"]}}, {"time": 1}, sort=[("seq", 1)])
        times = [waiting["time"]] if waiting else []
        for name in self.collections:
            oldest = self._database[name].find_one(_RINGING, {"ringing": 1}, sort=[("ringing", 1)])
            times.extend([oldest["ringing"]] if oldest else [])
        return max(0.0, (self._clock.now() - min(times)).total_seconds()) if times else 0.0

    # -- the lease ---------------------------------------------------------------------------------------

    def take_lease(self, holder: str, lease_s: float) -> bool:
        """True where `holder` is the one relay of this producer for the next `lease_s` seconds, by the server's clock.

        It spares the others the work. It is not what keeps the order or the count right: two relays at once are safe.
        """
        is_free = {"$or": [{"$eq": ["$holder", holder]}, {"$lt": ["$until", "$$NOW"]}]}
        taken = self._numbers.update_one(
            {"_id": self._lease_id, "$expr": is_free},
            [{"$set": {"holder": holder, "until": {"$add": ["$$NOW", int(lease_s * 1000)]}}}],
        )
        return taken.matched_count == 1

    def give_lease_back(self, holder: str) -> None:
        """The next relay need not wait."""
        self._numbers.update_one({"_id": self._lease_id, "holder": holder}, {"$set": _NOBODYS})


def envelope_of(row: dict[str, Any]) -> Envelope:
    """The event of a row as it goes over the bus."""
    return Envelope(
        id=row["_id"],
        type=row["type"],
        source=row["source"],
        time=row["time"],
        aggregate_id=row["aggregate_id"],
        aggregate_seq=row["aggregate_seq"],
        producer_seq=row["seq"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        traceparent=row["traceparent"],
        data=bytes(row["data"]),
    )


def _rings(name: str) -> list[dict[str, Any]]:
    """The collection's name, once, where one of its aggregates has something to say."""
    return [{"$match": _RINGING}, {"$limit": 1}, {"$project": {"_id": 0, "name": name}}]


def _fresh(event_id: str, seq: int) -> dict[str, Any]:
    return {"_id": event_id, "seq": seq, "state": "pending"}
