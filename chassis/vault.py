"""Field encryption with one data key per person: MongoDB client-side field level encryption, explicit mode.

Destroying a person's key makes everything sealed for them unreadable, also in backups (DESIGN 5.1).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from bson.binary import Binary
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.encryption import Algorithm, ClientEncryption
from pymongo.errors import DuplicateKeyError, EncryptionError

from chassis.key_providers import LOCAL, KeyFolder, KeyProviders, encryption
from chassis.mongo import is_outside_trouble
from chassis.shared_inserts import SharedInserts

KEYS = "data_keys"
_REMEMBERED_KEYS = 50_000
_FRESH_KEYS = 1_000
# libmongocrypt looks through all keys of its last minute, one by one, whenever it needs one: with 5,000 of them that
# was 1.3 ms of a submit's 3.1 ms of CPU.  So it is begun anew after so many, where a key costs no call to a service.
_MOST_HANDED = 1_000
_RANDOM = Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Random


class Unreadable(Exception):  # noqa: N818
    """A sealed value whose key was destroyed, or that was changed."""


class KeyCollection:
    """The key vault as pymongo's callbacks use it: new keys are stored together, and not asked for again at once.

    A key made here is handed to libmongocrypt from memory (wrapped, as it is stored) the first time it is wanted;
    after that libmongocrypt remembers it for a minute by itself.
    """

    def __init__(self, keys: Collection[Any]) -> None:
        self._keys, self._inserts = keys, SharedInserts(keys)
        self._fresh: dict[bytes, Any] = {}
        self.handed = 0  # how often libmongocrypt, as it was begun last, asked for keys

    def insert_one(self, key: Mapping[str, Any]) -> None:
        """The key is stored; raises what Collection.insert_one raises."""
        self._inserts.insert_one(key)
        if len(self._fresh) >= _FRESH_KEYS:
            self._fresh.clear()
        self._fresh[bytes(key["_id"])] = key

    def find(self, wanted: Mapping[str, Any]) -> AbstractContextManager[Iterable[Any]]:
        """The keys that libmongocrypt asks for: {"$or": [{"_id": {"$in": [...]}}, {"keyAltNames": ...}]}."""
        self.handed += 1
        ids = [one for way in wanted["$or"] for one in way.get("_id", {}).get("$in", ())]
        key = self._fresh.pop(bytes(ids[0]), None) if len(ids) == 1 else None
        return nullcontext([key]) if key is not None else self._keys.find(wanted)

    def forget(self) -> None:
        """Nothing is handed out from memory that may have been destroyed."""
        self._fresh.clear()


class Vault:
    """Seals and opens documents of one service. `master_key` is 96 bytes and lives outside the database."""

    def __init__(
        self,
        client: MongoClient[dict[str, Any]],
        database_name: str,
        master_key: bytes,
        folder: KeyFolder | None = None,
    ) -> None:
        """With `folder` keys are wrapped by what it names, now and whenever that changes; else by the master key."""
        self._client, self._namespace = client, f"{database_name}.{KEYS}"
        self._keys = client[database_name][KEYS]
        self._known: dict[str, Binary] = {}
        self._lock = threading.Lock()
        self._folder = folder
        self._mark = folder.mark() if folder else ()
        self._providers = folder.read() if folder else KeyProviders({LOCAL: {"key": master_key}})
        self._connect()

    def _connect(self, keys: KeyCollection | None = None) -> None:
        made = encryption(self._client, self._namespace, self._providers)
        callbacks = cast("Any", made._io_callbacks)  # pymongo has no other door to it
        self._fresh = callbacks.key_vault_coll = keys or KeyCollection(callbacks.key_vault_coll)
        self._fresh.handed = 0
        self._encryption: ClientEncryption[dict[str, Any]] = made

    def _crypt(self) -> ClientEncryption[dict[str, Any]]:
        """What encrypts now; whoever works with an earlier one ends their work with it."""
        if self._is_crowded():
            with self._lock:
                if self._is_crowded():
                    self._connect(self._fresh)
        return self._encryption

    def _is_crowded(self) -> bool:
        is_here = self._providers.wrapping.partition(":")[0] == LOCAL
        return is_here and self._fresh.handed >= _MOST_HANDED

    def _renewed(self) -> bool:
        """True where what wraps the keys had changed, and is used from now on."""
        if self._folder is None or self._folder.mark() == self._mark:
            return False
        with self._lock:
            mark = self._folder.mark()
            if mark != self._mark:
                self._providers = self._folder.read()
                self._connect()
                self._mark = mark
        return True

    def ensure_indexes(self) -> None:
        """A person has one key, also when two writers make it at once."""
        self._keys.create_index(
            "keyAltNames",
            name="one_key_per_person",
            unique=True,
            partialFilterExpression={"keyAltNames": {"$exists": True}},
        )

    def seal(self, person_id: str, value: dict[str, Any], *, is_first: bool = False) -> Binary:
        """The document, readable only with the person's key (made here when it is their first).

        `is_first` spares the search for a key where the person was met just now; where it errs, the key is found.
        """
        key_id = self._key_id(person_id, is_first)
        try:
            return self._crypt().encrypt(value, _RANDOM, key_id=key_id)
        except EncryptionError:
            if not self._renewed():
                raise
            return self._crypt().encrypt(value, _RANDOM, key_id=key_id)

    def open(self, sealed: Binary) -> dict[str, Any]:
        """The document as it was sealed; raises Unreadable."""
        try:
            return self._crypt().decrypt(Binary(sealed, 6))
        except EncryptionError as exc:
            if self._renewed():
                return self.open(sealed)
            if exc.timeout or _is_outside(exc):
                raise
            raise Unreadable from None

    def erase(self, person_id: str) -> bool:
        """The person's key is destroyed; True if there was one. Other processes forget it within a minute."""
        self._known.pop(person_id, None)
        was_there = self._keys.delete_one({"keyAltNames": person_id}).deleted_count == 1
        self._fresh.forget()
        return was_there

    def _key_id(self, person_id: str, is_first: bool) -> Binary:
        known = self._known.get(person_id)
        if known is not None:
            return known
        key_id = (None if is_first else self._find(person_id)) or self._make(person_id)
        with self._lock:
            if len(self._known) >= _REMEMBERED_KEYS:
                self._known.clear()
            self._known[person_id] = key_id
        return key_id

    def _find(self, person_id: str) -> Binary | None:
        found = self._keys.find_one({"keyAltNames": person_id}, {"_id": 1})
        return found["_id"] if found else None

    def _make(self, person_id: str) -> Binary:
        self._renewed()
        told = self._providers
        try:
            return self._encryption.create_data_key(told.wrapping, told.master, key_alt_names=[person_id])
        except (DuplicateKeyError, EncryptionError) as exc:
            made_by_another = self._find(person_id)
            if made_by_another is None:
                raise exc
            return made_by_another


def _is_outside(exc: EncryptionError) -> bool:
    return is_outside_trouble(exc.cause)
