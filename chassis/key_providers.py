"""Who wraps the keys of people: a key in a file of our own, or a key management service that never lets its key go.

`<service>.provider.json` beside the keys names a service: {"provider": "aws", "credentials": {...}, "master_key": {...},
"tls": {...}}, each part as PyMongo's ClientEncryption takes it for aws, azure, gcp or kmip.  Without it the newest
`<service>.wrapping.<id>.key` wraps, and where there is none `<service>.master.key`.  Whatever has wrapped before goes on
unwrapping for as long as its file is there, so that old and new live side by side while keys are wrapped anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.encryption import ClientEncryption

from chassis.mongo import CODEC_OPTIONS

LOCAL = "local"
SERVICES = ("aws", "azure", "gcp", "kmip")
AT_ONCE = 200


class ProviderUnusable(Exception):  # noqa: N818  it says what is so
    """The file that names a key management service is not what it should be; says what, never what it holds."""


@dataclass(frozen=True)
class KeyProviders:
    """`unwrapping` are all providers as PyMongo wants them; `wrapping` is the one for new keys, `master` its own key."""

    unwrapping: Mapping[str, Any]
    wrapping: str = LOCAL
    master: Mapping[str, Any] | None = None
    tls: Mapping[str, Any] = field(default_factory=dict)

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
        unwrapping: dict[str, Any] = {
            LOCAL: {"key": (self.folder / f"{self.service}.master.key").read_bytes()}
        }
        wrapping = LOCAL
        for path in sorted(self.folder.glob(f"{self.service}.wrapping.*.key")):
            wrapping = f"{LOCAL}:{path.name.split('.')[-2]}"
            unwrapping[wrapping] = {"key": path.read_bytes()}
        named = self.folder / f"{self.service}.provider.json"
        return _served(named, unwrapping) if named.exists() else KeyProviders(unwrapping, wrapping)

    def _wraps(self, name: str) -> bool:
        service, _, what = name.partition(".")
        is_wrapping = what.startswith("wrapping.") and what.endswith(".key")
        return service == self.service and (is_wrapping or what in ("master.key", "provider.json"))


def _served(named: Path, unwrapping: dict[str, Any]) -> KeyProviders:
    try:
        told = json.loads(named.read_text(encoding="utf-8"))
        kind = told["provider"]
        found = KeyProviders(
            unwrapping | {kind: dict(told["credentials"])}, kind, told.get("master_key"), _tls(kind, told)
        )
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise ProviderUnusable(f"{named.name} is not usable: {type(wrong).__name__}") from None
    if kind.partition(":")[0] not in SERVICES:
        raise ProviderUnusable(f"{named.name} names none of {', '.join(SERVICES)}")
    return found


def _tls(kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: dict(told["tls"])} if told.get("tls") else {}


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
