"""Data keys, one per (tenant, subject, quarter), wrapped, in a database of their own; and the blind indexes.

Destroying a subject's rows here makes bodies unreadable and the subject's blind index unknowable, while every leaf
and every proof stays as it was. Their database has its own, short, backups.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from services.audit.domain.entry import LogBroken
from services.audit.store.duplicates import only_duplicates

Document = dict[str, Any]
MASTER_KEY_BYTES = 96
_NONCE_BYTES = 12
_CACHED_KEYS = 20_000
_FORGET_AFTER_S = 300.0


@dataclass(frozen=True)
class DataKey:
    """One subject's key for one quarter. `key_id` is random; `blind_subject` stands for the subject in a search."""

    key_id: bytes
    key: bytes

    @cached_property
    def blind_subject(self) -> bytes:
        """16 bytes that only a holder of this key can tie to its subject."""
        return hmac.digest(self.key, b"kindred-audit/blind-subject/1", "sha256")[:16]


class Keyring:
    """The data keys of one tenant. `master_key` is 96 bytes: to wrap keys, to find them, to blind other names."""

    def __init__(self, database: Database[dict[str, Any]], master_key: bytes, tenant: str) -> None:
        if len(master_key) != MASTER_KEY_BYTES:
            raise ValueError("audit.master.key must be 96 bytes long")
        self._collection = database["data_keys"]
        self._wrapping = AESGCM(master_key[:32])
        self._finding_key = master_key[32:64]
        self._blinding_key = master_key[64:96]
        self._tenant = tenant
        self._cache: OrderedDict[tuple[str, str], DataKey] = OrderedDict()
        self._filled_at = time.monotonic()

    def ensure_indexes(self) -> None:
        """Keys are found by subject and by id without a scan."""
        self._collection.create_index("subject")
        self._collection.create_index("key_id", unique=True)

    def keys_for(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], DataKey]:
        """The keys of (subject id, period) pairs, made where there were none."""
        pairs = set(wanted)
        self._forget_in_time()
        found = {pair: self._cache[pair] for pair in pairs if pair in self._cache}
        absent = [pair for pair in pairs if pair not in found]
        if absent:
            self._create(absent)
            found |= self._read(absent)
            self._remember(found)
        return found

    def keys_of_subject(self, subject_id: str) -> list[DataKey]:
        """Every key of a subject, all periods; empty for somebody unknown or erased."""
        documents = self._collection.find({"subject": self._find_mark(subject_id)})
        return [self._unwrap(document) for document in documents]

    def keys_of_subjects(self, subject_ids: Iterable[str]) -> dict[str, list[DataKey]]:
        """Every key of each subject, all periods, in one question; nobody without a key is in it."""
        by_mark = {self._find_mark(each): each for each in subject_ids}
        found: dict[str, list[DataKey]] = {}
        for document in self._collection.find({"subject": {"$in": list(by_mark)}}):
            found.setdefault(by_mark[document["subject"]], []).append(self._unwrap(document))
        return found

    def keys_by_id(self, key_ids: Iterable[bytes]) -> dict[bytes, DataKey]:
        """Those of the keys that still exist and were not tampered with."""
        found: dict[bytes, DataKey] = {}
        for document in self._collection.find({"key_id": {"$in": list(set(key_ids))}}):
            with suppress(LogBroken):
                found[document["key_id"]] = self._unwrap(document)
        return found

    def marks_of(self, key_ids: Iterable[bytes]) -> dict[bytes, bytes]:
        """The person's mark behind each key that still exists: the same for all their keys, and nothing else."""
        found = self._collection.find({"key_id": {"$in": list(set(key_ids))}}, {"key_id": 1, "subject": 1})
        return {document["key_id"]: document["subject"] for document in found}

    def key_ids_of_marks(self, subject_marks: Iterable[bytes]) -> list[bytes]:
        """The names of all keys, of every period, of the people with these marks."""
        found = self._collection.find({"subject": {"$in": list(set(subject_marks))}}, {"key_id": 1})
        return [document["key_id"] for document in found]

    def mark_of(self, subject_id: str) -> bytes:
        """The mark `marks_of` tells for a person."""
        return self._find_mark(subject_id)

    def periods_of(self, mark: bytes) -> dict[str, bytes]:
        """The quarters a subject has keys of, with each key's id."""
        found = self._collection.find({"subject": mark}, {"period": 1, "key_id": 1})
        return {document["period"]: document["key_id"] for document in found}

    def owners_of(self, key_ids: Iterable[bytes]) -> dict[bytes, Document]:
        """What is stored of each key that exists, but the key."""
        found = self._collection.find({"key_id": {"$in": list(set(key_ids))}}, {"wrapped": 0})
        return {document["key_id"]: document for document in found}

    def is_of(self, owner: Document, subject_id: str) -> bool:
        """Whether a key is this subject's, and found by its name: else a search for them would miss its entries."""
        period = str(owner.get("period", ""))
        wanted = (self._find_mark(subject_id, period), self._find_mark(subject_id))
        return (owner.get("_id"), owner.get("subject")) == wanted

    def keys_until(self, period: str) -> dict[bytes, str]:
        """The ids of all keys of this quarter and earlier ones, each with its quarter."""
        found = self._collection.find({"period": {"$lte": period}}, {"period": 1, "key_id": 1})
        return {document["key_id"]: document["period"] for document in found}

    def destroy(self, key_ids: Iterable[bytes]) -> int:
        """These keys are gone, here and in this process's memory; how many there were.

        Another process forgets what it holds within `_FORGET_AFTER_S`.
        """
        wanted = list(key_ids)
        self._cache.clear()
        return self._collection.delete_many({"key_id": {"$in": wanted}}).deleted_count

    def blind(self, purpose: str, name: str) -> bytes:
        """32 bytes that stand for a name; the same for the same purpose and name."""
        return hmac.digest(self._blinding_key, f"{self._tenant}\n{purpose}\n{name}".encode(), "sha256")

    def _create(self, pairs: Iterable[tuple[str, str]]) -> None:
        documents = [self._new(subject_id, period) for subject_id, period in pairs]
        try:
            self._collection.insert_many(documents, ordered=False)
        except BulkWriteError as exc:
            only_duplicates(exc)  # another process made them first: theirs are read

    def _new(self, subject_id: str, period: str) -> dict[str, Any]:
        mark, nonce = self._find_mark(subject_id, period), secrets.token_bytes(_NONCE_BYTES)
        return {
            "_id": mark,
            "subject": self._find_mark(subject_id),
            "period": period,
            "key_id": secrets.token_bytes(16),
            "wrapped": nonce + self._wrapping.encrypt(nonce, secrets.token_bytes(32), mark),
        }

    def _read(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], DataKey]:
        by_mark = {self._find_mark(*pair): pair for pair in pairs}
        documents = self._collection.find({"_id": {"$in": list(by_mark)}})
        return {by_mark[document["_id"]]: self._unwrap(document) for document in documents}

    def _unwrap(self, document: dict[str, Any]) -> DataKey:
        try:
            wrapped = document["wrapped"]
            key = self._wrapping.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], document["_id"])
        except (InvalidTag, KeyError, TypeError, ValueError) as wrong:
            raise LogBroken("key-unreadable", str(document.get("period", ""))) from wrong
        return DataKey(document["key_id"], key)

    def _find_mark(self, subject_id: str, period: str = "") -> bytes:
        return hmac.digest(self._finding_key, f"{self._tenant}\n{subject_id}\n{period}".encode(), "sha256")

    def _forget_in_time(self) -> None:
        """A key that was destroyed elsewhere is not used on from memory."""
        if time.monotonic() - self._filled_at > _FORGET_AFTER_S:
            self._cache.clear()
            self._filled_at = time.monotonic()

    def _remember(self, keys: dict[tuple[str, str], DataKey]) -> None:
        self._cache.update(keys)
        while len(self._cache) > _CACHED_KEYS:
            self._cache.popitem(last=False)
