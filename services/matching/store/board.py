"""What a board and a report look at: the cases as they stand, who carries what, a mark of what is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from services.matching.domain.case import ASSIGNED, FOLLOWED, SEEKING, UNFILLED, Case
from services.matching.store import documents

_SEEN = {
    "state": 1,
    "wave": 1,
    "revision": 1,
    "offers.state": 1,
    "offers.step": 1,
    "offers.promised_arrival_at": 1,
    "is_overdue_told": 1,
    "handoff.outcome": 1,
    "checkins.state": 1,
}
Query = dict[str, Any]


class BoardStore:
    """Reads only; what it finds MUST be in the audit log before it is shown."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._cases = database["cases"]
        self._people = database["specialists"]

    def ensure_indexes(self) -> None:
        """Every query below is answered from an index (tests/store/test_matching_board_queries.py)."""
        self._cases.create_index([("opened_at", ASCENDING)], name="opened")

    def waiting(self, most: int) -> list[Case]:
        """Who is sought for and who is unfilled, the longest waiting of the latter first."""
        unfilled = self._cases.find({"state": UNFILLED}, {"outbox": 0}).sort("opened_at", ASCENDING)
        seeking = self._cases.find({"state": SEEKING}, {"outbox": 0})
        return [*self._read(unfilled.limit(most)), *self._read(seeking.limit(most))]

    def carried(self, specialist_ids: Sequence[str]) -> list[Case]:
        """The cases these carry, before and after the first meeting."""
        found = self._read(self._cases.find(_carried(specialist_ids), {"outbox": 0}))
        return [case for case in found if case.state in (ASSIGNED, FOLLOWED)]

    def opened_between(self, since: datetime, until: datetime, most: int) -> list[Case]:
        """The cases that were opened from one moment up to another, the oldest first."""
        query = {"opened_at": {"$gte": since, "$lt": until}}
        found = self._cases.find(query, {"outbox": 0, "handled": 0}).sort("opened_at", ASCENDING)
        return self._read(found.limit(most))

    def members(self, programme_id: str) -> list[str]:
        """The ids of a programme's people."""
        found = self._people.find({"programme_id": programme_id}, {"_id": 1})
        return [document["_id"] for document in found]

    def is_known(self, programme_id: str) -> bool:
        """True where somebody of this programme is on the roster."""
        return self._people.find_one({"programme_id": programme_id}, {"_id": 1}) is not None

    def zone_of(self, programme_id: str) -> str:
        """The time zone of the first of a programme's people by id, UTC where it has none."""
        found = self._people.find({"programme_id": programme_id}, {"time_zone": 1}).sort("_id", ASCENDING)
        return next((str(document["time_zone"]) for document in found.limit(1)), "UTC")

    def mark_of_board(self, programme_id: str) -> str:
        """Differs as soon as a board of this programme would; tells nothing of anybody."""
        ids = self.members(programme_id)
        queries = [{"state": SEEKING}, {"state": UNFILLED}, _carried(ids)]
        return _mark(document for query in queries for document in self._cases.find(query, _SEEN))

    def mark_of_person(self, specialist_id: str) -> str:
        """The same for one specialist's own page: what they carry, and their latest offers."""
        offers = self._cases.find({"offers.specialist_id": specialist_id}, _SEEN).sort("opened_at", -1)
        carried = self._cases.find(_carried([specialist_id]), _SEEN)
        return _mark([*offers.limit(20), *carried])

    @staticmethod
    def _read(found: Iterable[dict[str, Any]]) -> list[Case]:
        return [documents.to_case(document["_id"], document) for document in found]


def _carried(specialist_ids: Sequence[str]) -> Query:
    return {"assigned_specialist_id": {"$in": list(specialist_ids), "$gt": ""}}


def _mark(found: Iterable[dict[str, Any]]) -> str:
    told = sorted(repr(sorted(document.items(), key=lambda fact: fact[0])) for document in found)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:24]
