"""The search index: for each entry its marks, blinded, in the order of time; derived from the log, and never believed.

It can be dropped and is built again from the entries.  Whoever edits it hides an entry from a search at most until the
next check (`check`) compares it with the log in both directions; what it shows is opened, compared with the leaf and
proven.  A person's marks hang on their own key: without it nobody can make them.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from services.audit.body_sealing import BodyUnreadable
from services.audit.domain.leaf import LeafMalformed, parse_leaf
from services.audit.duplicates import only_duplicates
from services.audit.entry_sealing import EntrySealer
from services.audit.fhir import ReadBody, facts_in, shown
from services.audit.keyring import DataKey, Keyring
from services.audit.search import marks, narrowing
from services.audit.search.asked import Asked, Criterion

Document = dict[str, Any]
_STATE = "finds"
_STEP = 1_024
_MARK_BYTES = 8
_NEWEST_FIRST = [("t", DESCENDING), ("_id", DESCENDING)]
_OLDEST_FIRST = [("t", ASCENDING), ("_id", ASCENDING)]
_FEW = 1_500
_MOST_AT_ONCE = 512


class SearchIndex:
    """The collection `finds`: {_id: number, e: event id, t: time, k: marks, and facts a report is made from}."""

    def __init__(self, database: Database[Document], keyring: Keyring, sealer: EntrySealer) -> None:
        self.finds: Collection[Document] = database["finds"]
        self._state: Collection[Document] = database["search_state"]
        self._entries: Collection[Document] = database["entries"]
        self._rows: Collection[Document] = database["rows"]
        self._keyring = keyring
        self._sealer = sealer
        self._blinded = lru_cache(100_000)(self._blind)

    def ensure_indexes(self) -> None:
        """Every search has an index that also gives its order."""
        self.finds.create_index([("k", ASCENDING), *_NEWEST_FIRST], name="mark")
        self.finds.create_index(_NEWEST_FIRST, name="time")
        for field in ("a", "s"):  # a report goes through one actor's or one person's entries
            there = {field: {"$exists": True}}
            self.finds.create_index(
                [(field, ASCENDING), *_NEWEST_FIRST], name=field, partialFilterExpression=there
            )

    # -- following the log

    def reached(self) -> int:
        """Entries below this number are indexed."""
        document = self._state.find_one({"_id": _STATE})
        return int(document["next"]) if document else 0

    def follow(self, size: int, most: int = _STEP) -> int:
        """Up to `most` further entries of the first `size` are indexed; returns how far the index reaches now.

        Any number of processes may do so at once: an entry is indexed by whoever comes first, always the same way.
        """
        start = self.reached()
        end = min(size, start + most)
        if end <= start:
            return start
        documents = list(self._made(start, end))
        try:
            if documents:
                self.finds.insert_many(documents, ordered=False)
        except BulkWriteError as exc:
            only_duplicates(exc)
        self._state.update_one({"_id": _STATE}, {"$max": {"next": end}}, upsert=True)
        return end

    def check(self, start: int, end: int) -> list[tuple[str, int]]:
        """What of the entries [start, end) is indexed otherwise than the log says, by name and number."""
        wanted = {document["_id"]: document for document in self._made(start, end)}
        here = {"_id": {"$gte": start, "$lt": end}}
        found = {document["_id"]: document for document in self.finds.find(here)}
        codes: list[tuple[str, int]] = []
        for number in sorted(wanted.keys() | found.keys()):
            if number not in found:
                codes.append(("search-row-missing", number))
            elif number not in wanted:
                codes.append(("search-row-extra", number))
            elif not self._is_same(found[number], wanted[number]):
                codes.append(("search-row-changed", number))
        return codes

    def outside(self, start: int, end: int, most: int = 100) -> list[Any]:
        """The numbers of rows that stand for no entry [start, end), at most so many."""
        whole = {"$gte": start, "$lt": end, "$type": ["int", "long"]}
        return [row["_id"] for row in self.finds.find({"_id": {"$not": whole}}, {"_id": 1}).limit(most)]

    def forget(self) -> None:
        """The index is empty and will be built again."""
        self._state.delete_one({"_id": _STATE})
        self.finds.delete_many({})

    def make_again(self, key_ids: Iterable[bytes]) -> None:
        """Entries whose keys were destroyed are found by what their rows still say, and by nothing of the person."""
        for found in list(self.finds.find({"s": {"$in": list(key_ids)}}, {"_id": 1})):
            for document in self._made(found["_id"], found["_id"] + 1):
                self.finds.replace_one({"_id": document["_id"]}, document, upsert=True)

    def forget_between(self, start: int, end: int) -> None:
        """The rows of a pruned period are gone."""
        self.finds.delete_many({"_id": {"$gte": start, "$lt": end}})

    # -- finding

    def candidates(
        self, asked: Asked, size: int, skip_until: tuple[datetime, int] | None
    ) -> Iterator[Document]:
        """Rows that may be what was asked for, in its order; each must still be opened and compared."""
        query = self._query(asked, size, skip_until)
        if query is None:
            return
        order = _NEWEST_FIRST if asked.is_newest_first else _OLDEST_FIRST
        hint = "mark" if "k" in query else "time"
        # As many as a page and one, so that the first answer is the last one where all of them fit.
        piece = min(asked.count + 1, _MOST_AT_ONCE) if asked.count else _MOST_AT_ONCE
        yield from self.finds.find(query, {"k": 0}).sort(order).hint(hint).batch_size(max(piece, 2))

    def between(self, since: datetime, until: datetime, size: int, **facts: Any) -> Iterator[Document]:
        """Rows of a time in its order, oldest first, with only these facts; without marks."""
        query = {"t": {"$gte": since, "$lt": until}, "_id": {"$lt": size}} | facts
        yield from self.finds.find(query, {"k": 0}).sort(_OLDEST_FIRST).batch_size(2_000)

    def of_numbers(self, numbers: Sequence[int]) -> list[Document]:
        """The rows of these entries."""
        return list(self.finds.find({"_id": {"$in": list(numbers)}}))

    def key_ids_of(self, subject_id: str) -> list[bytes]:
        """The names of a person's keys, under which a report finds them; none where they were erased."""
        return [key.key_id for key in self._keyring.keys_of_subject(subject_id)]

    def _query(self, asked: Asked, size: int, after: tuple[datetime, int] | None) -> Document | None:
        query: Document = {"_id": {"$lt": size}}
        if asked.since.year > 1 or asked.until.year < 9999:
            query["t"] = {"$gte": asked.since, "$lt": asked.until}
        wanted = [marked for each in asked.criteria if (marked := self._marks_of(each)) is not None]
        if any(not marked for _, marked in wanted):
            return None  # somebody without a key: nothing of theirs can be found
        if wanted:
            first = self._narrowest(wanted)
            query["k"] = {"$in": wanted[first][1]}
            others = [marked for place, (_, marked) in enumerate(wanted) if place != first]
            if others:
                # By expression, so that the index is entered at the narrowest mark and nowhere else.
                query["$expr"] = {
                    "$and": [{"$gt": [{"$size": {"$setIntersection": ["$k", one]}}, 0]} for one in others]
                }
        if after:
            moment, number = after
            step = "$lt" if asked.is_newest_first else "$gt"
            query["$or"] = [{"t": {step: moment}}, {"t": moment, "_id": {step: number}}]
            bound = "$lte" if asked.is_newest_first else "$gte"
            query["t"] = query.get("t", {}) | {bound: moment} if "t" in query else {bound: moment}
        return query

    def _narrowest(self, wanted: list[tuple[str, list[bytes]]]) -> int:
        places = sorted(range(len(wanted)), key=lambda place: narrowing.rank(wanted[place][0]))
        if len(places) == 1 or wanted[places[0]][0] in ("_id", "patient"):
            return places[0]
        fewest, best = _FEW, places[0]
        for place in places:
            count = self.finds.count_documents({"k": {"$in": wanted[place][1]}}, limit=_FEW, hint="mark")
            if count < fewest:
                fewest, best = count, place
        return best

    def _marks_of(self, criterion: Criterion) -> tuple[str, list[bytes]] | None:
        """The blinded marks of which a hit has one; None where the index does not know them."""
        parameter = criterion.parameter
        if criterion.modifier in ("not", "contains"):
            return None
        found: list[bytes] = []
        for value in criterion.values:
            if not value.text:
                return None  # "system|": any code of it
            if parameter in marks.REFERENCES:
                name = value.text if criterion.modifier == "identifier" else marks.last_step(value.text)
                found += [self._personal(key, parameter) for key in self._keyring.keys_of_subject(name)]
                found.append(self._blinded(parameter, name))
            elif parameter in marks.STRINGS:
                found.append(self._blinded(*narrowing.beginning(parameter, value.text, criterion.modifier)))
            else:
                text = value.text if parameter in marks.URIS else value.text.lower()
                if (parameter, text) in marks.COMMON:
                    return None
                found.append(self._blinded(parameter, text))
        return parameter, sorted(set(found))

    # -- making rows

    def _made(self, start: int, end: int) -> Iterator[Document]:
        """The index rows of the stored entries [start, end)."""
        entries = list(self._entries.find({"_id": {"$gte": start, "$lt": end}}))
        rows = {row["index"]: row for row in self._rows.find({"index": {"$gte": start, "$lt": end}})}
        keys = self._keyring.keys_by_id(entry["key_id"] for entry in entries)
        for entry in entries:
            row = rows.get(entry["_id"])
            if row is not None:
                yield self._row(entry, row, keys.get(entry["key_id"]))

    def _row(self, entry: Document, row: Document, key: DataKey | None) -> Document:
        try:
            leaf = parse_leaf(entry["leaf"])
            body = self._sealer.open(leaf, row["_id"], entry["body"], key) if key else b""
        except (LeafMalformed, BodyUnreadable):
            body = b""  # every check of the log names it; here it is found by what its row says
        made: Document = {"_id": entry["_id"], "e": row["_id"], "t": row["recorded_at"]}
        if not body or key is None:
            return made | self._sealed_row(row)
        parsed = orjson.loads(body)
        document, facts = shown(parsed), facts_in(parsed)
        made["t"] = narrowing.moment_of(document) or made["t"]
        return made | self._facts(facts, key, row) | {"k": self._all_marks(document, facts, key, row["_id"])}

    def _sealed_row(self, row: Document) -> Document:
        """What is left of an entry whose key is gone: what its row says in clear."""
        plain = {
            ("subtype", row["event_type"]),
            ("event-type", row["event_type"]),
            ("agent", row["actor_id"]),
            ("outcome", row["outcome"]),
        }
        blinded = [self._blinded(*mark) for mark in plain - marks.COMMON if mark[1]]
        facts = {"y": row["event_type"], "a": row["actor_id"], "o": row["outcome"]}
        return {name: value for name, value in facts.items() if value} | {"k": sorted(blinded)}

    def _facts(self, body: ReadBody, key: DataKey, row: Document) -> Document:
        told = dict(body.particulars)
        facts = {
            "y": body.event_type,
            "a": body.actor_id,
            "r": body.actor_role,
            "g": body.organization_id or told.get("source_id", ""),
            "u": body.purpose_of_use,
            "o": body.outcome,
            "x": body.action,
            "n": body.record_type,
            "q": row.get("referral", b"")[:_MARK_BYTES],
            "s": key.key_id if body.peer_id else b"",
            "w": told.get("specialist_id", ""),
        }
        return {name: value for name, value in facts.items() if value}

    def _all_marks(self, document: Document, body: ReadBody, key: DataKey, event_id: str) -> list[bytes]:
        found: set[bytes] = set()
        for parameter, text in marks.marks(document):
            is_theirs = parameter in marks.REFERENCES and bool(body.peer_id) and text == body.peer_id
            found.add(self._personal(key, parameter) if is_theirs else self._blinded(parameter, text))
        found.add(self._blinded("_id", event_id.lower()))
        if body.referral_id:
            found.add(self._blinded("entity", body.referral_id))
        return sorted(found)

    def _blind(self, parameter: str, text: str) -> bytes:
        return self._keyring.blind(f"search/{parameter}", text)[:_MARK_BYTES]

    @staticmethod
    def _personal(key: DataKey, parameter: str) -> bytes:
        return hmac.digest(key.blind_subject, parameter.encode(), "sha256")[:_MARK_BYTES]

    @staticmethod
    def _is_same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
        """The same row; where the key is gone, the same in all that can still be read."""
        if "x" in wanted:
            return dict(found) == dict(wanted)
        return all(found.get(name) == wanted.get(name) for name in ("e", "t", "y", "a", "o"))
