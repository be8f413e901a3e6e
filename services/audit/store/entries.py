"""MongoDB under one log: entries, index rows and tiles; the head is in store/heads.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from services.audit.domain import sequences
from services.audit.domain.entry import Batch
from services.audit.domain.period import FIRST, ROOT, LogPlace
from services.audit.store.producers import HeardSequences
from services.audit.store.tiles import TileStore
from services.audit.tlog.folds import KeptFolds

Document = dict[str, Any]
# An index is a whole number: 50.5 is no line of the log.
_WHOLE: dict[str, Any] = {"$type": ["int", "long"]}
_ROW_ORDER = [("recorded_at", DESCENDING), ("index", DESCENDING)]


class Store(TileStore):
    """One log's documents. What is written to entries, rows and tiles is never written again, only found equal.

    Indexes are those of this log; in the documents, and in `entries_at` and `search_rows`, entries are numbered
    through all periods.
    """

    def __init__(
        self, database: Database[Document], place: LogPlace = FIRST, kept: KeptFolds | None = None
    ) -> None:
        super().__init__(database, place, kept)
        own = "root_" if place == ROOT else ""
        self.entries: Collection[Document] = database[f"{own}entries"]
        self.rows: Collection[Document] = database[f"{own}rows"]
        self.sequences = HeardSequences(database[f"{own}producers"])
        self.oddities: Collection[Document] = database["oddities"]

    def ensure_indexes(self) -> None:
        """Event ids are unique by being the rows' ids; every search has an index that also gives its order."""
        self.rows.create_index([("index", ASCENDING)], unique=True)
        self.rows.create_index(_ROW_ORDER)
        for field in ("actor_id", "event_type"):
            self.rows.create_index([(field, ASCENDING), *_ROW_ORDER])
        for field in ("subject", "referral"):
            is_there = {field: {"$exists": True}}
            self.rows.create_index([(field, ASCENDING), *_ROW_ORDER], partialFilterExpression=is_there)

    # -- entries, rows, tiles

    def known_fingerprints(self, event_ids: Sequence[str]) -> dict[str, bytes]:
        """Of these events, those that are in the log, each with its fingerprint."""
        found = self.rows.find({"_id": {"$in": list(event_ids)}}, {"fingerprint": 1})
        return {row["_id"]: row["fingerprint"] for row in found}

    def write_entries(self, batch: Batch) -> None:
        """Leaves and bodies are there; raises LogBroken where others already were."""
        self._write_once(
            self.entries,
            [
                {"_id": number, "leaf": entry.leaf, "body": entry.body, "key_id": entry.key_id}
                for number, entry in enumerate(batch.entries, start=self.place.first + batch.start)
            ],
        )

    def write_rows(self, batch: Batch) -> None:
        """Index rows are there; raises LogBroken where others already were."""
        self._write_once(
            self.rows,
            [
                {"_id": entry.event_id, "index": number, **entry.row}
                for number, entry in enumerate(batch.entries, start=self.place.first + batch.start)
            ],
        )

    def leaves(self, start: int, end: int) -> Iterator[bytes]:
        """Leaves in order, as hashed; stops early where one is missing."""
        found = self.entries.find({"_id": self._between(start, end)}, {"leaf": 1}, sort=[("_id", ASCENDING)])
        for expected, document in enumerate(found, start=self.place.first + start):
            if document["_id"] != expected:
                return
            yield document["leaf"]

    def entries_at(self, indexes: Sequence[int]) -> dict[int, Document]:
        """Entries by index."""
        return {document["_id"]: document for document in self.entries.find({"_id": {"$in": list(indexes)}})}

    def search_rows(self, query: Document, limit: int) -> list[Document]:
        """Index rows, newest first."""
        return list(self.rows.find(query).sort(_ROW_ORDER).limit(limit))

    def is_about_any(self, subjects: Sequence[bytes]) -> bool:
        """Whether an entry about these people, by their blinded names, says more than that the log was asked."""
        more = [{"producer": {"$ne": "audit"}}, {"event_type": "event.received.v1"}]
        return self.rows.find_one({"subject": {"$in": list(subjects)}, "$or": more}, {"_id": 1}) is not None

    # -- for a check of the whole log

    def entries_between(self, start: int, end: int) -> list[Document]:
        """Entries [start, end) in order, each under its index in this log."""
        found = self.entries.find({"_id": self._between(start, end) | _WHOLE}, sort=[("_id", ASCENDING)])
        return [entry | {"_id": entry["_id"] - self.place.first} for entry in found]

    def rows_between(self, start: int, end: int) -> list[Document]:
        """Index rows of the entries [start, end), each with its index in this log."""
        found = self.rows.find({"index": self._between(start, end) | _WHOLE})
        return [row | {"index": row["index"] - self.place.first} for row in found]

    def highest_indexes(self) -> tuple[int, int]:
        """The highest index of an entry and of a row; -1 where there is none."""
        entry = self.entries.find_one({"_id": {"$gte": 0} | _WHOLE}, sort=[("_id", DESCENDING)])
        row = self.rows.find_one({"index": {"$gte": 0} | _WHOLE}, sort=[("index", DESCENDING)])
        before = self.place.first
        return (entry["_id"] - before if entry else -1, row["index"] - before if row else -1)

    def without_index(self) -> tuple[int, int]:
        """How many entries and rows are by their very form no line of the log."""
        none: Document = {"$not": {"$gte": 0} | _WHOLE}
        return self.entries.count_documents({"_id": none}), self.rows.count_documents({"index": none})

    def sequences_in_rows(self, end: int | None = None) -> dict[str, sequences.Ranges]:
        """The numbers of each producer in the rows of the first `end` entries of all periods, or in all rows."""
        return self._sequences({} if end is None else {"index": {"$lt": end}})

    def _sequences(self, among: Document) -> dict[str, sequences.Ranges]:
        numbered = {"producer": {"$type": "string"}, "producer_seq": {"$gt": 0, "$type": ["int", "long"]}}
        numbers: dict[str, list[int]] = {}
        for row in self.rows.find(among | numbered, {"producer": 1, "producer_seq": 1}):
            numbers.setdefault(row["producer"], []).append(row["producer_seq"])
        return {producer: sequences.heard((), heard) for producer, heard in numbers.items()}

    def oddities_noted(self, limit: int) -> list[Document]:
        """What was odd about events that came."""
        return list(self.oddities.find().sort("_id", 1).limit(limit))

    # -- pruning

    def newest_time(self, end_number: int) -> datetime | None:
        """The latest recorded time of this log's entries, whose numbers end before `end_number`."""
        inside = {"index": {"$gte": self.place.first, "$lt": end_number}}
        row = self.rows.find_one(inside, {"recorded_at": 1}, sort=[("recorded_at", DESCENDING)])
        return row["recorded_at"] if row else None

    def has_any_key(self, key_ids: Sequence[bytes], end_number: int) -> bool:
        """Whether an entry of this log is sealed with one of these keys."""
        inside = {"_id": {"$gte": self.place.first, "$lt": end_number}, "key_id": {"$in": list(key_ids)}}
        return self.entries.find_one(inside, {"_id": 1}) is not None

    def sequences_between(self, start: int, end: int) -> dict[str, sequences.Ranges]:
        """The numbers of each producer in the rows of the entries with these numbers."""
        return self._sequences({"index": {"$gte": start, "$lt": end}})

    def delete_all(self, size: int) -> None:
        """Nothing of this log's entries, rows and tiles is left; its head stays."""
        inside = {"$gte": self.place.first, "$lt": self.place.first + size}
        self.rows.delete_many({"index": inside})
        self.entries.delete_many({"_id": inside})
        self.tiles.delete_many({"_id": {"$regex": f"^{self.place.prefix}tile/"}})

    # -- oddities

    def note_reused_id(self, event_id: str, fingerprint: bytes, first: bytes) -> None:
        """An event came under the id of another one: kept, and named by every check of the log."""
        body = {"code": "event-id-reused", "event_id": event_id, "fingerprint": fingerprint, "first": first}
        self.oddities.update_one(
            {"_id": f"{event_id}/{fingerprint.hex()}"}, {"$setOnInsert": body}, upsert=True
        )

    def _between(self, start: int, end: int) -> Document:
        return {"$gte": self.place.first + start, "$lt": self.place.first + end}
