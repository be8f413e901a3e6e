"""MongoDB under the log: staged batches, the head, entries, index rows and tiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.audit.domain import sequences
from services.audit.domain.entry import Batch, Head, Heads, LogBroken, SealedEntry
from services.audit.duplicates import only_duplicates
from services.audit.producers import HeardSequences
from services.audit.tlog.merkle import HASH_BYTES
from services.audit.tlog.tiles import TILE_WIDTH, Tile, TilePlace, bundle_path, encode_bundle

Document = dict[str, Any]
_HEAD = "head"
# An index is a whole number: 50.5 is no line of the log.
_WHOLE: dict[str, Any] = {"$type": ["int", "long"]}
_ROW_ORDER = [("recorded_at", DESCENDING), ("index", DESCENDING)]


class Store:
    """One log's documents. What is written to entries, rows and tiles is never written again, only found equal."""

    def __init__(self, database: Database[Document]) -> None:
        self.staged: Collection[Document] = database["staged"]
        self.heads: Collection[Document] = database["heads"]
        self.entries: Collection[Document] = database["entries"]
        self.rows: Collection[Document] = database["rows"]
        self.tiles: Collection[Document] = database["tiles"]
        self.sequences = HeardSequences(database["producers"])
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

    # -- the head

    def heads_now(self) -> Heads | None:
        """Both heads, or None before the log's first moment."""
        document = self.heads.find_one({"_id": _HEAD})
        return Heads(_head(document), _head(document.get("published"))) if document else None

    def begin(self, head: Head) -> None:
        """There is a head: this one, or the one another worker began with."""
        body = _head_fields(head)
        try:
            self.heads.insert_one({"_id": _HEAD, **body, "published": body})
        except DuplicateKeyError:
            return

    def swap_head(self, old: Head, new: Head) -> bool:
        """THE commit point: `new` is the head if `old` still was; False where another worker was quicker."""
        seen = {"_id": _HEAD, "size": old.size, "root": old.root}
        return self.heads.update_one(seen, {"$set": _head_fields(new)}).matched_count == 1

    def mark_published(self, head: Head) -> None:
        """Everything up to this head can be read; never moves back."""
        seen = {"_id": _HEAD, "published.size": {"$lt": head.size}}
        self.heads.update_one(seen, {"$set": {"published": _head_fields(head)}})

    # -- staged batches

    def stage(self, batch: Batch) -> bool:
        """The content from this index on is fixed for ever; False where it already was."""
        document = {
            "_id": batch.start,
            "event_ids": [entry.event_id for entry in batch.entries],
            "leaves": [entry.leaf for entry in batch.entries],
            "bodies": [entry.body for entry in batch.entries],
            "key_ids": [entry.key_id for entry in batch.entries],
            "rows": [entry.row for entry in batch.entries],
        }
        try:
            self.staged.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def staged_at(self, start: int) -> Batch | None:
        """The batch that was fixed from this index on, while it is not published."""
        document = self.staged.find_one({"_id": start})
        if document is None:
            return None
        parts = (document[name] for name in ("event_ids", "leaves", "bodies", "key_ids", "rows"))
        return Batch(start, tuple(SealedEntry(*fields) for fields in zip(*parts, strict=True)))

    def forget_staged(self, published_size: int) -> None:
        """Batches that are published are not needed again."""
        self.staged.delete_many({"_id": {"$lt": published_size}})

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
                {"_id": index, "leaf": entry.leaf, "body": entry.body, "key_id": entry.key_id}
                for index, entry in enumerate(batch.entries, start=batch.start)
            ],
        )

    def write_rows(self, batch: Batch) -> None:
        """Index rows are there; raises LogBroken where others already were."""
        self._write_once(
            self.rows,
            [
                {"_id": entry.event_id, "index": index, **entry.row}
                for index, entry in enumerate(batch.entries, start=batch.start)
            ],
        )

    def write_tiles(self, tiles: Sequence[Tile], bundles: Mapping[int, Sequence[bytes]]) -> None:
        """Tiles and full entry bundles are there; raises LogBroken where others already were."""
        documents = [{"_id": tile.place.path(), "content": tile.content} for tile in tiles]
        documents += [
            {"_id": bundle_path(number), "content": encode_bundle(leaves)}
            for number, leaves in bundles.items()
        ]
        self._write_once(self.tiles, documents)

    def forget_partial_tiles(self, full: Iterable[TilePlace]) -> None:
        """Partial tiles of places that are full now (tlog-tiles allows it)."""
        ranges = [{"_id": {"$gte": f"{place.path()}.p/", "$lt": f"{place.path()}.p0"}} for place in full]
        if ranges:
            self.tiles.delete_many({"$or": ranges})

    def tile(self, place: TilePlace, published_size: int) -> bytes | None:
        """A tile's hashes, cut from the widest stored one when an older, narrower one is asked for."""
        reach = (published_size >> (8 * place.level)) - place.index * TILE_WIDTH
        stored = TilePlace(place.level, place.index, min(reach, TILE_WIDTH))
        full = TilePlace(place.level, place.index, TILE_WIDTH)
        for candidate in dict.fromkeys((stored, full)):
            document = self.tiles.find_one({"_id": candidate.path()})
            if document:
                return _content(document)[: place.width * HASH_BYTES]
        return None

    def tiles_at(self, places: Sequence[TilePlace]) -> list[Tile]:
        """Those of the tiles that are stored under exactly these paths."""
        by_path = {place.path(): place for place in places}
        found = self.tiles.find({"_id": {"$in": list(by_path)}})
        return [Tile(by_path[document["_id"]], _content(document)) for document in found]

    def leaves(self, start: int, end: int) -> Iterator[bytes]:
        """Leaves in order, as hashed; stops early where one is missing."""
        found = self.entries.find(
            {"_id": {"$gte": start, "$lt": end}}, {"leaf": 1}, sort=[("_id", ASCENDING)]
        )
        for expected, document in enumerate(found, start=start):
            if document["_id"] != expected:
                return
            yield document["leaf"]

    def entries_at(self, indexes: Sequence[int]) -> dict[int, Document]:
        """Entries by index."""
        return {document["_id"]: document for document in self.entries.find({"_id": {"$in": list(indexes)}})}

    def search_rows(self, query: Document, limit: int) -> list[Document]:
        """Index rows, newest first."""
        return list(self.rows.find(query).sort(_ROW_ORDER).limit(limit))

    # -- for a check of the whole log

    def entries_between(self, start: int, end: int) -> list[Document]:
        """Entries [start, end) in order."""
        found = self.entries.find({"_id": {"$gte": start, "$lt": end} | _WHOLE}, sort=[("_id", ASCENDING)])
        return list(found)

    def rows_between(self, start: int, end: int) -> list[Document]:
        """Index rows of the entries [start, end)."""
        return list(self.rows.find({"index": {"$gte": start, "$lt": end} | _WHOLE}))

    def stored_path(self, path: str) -> bytes | None:
        """What is stored under one tlog-tiles path."""
        document = self.tiles.find_one({"_id": path})
        return _content(document) if document else None

    def highest_indexes(self) -> tuple[int, int]:
        """The highest index of an entry and of a row; -1 where there is none."""
        entry = self.entries.find_one({"_id": {"$gte": 0} | _WHOLE}, sort=[("_id", DESCENDING)])
        row = self.rows.find_one({"index": {"$gte": 0} | _WHOLE}, sort=[("index", DESCENDING)])
        return (entry["_id"] if entry else -1, row["index"] if row else -1)

    def without_index(self) -> tuple[int, int]:
        """How many entries and rows are by their very form no line of the log."""
        none: Document = {"$not": {"$gte": 0} | _WHOLE}
        return self.entries.count_documents({"_id": none}), self.rows.count_documents({"index": none})

    def sequences_in_rows(self, size: int | None = None) -> dict[str, sequences.Ranges]:
        """The numbers of each producer in the rows of the first `size` entries, or in all rows."""
        query: Document = {
            "producer": {"$type": "string"},
            "producer_seq": {"$gt": 0, "$type": ["int", "long"]},
        }
        if size is not None:
            query["index"] = {"$lt": size}
        numbers: dict[str, list[int]] = {}
        for row in self.rows.find(query, {"producer": 1, "producer_seq": 1}):
            numbers.setdefault(row["producer"], []).append(row["producer_seq"])
        return {producer: sequences.heard((), heard) for producer, heard in numbers.items()}

    def oddities_noted(self, limit: int) -> list[Document]:
        """What was odd about events that came."""
        return list(self.oddities.find().sort("_id", 1).limit(limit))

    # -- oddities

    def note_reused_id(self, event_id: str, fingerprint: bytes, first: bytes) -> None:
        """An event came under the id of another one: kept, and named by every check of the log."""
        body = {"code": "event-id-reused", "event_id": event_id, "fingerprint": fingerprint, "first": first}
        self.oddities.update_one(
            {"_id": f"{event_id}/{fingerprint.hex()}"}, {"$setOnInsert": body}, upsert=True
        )

    def _write_once(self, collection: Collection[Document], documents: Sequence[Document]) -> None:
        """All documents are stored exactly so; raises LogBroken where one of them was stored otherwise."""
        if not documents:
            return
        try:
            collection.insert_many(documents, ordered=False)
        except BulkWriteError as exc:
            clashing = [documents[error["index"]] for error in only_duplicates(exc)]
            ids = [document["_id"] for document in clashing]
            stored = {found["_id"]: found for found in collection.find({"_id": {"$in": ids}})}
            for document in clashing:
                if stored.get(document["_id"]) != document:
                    raise LogBroken(f"{collection.name}-differ", str(document["_id"])) from None


def _content(document: Document) -> bytes:
    """The bytes of a stored tile or bundle; none where somebody put something else there."""
    content = document.get("content")
    return content if isinstance(content, bytes) else b""


def _head(document: Any) -> Head:
    try:
        size, root, checkpoint = (document[name] for name in ("size", "root", "checkpoint"))
    except (KeyError, TypeError) as wrong:
        raise LogBroken("head-malformed") from wrong
    if not (isinstance(size, int) and isinstance(root, bytes) and isinstance(checkpoint, bytes)):
        raise LogBroken("head-malformed")
    return Head(size, root, checkpoint)


def _head_fields(head: Head) -> Document:
    return {"size": head.size, "root": head.root, "checkpoint": head.checkpoint}
