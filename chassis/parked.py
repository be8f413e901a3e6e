"""Events that could not be handled: kept whole and encrypted, counted, listed, replayed or given up with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from chassis import metrics
from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.delivery import Delivery, unpack

_PIECE_BYTES = 8_000_000  # a MongoDB document holds at most 16 MB
_KEPT_AFTER_END = timedelta(days=90)


class Reason(StrEnum):
    """Why an event was parked; stable codes."""

    UNDECODABLE = "undecodable"
    UNKNOWN_TYPE = "unknown-type"
    TOO_LARGE = "too-large"
    BUG = "bug"
    KILLS_PROCESS = "kills-process"
    DELIVERY_LIMIT = "delivery-limit"
    TOO_EARLY = "too-early"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked event, without its body."""

    parked_id: str
    event_id: str
    event_type: str
    reason: str
    detail: str
    parked_at: datetime
    size_bytes: int


class ParkedEvents:
    """The parked events of one service."""

    def __init__(
        self, database: Database[dict[str, Any]], service: str, clock: Clock, cipher: AtRest
    ) -> None:
        self.rows = database["parked_events"]
        self.pieces = database["parked_pieces"]
        self.service = service
        self._clock = clock
        self._cipher = cipher

    def ensure_indexes(self) -> None:
        """Listing and counting scan nothing; what was replayed or discarded is forgotten after 90 days."""
        self.rows.create_index([("state", ASCENDING), ("parked_at", ASCENDING)], name="state")
        self.rows.create_index("forget_at", expireAfterSeconds=0, name="forget")
        self.pieces.create_index("forget_at", expireAfterSeconds=0, name="forget")

    def park(self, delivery: Delivery, reason: str, detail: str) -> str:
        """The event is stored before this returns, once however often it comes; returns the row's id.

        `detail` says where in the code; it MUST NOT hold a value from the message.
        """
        parked_id = f"parked_{delivery.fingerprint()}"
        sealed = self._cipher.seal(delivery.pack(), parked_id)
        pieces = [sealed[start : start + _PIECE_BYTES] for start in range(0, len(sealed), _PIECE_BYTES)]
        for number, piece in enumerate(pieces[1:], start=1):
            self.pieces.replace_one({"_id": f"{parked_id}.{number}"}, {"bytes": piece}, upsert=True)
        self.rows.update_one(
            {"_id": parked_id},
            {
                "$set": {
                    "state": "parked",
                    "reason": str(reason),
                    "detail": detail,
                    "event_id": delivery.event_id(),
                    "event_type": delivery.event_type(),
                    "parked_at": self._clock.now(),
                    "size_bytes": len(delivery.body),
                    "sealed": pieces[0],
                    "pieces": len(pieces),
                },
                "$unset": {"forget_at": ""},
                "$inc": {"times": 1},
            },
            upsert=True,
        )
        metrics.PARKED_TOTAL.labels(self.service, str(reason)).inc()
        return parked_id

    def listed(self, limit: int = 100) -> list[Parked]:
        """The oldest parked events, oldest first."""
        found = self.rows.find({"state": "parked"}, {"sealed": 0}).sort("parked_at", 1).limit(limit)
        return [_parked(row) for row in found]

    def count(self) -> int:
        """How many are parked now."""
        return self.rows.count_documents({"state": "parked"})

    def open(self, parked_ids: list[str]) -> Iterator[tuple[str, Delivery]]:
        """Those of the events that are still parked, with their bytes."""
        for row in self.rows.find({"_id": {"$in": parked_ids}, "state": "parked"}):
            yield row["_id"], self.unsealed(row)

    def unsealed(self, row: dict[str, Any]) -> Delivery:
        """The message of a row as it is stored."""
        sealed = bytes(row["sealed"])
        for number in range(1, row["pieces"]):
            piece = self.pieces.find_one({"_id": f"{row['_id']}.{number}"})
            if piece is None:
                raise LookupError(f"piece {number} of {row['_id']} is missing")
            sealed += bytes(piece["bytes"])
        return unpack(self._cipher.open(sealed, row["_id"]))

    def close(self, parked_id: str, state: str, actor_id: str, reason: str) -> bool:
        """The row ends as "replayed" or "discarded", with who and why; False where it was not parked."""
        now = self._clock.now()
        forget_at = now + _KEPT_AFTER_END
        note = {"state": state, "actor_id": actor_id, "reason": reason, "at": now}
        closed = self.rows.update_one(
            {"_id": parked_id, "state": "parked"},
            {"$set": {"state": state, "forget_at": forget_at}, "$push": {"notes": note}},
        )
        if closed.matched_count:
            self.pieces.update_many(
                {"_id": {"$regex": f"^{parked_id}\\."}}, {"$set": {"forget_at": forget_at}}
            )
        return bool(closed.matched_count)


def _parked(row: dict[str, Any]) -> Parked:
    return Parked(
        parked_id=row["_id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        reason=row["reason"],
        detail=row["detail"],
        parked_at=row["parked_at"],
        size_bytes=row["size_bytes"],
    )
