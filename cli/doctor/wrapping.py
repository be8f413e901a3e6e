"""Does the key management service that a service's keys name do what it is there for?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import EncryptionError

from chassis.key_providers import KeyFolder, ProviderUnusable, tried
from cli.doctor.findings import Finding

_MOST_SAID = 200


def services(client: MongoClient[dict[str, Any]], folder: Path) -> Iterator[Finding]:
    """A key that nobody uses is wrapped and unwrapped where `folder`, a service's own, names somebody to do it."""
    for named in sorted(folder.glob("*.provider.json")):
        try:
            tried(client, KeyFolder(folder, named.name.partition(".")[0]).read())
        except ProviderUnusable as wrong:
            yield Finding("key-service-refuses", named.name, str(wrong))
        except EncryptionError as no:
            yield Finding("key-service-refuses", named.name, " ".join(str(no).split())[:_MOST_SAID])
