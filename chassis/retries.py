"""Trying again: how long to wait in place, and the rows of events that wait longer than that."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.delivery import Delivery, unpack

_LEASE_S = 120.0
_MARKS_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Every wait and every limit of the end "retried"; seconds."""

    quick_tries: int = 4  # of an event that is too early, in place
    quick_wait_s: float = 0.05
    in_place_s: float = (
        30.0  # trouble outside; after this the event becomes a row, as soon as a row can be written
    )
    in_place_wait_s: float = 0.2
    # The issue is a database that comes back: a longer wait would only delay the recovery.
    longest_in_place_wait_s: float = 5.0
    row_wait_s: float = 1.0
    longest_row_wait_s: float = 300.0
    too_early_rows: int = 12  # 1 + 2 + ... + 256 + 3 * 300 s: about 23 minutes
    unavailable_rows: int = 300  # about a day
    starts: int = 3  # of an event that was started and never ended: then it is what kills the process

    def in_place_wait(self, tries: int) -> float:
        """Seconds before the next try in place, with jitter."""
        return jittered(self.in_place_wait_s, tries, self.longest_in_place_wait_s)

    def quick_wait(self, tries: int) -> float:
        """Seconds before the next quick try of an event that is too early."""
        return jittered(self.quick_wait_s, tries, 1.0)

    def row_wait(self, tries: int) -> float:
        """Seconds before a row is due again."""
        return jittered(self.row_wait_s, tries, self.longest_row_wait_s)


def jittered(first_s: float, tries: int, longest_s: float) -> float:
    """first_s, doubled for every try, at most longest_s; between half of that and all of it."""
    wait = min(longest_s, first_s * 2 ** min(tries, 32))
    return wait * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that is due: the event, how often it was tried as a row, and how many of these starts never ended."""

    event_id: str
    delivery: Delivery
    tries: int
    unended: int


class RetryEvents:
    """The events of one service that wait for another try."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock, cipher: AtRest) -> None:
        self.rows = database["retry_events"]
        self._clock = clock
        self._cipher = cipher

    def ensure_indexes(self) -> None:
        """Due rows are found without a scan."""
        self.rows.create_index([("next_at", ASCENDING)], name="next")

    def keep(self, event_id: str, delivery: Delivery, code: str, wait_s: float) -> None:
        """The event is stored and due in `wait_s`; one row however often it comes."""
        now = self._clock.now()
        self.rows.update_one(
            {"_id": event_id},
            {
                "$set": {"next_at": now + timedelta(seconds=wait_s), "code": code},
                "$setOnInsert": {
                    "tries": 0,
                    "kept_at": now,
                    "event_type": delivery.event_type(),
                    "sealed": self._cipher.seal(delivery.pack(), event_id),
                },
            },
            upsert=True,
        )

    def due(self, limit: int) -> Iterator[Waiting]:
        """Rows whose time has come, each given to one worker for two minutes, one more try counted."""
        for _ in range(limit):
            now = self._clock.now()
            row = self.rows.find_one_and_update(
                {"next_at": {"$lte": now}},
                {"$set": {"next_at": now + timedelta(seconds=_LEASE_S)}, "$inc": {"tries": 1, "started": 1}},
                sort=[("next_at", ASCENDING)],
                return_document=True,
            )
            if row is None:
                return
            delivery = unpack(self._cipher.open(bytes(row["sealed"]), row["_id"]))
            yield Waiting(row["_id"], delivery, row["tries"], row["started"] - 1)

    def again(self, event_id: str, code: str, wait_s: float) -> None:
        """The row is due once more in `wait_s`."""
        next_at = self._clock.now() + timedelta(seconds=wait_s)
        self.rows.update_one({"_id": event_id}, {"$set": {"next_at": next_at, "code": code, "started": 0}})

    def done(self, event_id: str) -> None:
        """The event ended: its row is gone."""
        self.rows.delete_one({"_id": event_id})

    def count(self) -> int:
        """How many wait."""
        return self.rows.estimated_document_count()


class Starts:
    """Marks of redelivered events that were started, so that one that kills the process is found.

    Without them it is delivered, kills, and is delivered again, for ever or up to the broker's limit.
    """

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.rows = database["started_events"]
        self._clock = clock

    def ensure_indexes(self) -> None:
        """Marks nobody took away are forgotten after two days."""
        self.rows.create_index("at", expireAfterSeconds=int(_MARKS_KEPT.total_seconds()), name="forget")

    def known(self, event_ids: list[str]) -> dict[str, int]:
        """How often each was started and not ended; absent means never."""
        return {row["_id"]: row["starts"] for row in self.rows.find({"_id": {"$in": event_ids}})}

    def begin(self, event_ids: list[str]) -> None:
        """One more start of each is stored before it is handled."""
        mark = {"$inc": {"starts": 1}, "$set": {"at": self._clock.now()}}
        self.rows.bulk_write(
            [UpdateOne({"_id": event_id}, mark, upsert=True) for event_id in event_ids], ordered=False
        )

    def end(self, event_ids: list[str]) -> None:
        """They ended, one way or another."""
        self.rows.delete_many({"_id": {"$in": event_ids}})
