"""The roster in MongoDB: coded profiles, and beside them how much each specialist carries.

Two collections, because two kinds of writers meet here: an import replaces profiles in bulk, an acceptance raises one
load inside its transaction, and neither may undo the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from chassis.aggregates import Aggregates, Change, Loaded, New
from chassis.clock import Clock
from chassis.envelope import Cause
from services.matching.domain.rank import Entry
from services.matching.domain.specialist import Specialist
from services.matching.store import documents

COLLECTION = "specialists"
# How far the clocks of two machines, and a bulk write's begin and end, may lie apart.
OVERLAP = timedelta(seconds=5)
_AT_ONCE = 2_000


@dataclass(frozen=True)
class Enrollment:
    """One row of a roster that is to be stored: the profile, its digest, what it says for a revision."""

    specialist: Specialist
    body: dict[str, Any]
    capacity: int
    row_digest: bytes


class RosterStore:
    """Profiles (`specialists`) and loads (`caseloads`)."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.aggregates = Aggregates(database, COLLECTION, clock, "matching")
        self.caseloads = database["caseloads"]
        self._clock = clock

    def ensure_indexes(self) -> None:
        """Every query below is answered from an index (tests/store/test_matching_queries.py)."""
        self.aggregates.ensure_indexes()
        self.aggregates.collection.create_index("updated_at", name="updated")
        self.aggregates.collection.create_index(
            [("role", ASCENDING), ("_id", ASCENDING)],
            name="supervisors",
            partialFilterExpression={"role": "supervisor"},
        )
        self.caseloads.create_index("updated_at", name="updated")

    def load_many(self, specialist_ids: Sequence[str]) -> dict[str, Loaded]:
        """Those of the profiles that exist, by id."""
        return self.aggregates.load_many(specialist_ids)

    def set_capacities(self, enrollments: Sequence[Enrollment]) -> None:
        """Each has the capacity of their row; what they carry stays, somebody new carries nothing."""
        now = self._clock.now()
        writes = [
            UpdateOne(
                {"_id": row.specialist.specialist_id},
                {
                    "$set": {"capacity_milli": row.capacity * 1000, "updated_at": now},
                    "$setOnInsert": {"load_milli": 0, "waiting_since": now},
                },
                upsert=True,
            )
            for row in enrollments
        ]
        if writes:
            self.caseloads.bulk_write(writes, ordered=False)

    def insert(self, rows: Sequence[tuple[Enrollment, Message]], cause: Cause) -> set[str]:
        """New specialists are stored as revision 1 with what they say; returns the ids of those already there."""
        return self.aggregates.insert_many(
            [New(row.specialist.specialist_id, self._body(row, 1), cause, [says]) for row, says in rows]
        )

    def replace(self, rows: Sequence[tuple[Loaded, Enrollment, Message]], cause: Cause) -> set[str]:
        """Changed specialists have their next revision; returns the ids of those changed by another meanwhile."""
        return self.aggregates.save_many(
            [
                Change(loaded, self._body(row, loaded.body["revision"] + 1), cause, [says])
                for loaded, row, says in rows
            ]
        )

    def entries(self, specialist_ids: Sequence[str]) -> dict[str, Entry]:
        """The specialists as they are now, by id; one without a caseload yet is left out."""
        ids = {"$in": list(specialist_ids)}
        loads = {load["_id"]: load for load in self.caseloads.find({"_id": ids})}
        profiles = self.aggregates.collection.find({"_id": ids}, {"outbox": 0, "handled": 0})
        return {
            profile["_id"]: (documents.to_specialist(profile), documents.to_standing(loads[profile["_id"]]))
            for profile in profiles
            if profile["_id"] in loads
        }

    def all_ids(self) -> Iterator[list[str]]:
        """The ids of everybody, in portions."""
        portion: list[str] = []
        for found in self.aggregates.collection.find({}, {"_id": 1}):
            portion.append(found["_id"])
            if len(portion) == _AT_ONCE:
                yield portion
                portion = []
        yield portion

    def changed_since(self, moment: datetime) -> set[tuple[str, str]]:
        """(id, mark) of every profile and load that changed since a little before; another mark is another state."""
        query = {"updated_at": {"$gte": moment - OVERLAP}}
        profiles = self.aggregates.collection.find(query, {"version": 1})
        loads = self.caseloads.find(query, {"load_milli": 1, "capacity_milli": 1, "waiting_since": 1})
        changed = {(found["_id"], f"profile {found['version']}") for found in profiles}
        for found in loads:
            mark = f"{found['load_milli']} {found['capacity_milli']} {found['waiting_since'].isoformat()}"
            changed.add((found["_id"], mark))
        return changed

    def supervisors(self) -> list[Specialist]:
        """Every supervisor of the roster."""
        found = self.aggregates.collection.find({"role": "supervisor"}, {"outbox": 0, "handled": 0})
        return [documents.to_specialist(profile) for profile in found]

    def programme_of(self, specialist_id: str) -> str:
        """The programme a specialist belongs to, "" where there is no such specialist."""
        found = self.aggregates.collection.find_one({"_id": specialist_id}, {"programme_id": 1})
        return found["programme_id"] if found else ""

    def _body(self, row: Enrollment, revision: int) -> dict[str, Any]:
        marks = {"revision": revision, "row_digest": row.row_digest, "updated_at": self._clock.now()}
        return row.body | marks
