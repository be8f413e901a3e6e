"""Who wraps the keys of people: a key in a file of our own, or a key management service that never lets its key go.

`<service>.provider.json` beside the keys names a service: {"provider": "aws", "credentials": {...}, "master_key": {...},
"tls": {...}}, each part as PyMongo's ClientEncryption takes it for aws, azure, gcp or kmip.  Without it the newest
`<service>.wrapping.<id>.key` wraps, and where there is none `<service>.master.key`.  Whatever has wrapped before goes on
unwrapping for as long as its file is there, so that old and new live side by side while keys are wrapped anew: a service
that wraps no more is `<service>.provider.<id>.json`, and one of the same kind beside it is called `aws:<id>`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pymongo import MongoClient
from pymongo.encryption import Algorithm, ClientEncryption

from chassis.mongo import CODEC_OPTIONS

LOCAL = "local"
SERVICES = ("aws", "azure", "gcp", "kmip")
AT_ONCE = 200


class ProviderUnusable(Exception):  # noqa: N818  it says what is so
    """The file that names a key management service is not what it should be; says what, never what it holds."""


@dataclass(frozen=True)
class KeyProviders:
    """`unwrapping` are all providers as PyMongo wants them; `wrapping` is the one for new keys, `master` its own key.

    `files` says which file of the folder each was read from.
    """

    unwrapping: Mapping[str, Any]
    wrapping: str = LOCAL
    master: Mapping[str, Any] | None = None
    tls: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"KeyProviders({', '.join(self.unwrapping)}; new keys: {self.wrapping})"


@dataclass(frozen=True)
class KeyFolder:
    """Where a service finds what wraps the keys of its people; looked at again whenever a file there changed."""

    folder: Path
    service: str

    def mark(self) -> tuple[tuple[str, int], ...]:
        """Differs when a key was added or removed, or another service was named; asked for every new person."""
        with os.scandir(self.folder) as found:
            return tuple(sorted((one.name, one.stat().st_mtime_ns) for one in found if self._wraps(one.name)))

    def read(self) -> KeyProviders:
        """The providers as they are named now; raises OSError without a master key, ProviderUnusable."""
        master = self.folder / f"{self.service}.master.key"
        found = KeyProviders({LOCAL: {"key": master.read_bytes()}}, files={LOCAL: master.name})
        for path in sorted(self.folder.glob(f"{self.service}.wrapping.*.key")):
            name = f"{LOCAL}:{path.name.split('.')[-2]}"
            found = _with(found, _Named(name, {"key": path.read_bytes()}, path.name), wraps=True)
        for path in sorted(self.folder.glob(f"{self.service}.provider.*.json")):
            found = _with(found, _named(path), wraps=False)
        present = self.folder / f"{self.service}.provider.json"
        return _with(found, _named(present, wraps=True), wraps=True) if present.exists() else found

    def _wraps(self, name: str) -> bool:
        service, _, what = name.partition(".")
        is_wrapping = what.startswith("wrapping.") and what.endswith(".key")
        is_service = what.startswith("provider.") and what.endswith(".json")
        return service == self.service and (is_wrapping or is_service or what == "master.key")


@dataclass(frozen=True)
class _Named:
    """One provider as its file names it."""

    name: str
    credentials: Mapping[str, Any]
    file: str
    master: Mapping[str, Any] | None = None
    tls: Mapping[str, Any] | None = None


def _with(found: KeyProviders, one: _Named, *, wraps: bool) -> KeyProviders:
    """The provider beside the others; raises ProviderUnusable where another one has its name."""
    if found.unwrapping.get(one.name, one.credentials) != one.credentials:
        raise ProviderUnusable(
            f"{one.file} and {found.files[one.name]} are both called {one.name}: "
            f"call the newer {one.name.partition(':')[0]}:<name of yours>"
        )
    return KeyProviders(
        {**found.unwrapping, one.name: one.credentials},
        one.name if wraps else found.wrapping,
        one.master if wraps else found.master,
        {**found.tls, one.name: one.tls} if one.tls else found.tls,
        {**found.files, one.name: one.file},
    )


def _named(path: Path, *, wraps: bool = False) -> _Named:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        name, master = str(told["provider"]), told.get("master_key")
        found = _Named(name, dict(told["credentials"]), path.name, master, dict(told.get("tls") or {}))
        is_pinned = bool((master or {}).get("keyVersion"))
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise ProviderUnusable(f"{path.name} is not usable: {type(wrong).__name__}") from None
    kind = name.partition(":")[0]
    if kind not in SERVICES:
        raise ProviderUnusable(f"{path.name} names none of {', '.join(SERVICES)}")
    if wraps and kind == "azure" and not is_pinned:
        # Key Vault unwraps with the newest version where none is named: nobody would read what an older one wrapped.
        raise ProviderUnusable(f"{path.name} names no keyVersion in master_key")
    return found


def encryption(
    client: MongoClient[dict[str, Any]], namespace: str, providers: KeyProviders
) -> ClientEncryption[dict[str, Any]]:
    """Client-side field encryption with the keys of `namespace`, "database.collection"."""
    return ClientEncryption(
        kms_providers=providers.unwrapping,
        key_vault_namespace=namespace,
        key_vault_client=client,
        codec_options=CODEC_OPTIONS,
        kms_tls_options=providers.tls or None,
    )


class _Aside:
    """A key vault for one key that is tried and forgotten."""

    def __init__(self) -> None:
        self._keys: list[Any] = []

    def insert_one(self, key: Any) -> None:
        self._keys.append(key)

    def find(self, _: Any) -> AbstractContextManager[list[Any]]:
        return nullcontext(self._keys)


def tried(client: MongoClient[dict[str, Any]], providers: KeyProviders) -> None:
    """A key that nobody uses was wrapped and unwrapped by what wraps new keys; raises EncryptionError.

    Nothing is stored.
    """
    aside, word = _Aside(), secrets.token_hex(16)
    for is_wrapping in (True, False):  # the second remembers nothing of the first, and so must unwrap
        with encryption(client, "tried.keys", providers) as made:
            cast("Any", made._io_callbacks).key_vault_coll = aside
            if is_wrapping:
                key = made.create_data_key(providers.wrapping, providers.master)
            else:
                made.encrypt(word, Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Random, key_id=key)


def wrapped_otherwise(providers: KeyProviders) -> dict[str, Any]:
    """The keys that something else than the present provider, or another master key of it, has wrapped."""
    present: dict[str, Any] = {"masterKey.provider": providers.wrapping}
    present |= {f"masterKey.{name}": value for name, value in (providers.master or {}).items()}
    return {"$nor": [present]}


def wrap_anew(client: MongoClient[dict[str, Any]], namespace: str, providers: KeyProviders) -> int:
    """Wraps some of the keys that need it with the present provider; how many. Call it until that is 0.

    The keys themselves stay as they are, and so does everything sealed with them; nobody has to wait.  Killed between two
    keys, each is wrapped by the one or the other, and both unwrap.
    """
    database, _, collection = namespace.partition(".")
    kept = client[database][collection]
    ids = [each["_id"] for each in kept.find(wrapped_otherwise(providers), {"_id": 1}).limit(AT_ONCE)]
    if not ids:
        return 0
    with encryption(client, namespace, providers) as wrapping:
        wrapping.rewrap_many_data_key({"_id": {"$in": ids}}, providers.wrapping, providers.master)
    return len(ids)
