"""Backups of all databases: one moment, whole, and useless without the keys."""

from __future__ import annotations

import gzip
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from chassis.vault import KEYS, Unreadable, Vault
from cli.backups import catalog, restoring, taking
from cli.backups.catalog import BrokenBackup

MASTER = secrets.token_bytes(96)
MOMENT = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)


def _silent(name: str, documents: int) -> None:
    pass


@dataclass
class Stage:
    """Two databases of a service that writes into both at once, and folders to back them up to."""

    client: MongoClient[dict[str, Any]]
    names: list[str]
    folder: Path

    @property
    def first(self) -> Any:
        return self.client[self.names[0]]

    @property
    def second(self) -> Any:
        return self.client[self.names[1]]

    def take(self) -> tuple[Path, Path]:
        """The folders of a new backup: its data, and the data keys."""
        to, keys_to = self.folder / "data", self.folder / "keys"
        data, _ = taking.take(self.client, self.names, to, keys_to, "test", _silent)
        name = catalog.name_of(data.point)
        return to / name, keys_to / name

    def bring_back(self, data: Path, keys: Path) -> int:
        """Reads both, and puts them in the place of whatever is there."""
        found = restoring.read(data, keys)
        return restoring.restore(
            self.client, list(zip(found, (data, keys), strict=True)), self.names, _silent
        )


@pytest.fixture(scope="module")
def client(mongo_uri: str) -> Iterator[Any]:
    # As the command connects: a snapshot is read with no other read concern beside it.
    client: MongoClient[dict[str, Any]] = MongoClient(mongo_uri, w="majority", tz_aware=True)
    yield client
    client.close()


@pytest.fixture
def stage(client: Any, tmp_path: Path) -> Iterator[Stage]:
    name = f"kindred_test_{secrets.token_hex(6)}"
    names = [name, f"{name}_other"]
    yield Stage(client, names, tmp_path)
    for one in names:
        client.drop_database(one)


def test_everything_comes_back_as_it_was(stage: Stage):
    """Documents of every type, empty collections and all indexes are there again, and nothing that came later is."""
    rows = [
        {"_id": n, "at": MOMENT, "sealed": secrets.token_bytes(9), "in": {"deep": [n, None]}}
        for n in range(2_500)
    ]
    stage.first.rows.insert_many(rows)
    stage.first.rows.create_index("at", name="forget", expireAfterSeconds=10**9)
    stage.first.rows.create_index(
        [("in.deep", 1), ("at", -1)],
        name="part",
        unique=True,
        partialFilterExpression={"at": {"$gt": MOMENT}},
    )
    stage.second.create_collection("empty")
    indexes = stage.first.rows.index_information()
    data, keys = stage.take()
    stage.first.rows.delete_many({"_id": {"$lt": 1_000}})
    stage.second.later.insert_one({"_id": 1})

    assert stage.bring_back(data, keys) == len(rows)
    assert list(stage.first.rows.find().sort("_id")) == rows
    assert stage.first.rows.index_information() == indexes
    assert stage.second.list_collection_names() == ["empty"]


def test_a_backup_under_writes_is_of_one_moment(stage: Stage):
    """What one transaction wrote into two databases is in the backup in both of them or in neither."""
    for database in (stage.first, stage.second):
        database.pairs.insert_one({"_id": -1})
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            with stage.client.start_session() as session, session.start_transaction():
                stage.first.pairs.insert_one({"_id": number}, session=session)
                stage.second.pairs.insert_one({"_id": number}, session=session)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        taken = [stage.take() for _ in range(3)]
    finally:
        over.set()
        writer.join()
    for data, keys in taken:
        stage.bring_back(data, keys)
        one, other = (sorted(database.pairs.distinct("_id")) for database in (stage.first, stage.second))
        assert one == other == list(range(-1, len(one) - 1))


def test_without_the_keys_nothing_can_be_read(stage: Stage):
    """The data alone, the data with the keys of another master, and the data after an erasure all stay closed."""
    vault = Vault(stage.client, stage.names[0], MASTER)
    stage.first.people.insert_one({"_id": "p", "sealed": vault.seal("p", {"name": "MARKED-NAME"})})
    data, keys = stage.take()
    for file in (*data.iterdir(), *keys.iterdir()):
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        assert b"MARKED-NAME" not in content
    assert [path.name for path in keys.glob("*.gz")] == [f"{stage.names[0]}.{KEYS}.bson.gz"]
    assert not list(data.glob(f"*{KEYS}*"))

    stage.bring_back(data, keys)
    sealed = stage.first.people.find_one()["sealed"]
    assert Vault(stage.client, stage.names[0], MASTER).open(sealed) == {"name": "MARKED-NAME"}
    with pytest.raises(Unreadable):
        Vault(stage.client, stage.names[0], secrets.token_bytes(96)).open(sealed)

    Vault(stage.client, stage.names[0], MASTER).erase("p")
    _, keys_after = stage.take()
    stage.bring_back(data, keys_after)
    with pytest.raises(Unreadable):
        Vault(stage.client, stage.names[0], MASTER).open(stage.first.people.find_one()["sealed"])


def test_keys_older_than_the_data_are_refused(stage: Stage):
    """Keys of an earlier moment would leave those who came later unreadable: it is said before anything is dropped."""
    stage.first.rows.insert_one({"_id": 1})
    _, old_keys = stage.take()
    stage.first.rows.insert_one({"_id": 2})
    data, _ = stage.take()
    with pytest.raises(BrokenBackup, match="older than the data"):
        restoring.read(data, old_keys)


@pytest.mark.parametrize("harm", ["flip", "cut", "gone", "list", "kind", "path"])
def test_a_backup_that_is_not_whole_is_named(stage: Stage, harm: str):
    """A changed, cut or missing file, a missing list, or the wrong kind of backup: the file is named, nothing is done."""
    stage.first.rows.insert_one({"_id": 1, "text": "x" * 50})
    data, keys = stage.take()
    file = next(data.glob("*rows*"))
    listed = data / catalog.LIST
    if harm == "flip":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-4])
    elif harm == "gone":
        file.unlink()
    elif harm == "list":
        listed.unlink()
    elif harm == "path":
        listed.write_text(listed.read_text().replace(file.name, f"../data/{data.name}/{file.name}"))
    else:
        data = keys
    with pytest.raises(BrokenBackup, match=r"rows|holds no backup|holds keys"):
        restoring.read(data, keys)
    assert stage.first.rows.count_documents({}) == 1


def test_a_file_with_fewer_documents_than_were_written_is_no_restore(stage: Stage):
    """A list that promises more than its file holds ends the restore with the file's name."""
    stage.first.rows.insert_one({"_id": 1})
    data, keys = stage.take()
    told = json.loads((data / catalog.LIST).read_text())
    told["held"][0]["documents"] = 2
    (data / catalog.LIST).write_text(json.dumps(told))
    with pytest.raises(BrokenBackup, match="holds 1 documents, not 2"):
        stage.bring_back(data, keys)


def test_a_point_is_told_as_a_time(stage: Stage):
    """The moment of a backup is the cluster's second, whatever zone the reader is in."""
    stage.first.rows.insert_one({"_id": 1})
    data, _ = stage.take()
    backup = catalog.read(data, catalog.DATA)
    assert replace(backup, point=(1_795_000_000, 7)).moment == datetime.fromtimestamp(1_795_000_000, UTC)
