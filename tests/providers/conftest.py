"""The far sides of `make providers`, each once for all tests, and a room where a service seals people beside it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chassis.key_providers import KeyFolder, encryption, wrap_anew, wrapped_otherwise
from chassis.vault import Vault
from cli.local import authority
from tests.providers.aws_kms import AwsKms
from tests.providers.azure_key_vault import AzureKeyVault
from tests.providers.google_kms import GoogleKms
from tests.providers.kmip_server import KmipServer

KINDS: dict[str, Any] = {"aws": AwsKms, "azure": AzureKeyVault, "gcp": GoogleKms, "kmip": KmipServer}


@dataclass
class Room:
    """One service's database and its keys; `service` is the far side that may wrap them."""

    client: Any
    database: Any
    folder: KeyFolder
    service: Any

    @property
    def file(self) -> Path:
        """What names who wraps new keys."""
        return self.folder.folder / "intake.provider.json"

    def name(self, told: dict[str, Any]) -> None:
        """From now on this wraps new keys; nobody reads half of it."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps(told), encoding="utf-8")
        draft.replace(self.file)

    def vault(self) -> Vault:
        """A process's own, as its bootstrap builds it."""
        vault = Vault(self.client, self.database.name, b"not used", self.folder)
        vault.ensure_indexes()
        return vault

    def wrap(self) -> int:
        """Everything is wrapped by what is named now; how many keys were not."""
        done = 0
        while some := wrap_anew(self.client, f"{self.database.name}.data_keys", self.folder.read()):
            done += some
        return done

    def others(self) -> int:
        """How many keys something else has wrapped."""
        return int(self.database.data_keys.count_documents(wrapped_otherwise(self.folder.read())))


@pytest.fixture(scope="module", params=KINDS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A far side under a certificate of this run's own authority."""
    keys = tmp_path_factory.mktemp(request.param)
    authority.create(keys, ("intake", "matching", "audit"))
    service = KINDS[request.param](keys)
    yield service
    service.stop()


@pytest.fixture
def room(service: Any, mongo_client: Any, emptied_database: Any, tmp_path: Path) -> Room:
    """People are sealed under a file's key at first."""
    (tmp_path / "intake.master.key").write_bytes(secrets.token_bytes(96))
    room = Room(mongo_client, emptied_database, KeyFolder(tmp_path, "intake"), service)
    while service.name == "kmip" and len(service.registered) < 2:  # whoever names no key registers one
        room.name(service.told(None))
        with encryption(mongo_client, f"{emptied_database.name}.first", room.folder.read()) as made:
            made.create_data_key("kmip", None)
        service.registered.append(emptied_database.first.find_one_and_delete({})["masterKey"]["keyId"])
        room.file.unlink()
    return room
