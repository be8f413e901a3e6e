"""The keys of people are wrapped anew while everything goes on; a copy of the database is useless without what wraps."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import EncryptionError
from typer.testing import CliRunner

from chassis import key_providers
from chassis.key_providers import KeyFolder, ProviderUnusable, wrap_anew, wrapped_otherwise
from chassis.mongo import is_outside_trouble
from chassis.vault import Vault
from cli.commands import wrapping_keys
from cli.doctor import wrapping
from cli.local import authority, keys, rights
from tests.providers.azure_key_vault import AzureKeyVault

AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    """The keys of one service, with a master key."""
    (tmp_path / "intake.master.key").write_bytes(secrets.token_bytes(96))
    return KeyFolder(tmp_path, "intake")


@pytest.fixture
def database(emptied_database: Any) -> Any:
    """Tests of this file share a database."""
    return emptied_database


def a_vault(client: Any, database: Any, folder: KeyFolder) -> Vault:
    """A process's own, as its bootstrap builds it."""
    vault = Vault(client, database.name, b"not used", folder)
    vault.ensure_indexes()
    return vault


def others(database: Any, folder: KeyFolder) -> int:
    """How many keys something else than the present wrapping key has wrapped."""
    return int(database.data_keys.count_documents(wrapped_otherwise(folder.read())))


def test_a_rotation_under_writes_loses_nothing(mongo_client: Any, database: Any, folder: KeyFolder) -> None:
    """Four writers and a reader that were there before go on through two rotations; in the end no old key is used."""
    vault = a_vault(mongo_client, database, folder)
    sealed: dict[str, Any] = {f"old-{n}": vault.seal(f"old-{n}", {"n": n}) for n in range(30)}
    running, troubles = threading.Event(), []

    def write(writer: int) -> None:
        for n in range(10_000):
            if running.is_set():
                return
            try:
                name = f"new-{writer}-{n}"
                sealed[name] = vault.seal(name, {"n": n}, is_first=True)
                assert vault.open(sealed[name]) == {"n": n}
            except Exception as trouble:  # noqa: BLE001  whatever it is, the test tells
                troubles.append(trouble)
                return

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(2):
        keys.new_wrapping_key(folder.folder, "intake", AT.replace(hour=turn))
        while wrap_anew(mongo_client, f"{database.name}.data_keys", folder.read()):
            pass
    running.set()
    for thread in threads:
        thread.join()
    assert troubles == []
    wrap_anew(mongo_client, f"{database.name}.data_keys", folder.read())  # made while the file was being read
    assert others(database, folder) == 0
    for path in sorted(folder.folder.glob("*.wrapping.*.key"))[:-1]:
        path.unlink()  # the retired one is not needed
    fresh = a_vault(mongo_client, database, folder)
    assert len(sealed) > 30
    assert all(fresh.open(one)["n"] == int(name.rpartition("-")[2]) for name, one in sealed.items())


def test_a_rotation_that_was_killed_goes_on(
    mongo_client: Any, database: Any, folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the keys are wrapped by the one, half by the other: everybody reads both, and the rest follows."""
    vault = a_vault(mongo_client, database, folder)
    sealed = [vault.seal(f"p{n}", {"n": n}) for n in range(10)]
    keys.new_wrapping_key(folder.folder, "intake", AT)
    monkeypatch.setattr(key_providers, "AT_ONCE", 4)
    assert wrap_anew(mongo_client, f"{database.name}.data_keys", folder.read()) == 4
    assert others(database, folder) == 6
    for reader in (vault, a_vault(mongo_client, database, folder)):
        assert [reader.open(one)["n"] for one in sealed] == list(range(10))
    assert [wrap_anew(mongo_client, f"{database.name}.data_keys", folder.read()) for _ in range(3)] == [
        4,
        2,
        0,
    ]


def test_a_copy_is_useless_without_what_wrapped_last(
    mongo_client: Any, database: Any, folder: KeyFolder, tmp_path: Path
) -> None:
    """Whoever has every document and even the old master key reads nothing that was wrapped since."""
    vault = a_vault(mongo_client, database, folder)
    sealed = vault.seal("p", {"family": "Quillfeather"})
    keys.new_wrapping_key(folder.folder, "intake", AT)
    wrap_anew(mongo_client, f"{database.name}.data_keys", folder.read())
    thief = tmp_path / "thief"
    thief.mkdir()
    (thief / "intake.master.key").write_bytes((folder.folder / "intake.master.key").read_bytes())
    with pytest.raises(EncryptionError, match="not configured"):
        a_vault(mongo_client, database, KeyFolder(thief, "intake")).open(sealed)
    assert a_vault(mongo_client, database, folder).open(sealed) == {"family": "Quillfeather"}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"provider": "aws", "credentials": {"accessKeyId": "a", "secretAccessKey": "b"},
          "master_key": {"region": "us-east-1", "key": "arn"}}, "aws"),
        ({"provider": "azure", "credentials": {"tenantId": "a", "clientId": "b", "clientSecret": "YQ=="},
          "master_key": {"keyVaultEndpoint": "k.example", "keyName": "n", "keyVersion": "v"}}, "azure"),
        ({"provider": "gcp", "credentials": {"email": "a@example", "privateKey": "YQ=="},
          "master_key": {"projectId": "p", "location": "l", "keyRing": "r", "keyName": "n"}}, "gcp"),
        ({"provider": "kmip", "credentials": {"endpoint": "kmip.example:5696"}, "tls": {}}, "kmip"),
    ],
)  # fmt: skip
def test_a_key_management_service_is_taken_as_it_is_named(
    mongo_client: Any, database: Any, folder: KeyFolder, told: dict[str, Any], expected: str
) -> None:
    """libmongocrypt takes the settings of each; our own key still unwraps what it wrapped, and no secret is shown."""
    sealed = a_vault(mongo_client, database, folder).seal("p", {"a": 1})
    (folder.folder / "intake.provider.json").write_text(json.dumps(told))
    providers = folder.read()
    assert (providers.wrapping, providers.master) == (expected, told.get("master_key"))
    assert "secret" not in repr(providers).lower() and "YQ" not in repr(providers)
    assert a_vault(mongo_client, database, folder).open(sealed) == {"a": 1}
    assert others(database, folder) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"provider": "ours", "credentials": {}}',
        '{"provider": "aws"}',
        # Key Vault would unwrap with its newest version, and nobody could read what an older one wrapped.
        '{"provider": "azure", "credentials": {}, "master_key": {"keyName": "people"}}',
    ],
)
def test_a_service_that_is_named_wrongly_is_refused(folder: KeyFolder, text: str) -> None:
    """At start, by the name of the file and without what it holds."""
    (folder.folder / "intake.provider.json").write_text(text)
    with pytest.raises(ProviderUnusable, match=r"intake\.provider\.json"):
        folder.read()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureKeyVault]:
    """One far side for this file; `make providers` tries the others."""
    folder = tmp_path_factory.mktemp("azure")
    authority.create(folder, ("intake",))
    far_side = AzureKeyVault(folder)
    yield far_side
    far_side.stop()


def test_a_service_that_is_away_or_says_no_has_erased_nobody(
    mongo_client: Any, database: Any, folder: KeyFolder, azure: AzureKeyVault
) -> None:
    """What it wrapped is told as trouble that passes, never as a key that was destroyed; then it opens as before."""
    named = folder.folder / "intake.provider.json"
    named.write_text(json.dumps(azure.told()))
    sealed = a_vault(mongo_client, database, folder).seal("p", {"n": 1})
    azure.away()
    with pytest.raises(EncryptionError) as away:
        a_vault(mongo_client, database, folder).open(sealed)
    azure.back()
    named.write_text(json.dumps(azure.told(clientSecret="of last year")))
    reading = a_vault(mongo_client, database, folder)
    with pytest.raises(EncryptionError) as refused:
        reading.open(sealed)
    assert is_outside_trouble(away.value) and is_outside_trouble(refused.value)
    assert "of last year" not in str(refused.value) and 401 in azure.door.refused
    named.write_text(json.dumps(azure.told()))
    assert reading.open(sealed) == {"n": 1}  # the process hears of new credentials by itself
    named.unlink()
    with pytest.raises(EncryptionError) as unnamed:
        a_vault(mongo_client, database, folder).open(sealed)
    assert is_outside_trouble(unnamed.value)


def test_who_wrapped_before_goes_on_unwrapping_beside_who_wraps_now(
    mongo_client: Any, database: Any, folder: KeyFolder, azure: AzureKeyVault
) -> None:
    """From a service back to a file, and to another of its kind, which must not have the name of the first."""
    named, before = (folder.folder / f"intake.provider{one}.json" for one in ("", ".before"))
    named.write_text(json.dumps(azure.told()))
    sealed = a_vault(mongo_client, database, folder).seal("p", {"n": 1})
    named.rename(before)
    assert folder.read().wrapping == "local" and others(database, folder) == 1
    named.write_text(json.dumps(azure.told(1, clientId="another")))
    with pytest.raises(ProviderUnusable, match=r"both called azure: call the newer azure:"):
        folder.read()
    named.write_text(json.dumps(azure.told(1) | {"provider": "azure:next"}))
    assert wrap_anew(mongo_client, f"{database.name}.data_keys", folder.read()) == 1
    assert database.data_keys.find_one()["masterKey"]["keyName"] == "people-2027"
    before.unlink()
    assert a_vault(mongo_client, database, folder).open(sealed) == {"n": 1}


def test_a_rotation_to_a_service_that_does_not_work_changes_nothing_and_says_why(
    mongo_client: Any, database: Any, folder: KeyFolder, azure: AzureKeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends with the service's own words before any process is told of it, and so does the doctor."""
    here = SimpleNamespace(keys=folder.folder)
    monkeypatch.setattr(wrapping_keys, "_reached", lambda: (here, mongo_client))
    monkeypatch.setattr(rights, "database_of", lambda _: database.name)
    a_vault(mongo_client, database, folder).seal("p", {"n": 1})
    (folder.folder / "intake.provider.json").write_text(json.dumps(azure.told(clientSecret="of last year")))
    ended = CliRunner().invoke(wrapping_keys.app, ["rotate", "intake"])
    assert ended.exit_code == 1 and "AADSTS7000215" in ended.stderr and "of last year" not in ended.output
    assert not (folder.folder / "intake").exists()
    assert database.data_keys.distinct("masterKey.provider") == ["local"]
    (found,) = wrapping.services(mongo_client, folder.folder)
    assert (found.code, found.where) == ("key-service-refuses", "intake.provider.json")
    assert "401" in found.says and "of last year" not in found.says


def test_a_service_that_was_left_is_taken_from_the_process_too(folder: KeyFolder) -> None:
    """The folder of a process has the file under its new name, and no longer under the one that wraps."""
    folder = KeyFolder(keys.create(folder.folder), "intake")
    named = folder.folder / "intake.provider.json"
    named.write_text("{}")
    own = keys.portion(folder.folder, "intake", folder.folder / "intake")
    named.rename(folder.folder / "intake.provider.before.json")
    keys.portion(folder.folder, "intake", own)
    assert [one.name for one in own.glob("*provider*")] == ["intake.provider.before.json"]
