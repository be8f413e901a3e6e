"""Making the rows of the search index: what each entry is found by, blinded, and the facts reports are made from."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson
from pymongo.collection import Collection
from pymongo.database import Database

from services.audit.domain.leaf import LeafMalformed, parse_leaf
from services.audit.fhir import ReadBody, facts_in, shown
from services.audit.sealing.body_sealing import BodyUnreadable
from services.audit.sealing.entry_sealing import EntrySealer
from services.audit.sealing.keyring import DataKey, Keyring
from services.audit.search import joins, marks, narrowing

Document = dict[str, Any]
_MARK_BYTES = 8


class RowMaker:
    """Reads entries and says what their rows are; the same entry always has the same row."""

    def __init__(self, database: Database[Document], keyring: Keyring, sealer: EntrySealer) -> None:
        self._entries: Collection[Document] = database["entries"]
        self._rows: Collection[Document] = database["rows"]
        self._keyring = keyring
        self._sealer = sealer
        self.blinded = lru_cache(100_000)(self._blind)

    def made(self, start: int, end: int) -> Iterator[Document]:
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
        told = {mark for mark in plain - marks.COMMON if mark[1]}
        blinded = {self.blinded(*mark) for mark in told | set(joins.joined(told))}
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
        told = marks.marks(document)
        told |= {("agent", body.actor_id)} if body.actor_id else set()
        told |= {("patient", body.peer_id)} if body.peer_id else set()
        found: set[bytes] = set()
        for parameter, text in told | set(joins.joined(told)):
            is_theirs = bool(body.peer_id) and text == body.peer_id and joins.is_of_somebody(parameter)
            found.add(self.personal(key, parameter) if is_theirs else self.blinded(parameter, text))
        found.add(self.blinded("_id", event_id.lower()))
        if body.referral_id:
            found.add(self.blinded("entity", body.referral_id))
        return sorted(found)

    def _blind(self, parameter: str, text: str) -> bytes:
        return self._keyring.blind(f"search/{parameter}", text)[:_MARK_BYTES]

    @staticmethod
    def personal(key: DataKey, parameter: str) -> bytes:
        return hmac.digest(key.blind_subject, parameter.encode(), "sha256")[:_MARK_BYTES]


def is_same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """The same row; where the key is gone, the same in all that can still be read."""
    if "x" in wanted:
        return dict(found) == dict(wanted)
    return all(found.get(name) == wanted.get(name) for name in ("e", "t", "y", "a", "o"))
