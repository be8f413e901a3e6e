"""One part of CheckLog: each sealed body against its leaf, each index row against both, in both directions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from services.audit.domain.leaf import Leaf, LeafMalformed, parse_leaf, timestamp
from services.audit.domain.report import Report
from services.audit.fhir import read_body
from services.audit.retention.erasure import Erasures
from services.audit.sealing.body_sealing import BodyUnreadable
from services.audit.sealing.entry_sealing import EntrySealer
from services.audit.sealing.keyring import DataKey, Keyring
from services.audit.store.entries import Store

Document = dict[str, Any]


def is_entry(document: Document) -> bool:
    """Whether a document has the parts of an entry; one without them is no entry, so it is missing."""
    return all(isinstance(document.get(name), bytes) for name in ("leaf", "body", "key_id"))


class EntryCheck:
    """Opens entries and compares what they say with what the index says."""

    def __init__(self, keyring: Keyring, sealer: EntrySealer, erasures: Erasures) -> None:
        self._keyring = keyring
        self._erasures = erasures
        self._sealer = sealer

    def check_range(
        self, store: Store, report: Report, entries: Mapping[int, Document], start: int, end: int
    ) -> None:
        """Bodies and rows of the entries [start, end) of one log, `entries` being those that are stored."""
        rows = {row["index"]: row for row in store.rows_between(start, end)}
        keys = self._keyring.keys_by_id(entry["key_id"] for entry in entries.values())
        owners = self._keyring.owners_of(entry["key_id"] for entry in entries.values())
        gone = [entry["key_id"] for entry in entries.values() if entry["key_id"] not in keys]
        erased = self._erasures.erased_under(gone) if gone else {}
        for index, entry in sorted(entries.items()):
            row = rows.pop(index, None)
            if row is None:
                report.note("index-row-missing", index)
            try:
                leaf = parse_leaf(entry["leaf"])
            except LeafMalformed:
                report.note("leaf-malformed", index)
                continue
            if entry["key_id"] in erased:
                report.erased += 1
                self._check_erased(report, index, leaf, entry)
                continue
            key, owner = keys.get(entry["key_id"]), owners.get(entry["key_id"], {})
            self._check_one(report, index, leaf, entry=entry, row=row, key=key, owner=owner)
        for index in sorted(rows):
            report.note("index-row-extra", index)

    def _check_erased(self, report: Report, index: int, leaf: Leaf, entry: Document) -> None:
        """Nobody can open the body any more; that it is the one that was logged can still be said."""
        if hashlib.sha256(entry["body"]).digest() != leaf.body_digest:
            report.note("body-changed", index)

    def _check_one(
        self,
        report: Report,
        index: int,
        leaf: Leaf,
        *,
        entry: Document,
        row: Document | None,
        key: DataKey | None,
        owner: Document,
    ) -> None:
        """One entry: sealed body against leaf, opened body against leaf, index row against both."""
        if hashlib.sha256(entry["body"]).digest() != leaf.body_digest:
            report.note("body-changed", index)
            return
        if key is None:
            report.note("key-missing", index)
        if row is None or key is None:
            return
        event_id, producer = str(row["_id"]), str(row.get("producer", ""))
        try:
            body = read_body(self._sealer.open(leaf, event_id, entry["body"], key))
        except BodyUnreadable as wrong:
            # The row's event id opens the body, so a row that was moved or renamed ends here as well.
            is_row = self._sealer.shown_name("event-id", event_id) != leaf.event_id
            report.note("index-row-changed" if is_row else "body-unreadable", index, str(wrong))
            return
        if not self._keyring.is_of(owner, body.peer_id):
            report.note("key-owner-changed", index)
        if body.recorded != timestamp(leaf.recorded_at):
            report.note("body-differs-from-leaf", index)
        wanted = {"_id": event_id, "index": index, **self._sealer.row_of(body, leaf, producer, key)}
        names = (
            self._sealer.shown_name("event-id", event_id),
            self._sealer.shown_name("producer", producer),
        )
        if row != wanted or names != (leaf.event_id, leaf.producer):
            changed = sorted(name for name in wanted.keys() | row.keys() if wanted.get(name) != row.get(name))
            report.note("index-row-changed", index, ",".join(changed))
