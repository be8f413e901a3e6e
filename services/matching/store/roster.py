"""The roster in MongoDB: coded profiles, and beside them how much each specialist carries.

Two collections, because two kinds of writers meet here: an import replaces profiles in bulk, an acceptance raises one
load inside its transaction, and neither may undo the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson.binary import Binary
from google.protobuf.message import Message
from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from chassis.aggregates import Aggregates, Change, Loaded, New
from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from services.matching.domain.rank import Entry
from services.matching.domain.specialist import Specialist, Standing
from services.matching.domain.wellbeing import Care
from services.matching.store import profiles

COLLECTION = "specialists"
# What a profile has beside the columns of its row; an import changes none of it.
_OWN = ("never_sealed", "resting_until", "warned", "contact")
# How far the clocks of two machines, and a bulk write's begin and end, may lie apart.
OVERLAP = timedelta(seconds=5)
_AT_ONCE = 500
_LEASE_S = 60.0


@dataclass(frozen=True)
class Enrollment:
    """One row of a roster that is to be stored: the profile, its digest, what it says for a revision."""

    specialist: Specialist
    body: dict[str, Any]
    capacity: int
    row_digest: bytes
    due_at: datetime | None = None


@dataclass(frozen=True)
class Profile:
    """One stored entry of the roster, as it was read; hand it back to `save_own` to change it."""

    specialist: Specialist
    standing: Standing
    loaded: Loaded

    @property
    def revision(self) -> int:
        """Rises with every change."""
        revision: int = self.loaded.body["revision"]
        return revision


class RosterStore:
    """Profiles (`specialists`) and loads (`caseloads`). `care` says when somebody rests; `seal` closes never-lists."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock, care: Care, seal: AtRest) -> None:
        self._care = care
        self._seal = seal
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
        self.aggregates.collection.create_index(
            [("programme_id", ASCENDING), ("certifications.until", ASCENDING)], name="certified_until"
        )
        self.aggregates.collection.create_index(
            [("programme_id", ASCENDING), ("_id", ASCENDING)], name="programme"
        )

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
            [
                New(row.specialist.specialist_id, self._body(row, 1), cause, [says], row.due_at)
                for row, says in rows
            ]
        )

    def replace(self, rows: Sequence[tuple[Loaded, Enrollment, Message]], cause: Cause) -> set[str]:
        """Changed specialists have their next revision; returns the ids of those changed by another meanwhile."""
        return self.aggregates.save_many(
            [
                Change(
                    loaded, self._changed(loaded, row, loaded.body["revision"] + 1), cause, [says], row.due_at
                )
                for loaded, row, says in rows
            ]
        )

    def entries(self, specialist_ids: Sequence[str]) -> dict[str, Entry]:
        """The specialists as they are now, by id; one without a caseload yet is left out."""
        return {
            one: (found.specialist, found.standing) for one, found in self.profiles(specialist_ids).items()
        }

    def profiles(self, specialist_ids: Sequence[str]) -> dict[str, Profile]:
        """The same with their documents."""
        loads = {load["_id"]: load for load in self.caseloads.find({"_id": {"$in": list(specialist_ids)}})}
        return {
            one: self._profile(loaded, loads[one])
            for one, loaded in self.load_many(specialist_ids).items()
            if one in loads
        }

    def profile(self, specialist_id: str) -> Profile:
        """The entry; raises Refusal NOT_FOUND."""
        found = self.profiles([specialist_id]).get(specialist_id)
        if found is None:
            raise Refusal("specialist-unknown", Kind.NOT_FOUND, "The roster has no such entry.")
        return found

    def of_programme(self, programme_id: str) -> Iterator[list[Profile]]:
        """Everybody of a programme, of all for "", in the order of their ids, in portions."""
        after = ""
        while True:
            query: dict[str, Any] = {"_id": {"$gt": after}}
            if programme_id:
                query["programme_id"] = programme_id
            found = self.aggregates.collection.find(query, {"_id": 1}).sort("_id", ASCENDING).limit(_AT_ONCE)
            ids = [document["_id"] for document in found]
            if not ids:
                return
            after = ids[-1]
            known = self.profiles(ids)
            yield [known[one] for one in ids if one in known]

    def expiring(self, programme_id: str, last_day: str, most: int) -> list[Profile]:
        """Specialists of a programme with a certification that ends on this day or before, soonest first."""
        query = {"programme_id": programme_id, "certifications.until": {"$lte": last_day}}
        found = self.aggregates.collection.find(query, {"_id": 1}).sort("certifications.until", 1).limit(most)
        ids = [document["_id"] for document in found]
        known = self.profiles(ids)
        return [known[one] for one in ids if one in known]

    def save_own(
        self, profile: Profile, own: Mapping[str, Any], says: Sequence[Message], cause: Cause, **due: Any
    ) -> None:
        """These of their own facts are stored with what they say; the revision rises. Raises StaleVersion."""
        loaded = profile.loaded
        body = loaded.body | dict(own) | {"revision": profile.revision + 1, "updated_at": self._clock.now()}
        self.aggregates.save(loaded, body, says=says, cause=cause, due_at=due.get("due_at", loaded.due_at))

    def sealed_never(self, specialist_id: str, peers: Iterable[str]) -> dict[str, Any]:
        """A never-list as `save_own` stores it: whoever reads the database learns nothing from it."""
        plain = json.dumps(sorted(peers)).encode()
        return {"never_sealed": Binary(self._seal.seal(plain, f"never:{specialist_id}"))}

    def claim_warnings(self, limit: int) -> list[Profile]:
        """Entries with a certification that somebody has to be warned about, each given to one worker for a while."""
        claimed = self.aggregates.claim_due(limit, _LEASE_S)
        loads = self.caseloads.find({"_id": {"$in": [loaded.aggregate_id for loaded in claimed]}})
        by_id = {load["_id"]: load for load in loads}
        return [
            self._profile(loaded, by_id[loaded.aggregate_id])
            for loaded in claimed
            if loaded.aggregate_id in by_id
        ]

    def _profile(self, loaded: Loaded, caseload: Mapping[str, Any]) -> Profile:
        document = loaded.body | {"_id": loaded.aggregate_id}
        never: frozenset[str] = frozenset()
        if loaded.body.get("never_sealed"):
            opened = self._seal.open(bytes(loaded.body["never_sealed"]), f"never:{loaded.aggregate_id}")
            never = frozenset(json.loads(opened))
        specialist = profiles.to_specialist(document, never)
        return Profile(specialist, profiles.to_standing(caseload, document, self._care), loaded)

    def count(self) -> int:
        """About how many entries there are."""
        return self.aggregates.collection.estimated_document_count()

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
        loads = self.caseloads.find(query, {"load_milli": 1, "capacity_milli": 1, "updated_at": 1})
        changed = {(found["_id"], f"profile {found['version']}") for found in profiles}
        for found in loads:
            mark = f"{found['load_milli']} {found['capacity_milli']} {found['updated_at'].isoformat()}"
            changed.add((found["_id"], mark))
        return changed

    def supervisors(self) -> list[Specialist]:
        """Every supervisor of the roster."""
        found = self.aggregates.collection.find({"role": "supervisor"}, {"outbox": 0, "handled": 0})
        return [profiles.to_specialist(profile) for profile in found]

    def programme_of(self, specialist_id: str) -> str:
        """The programme a specialist belongs to, "" where there is no such specialist."""
        found = self.aggregates.collection.find_one({"_id": specialist_id}, {"programme_id": 1})
        return found["programme_id"] if found else ""

    def _changed(self, loaded: Loaded, row: Enrollment, revision: int) -> dict[str, Any]:
        own = {name: loaded.body[name] for name in _OWN if name in loaded.body}
        return own | self._body(row, revision)

    def _body(self, row: Enrollment, revision: int) -> dict[str, Any]:
        marks = {"revision": revision, "row_digest": row.row_digest, "updated_at": self._clock.now()}
        return row.body | marks
