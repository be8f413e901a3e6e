"""Each key management service that Kindred supports wraps the keys of people, over TLS, and nothing is lost by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from pymongo.errors import EncryptionError

from chassis.key_providers import tried
from chassis.mongo import is_outside_trouble
from tests.providers.conftest import Room

PEOPLE = 40
# A process that starts afterwards and is told nothing but where database and keys are.
_READER = """
import sys
from pathlib import Path
from chassis import mongo
from chassis.key_providers import KeyFolder
from chassis.vault import Vault
uri, name, folder = sys.argv[1:]
client = mongo.connect(uri)
vault = Vault(client, name, b"not used", KeyFolder(Path(folder), "intake"))
print(sorted(vault.open(one["sealed"])["n"] for one in client[name].people.find()))
"""


def test_a_process_that_starts_afterwards_opens_what_the_service_wrapped(room: Room, mongo_uri: str) -> None:
    """People of a file's key and people of the service's are the same to a reader; nothing is left under the file."""
    vault = room.vault()
    room.database.people.insert_many([{"sealed": vault.seal(f"p{n}", {"n": n})} for n in range(PEOPLE)])
    room.name(room.service.told())
    tried(room.client, room.folder.read())
    assert room.wrap() == PEOPLE and room.others() == 0
    room.database.people.insert_one({"sealed": vault.seal("new", {"n": PEOPLE})})
    assert room.database.data_keys.distinct("masterKey.provider") == [room.service.name]
    told = [sys.executable, "-c", _READER, mongo_uri, room.database.name, str(room.folder.folder)]
    told_env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    read = subprocess.run(told, capture_output=True, text=True, check=True, env=told_env)
    assert json.loads(read.stdout) == list(range(PEOPLE + 1))


def test_a_master_key_is_changed_under_writers(room: Room) -> None:
    """Two writers go on while the keys are wrapped with another master key of the service; no key of the old is used."""
    room.name(room.service.told(0))
    vault, over, troubles = room.vault(), threading.Event(), []
    sealed: dict[str, Any] = {f"old-{n}": vault.seal(f"old-{n}", {"n": n}) for n in range(10)}

    def write(writer: int) -> None:
        n = 0
        while not over.is_set():
            try:
                sealed[f"{writer}-{n}"] = vault.seal(f"{writer}-{n}", {"n": n}, is_first=True)
                assert vault.open(sealed[f"{writer}-{n}"]) == {"n": n}
            except Exception as trouble:  # noqa: BLE001  whatever it is, the test tells
                troubles.append(trouble)
                return
            n += 1

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
    for thread in threads:
        thread.start()
    room.name(room.service.told(1))
    assert room.wrap() >= 10
    over.set()
    for thread in threads:
        thread.join()
    room.wrap()  # those that were made while the file was being read
    assert troubles == [] and room.others() == 0 and len(sealed) > 10
    fresh = room.vault()
    assert all(fresh.open(one)["n"] == int(name.rpartition("-")[2]) for name, one in sealed.items())


def test_a_new_version_of_the_master_key_loses_nothing(room: Room) -> None:
    """The service rotates its key by itself: what an older version wrapped opens, and is wrapped anew where it must."""
    if not hasattr(room.service, "new_version"):
        pytest.skip(f"{room.service.name} has no versions that a caller could see")
    room.name(room.service.told())
    sealed = room.vault().seal("p", {"n": 1})
    room.service.new_version("people")
    assert room.vault().open(sealed) == {"n": 1}
    room.name(room.service.told())
    room.wrap()
    assert room.others() == 0 and room.vault().open(sealed) == {"n": 1}


def test_a_copy_is_useless_without_the_service(room: Room) -> None:
    """Whoever has the whole database and the old master key opens nothing."""
    room.name(room.service.told())
    sealed = room.vault().seal("p", {"family": "Quillfeather"})
    room.file.unlink()
    with pytest.raises(EncryptionError, match="not configured"):
        room.vault().open(sealed)
    room.name(room.service.told())
    assert room.vault().open(sealed) == {"family": "Quillfeather"}


def test_wrong_credentials_are_told_plainly_and_erase_nobody(room: Room) -> None:
    """The service's own words, none of our secrets; a reader is told to try again, and never that somebody is erased."""
    room.name(room.service.told())
    sealed = room.vault().seal("p", {"n": 1})
    for number, wrong in enumerate(room.service.wrong_credentials()):
        room.name(wrong)
        with pytest.raises(EncryptionError, match=r"KM(S|IP)") as no:
            tried(room.client, room.folder.read())
        told = str(no.value)
        assert not any(value in told for name, value in wrong["credentials"].items() if "ecret" in name), told
        assert is_outside_trouble(no.value)
        with pytest.raises(EncryptionError):
            room.vault().seal(f"q{number}", {"n": 2})
        try:
            assert room.vault().open(sealed) == {"n": 1}  # of another master key only new people need
        except EncryptionError as closed:
            assert is_outside_trouble(closed)
    room.name(room.service.told())
    assert room.vault().open(sealed) == {"n": 1} and room.wrap() == 0


def test_a_service_that_is_away_erases_nobody_and_is_used_again_when_it_is_back(room: Room) -> None:
    """What was opened just now stays open; the rest is told to try again, and opens when the service answers."""
    room.name(room.service.told())
    running = room.vault()
    known, other = running.seal("known", {"n": 1}), room.vault().seal("other", {"n": 2})
    room.service.away()
    try:
        assert running.open(known) == {"n": 1}
        for trouble in (lambda: running.open(other), lambda: running.seal("new", {"n": 3})):
            with pytest.raises(EncryptionError) as no:
                trouble()
            assert is_outside_trouble(no.value)
    finally:
        room.service.back()
    assert running.open(other) == {"n": 2}
    assert running.open(running.seal("new", {"n": 3})) == {"n": 3}


def test_back_to_a_file_of_our_own(room: Room) -> None:
    """The service's file, called otherwise, goes on unwrapping until nothing of it is left; then it is not needed."""
    room.name(room.service.told())
    vault = room.vault()
    sealed = [vault.seal(f"p{n}", {"n": n}) for n in range(3)]
    before = room.file.rename(room.folder.folder / "intake.provider.before.json")
    assert vault.open(vault.seal("new", {"n": 9})) == {"n": 9}
    assert [room.vault().open(one)["n"] for one in sealed] == [0, 1, 2]
    assert room.wrap() == 3 and room.others() == 0
    before.unlink()
    assert [room.vault().open(one)["n"] for one in sealed] == [0, 1, 2]


def test_from_one_to_another_of_the_same_kind(room: Room) -> None:
    """Another account or vault has a name of its own, and the keys move there while both unwrap."""
    room.name(room.service.told(0))
    sealed = room.vault().seal("p", {"n": 1})
    room.file.rename(room.folder.folder / "intake.provider.2026.json")
    another = room.service.told(1)
    name = f"{another['provider']}:hospital2"
    room.name(another | {"provider": name})
    assert room.vault().open(sealed) == {"n": 1}
    assert room.wrap() == 1
    (room.folder.folder / "intake.provider.2026.json").unlink()
    assert room.database.data_keys.distinct("masterKey.provider") == [name]
    assert room.vault().open(sealed) == {"n": 1}
