"""Reads every collection at one moment of the cluster and writes it to files."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from cli.backups import catalog
from cli.backups.catalog import Backup, Held

# Wrapped data keys: whoever holds none of them cannot read what they close, so they are backed up apart and for less
# time; a person who was erased must not come back with an old copy.
DATA_KEYS = "data_keys"
KEYS_SUFFIX = "_keys"
GZIP_LEVEL = 3
TRIES = 5
_SNAPSHOT_TOO_OLD = 239
_SNAPSHOT_UNAVAILABLE = 246

Tell = Callable[[str, int], None]
Client = MongoClient[dict[str, Any]]


class PointLost(Exception):  # noqa: N818  said to a person
    """The server does not keep the moment any more that was being read."""


@dataclass(frozen=True)
class _Collection:
    database: str
    name: str
    indexes: tuple[dict[str, Any], ...]

    @property
    def kind(self) -> str:
        is_key = self.name == DATA_KEYS or self.database.endswith(KEYS_SUFFIX)
        return catalog.KEYS if is_key else catalog.DATA

    @property
    def file(self) -> str:
        return f"{self.database}.{self.name}.bson.gz"


def take(
    client: Client, databases: Sequence[str], to: Path, keys_to: Path, release: str, tell: Tell
) -> tuple[Backup, Backup]:
    """Data and data keys as they stood at one moment, in a new folder (named after it) below each of the two.

    Nothing is locked and nobody waits: the server serves one snapshot to all reads (it keeps five minutes by default,
    `minSnapshotHistoryWindowInSeconds`).  Raises PointLost where that was too short, PyMongoError where the database is
    away.  What was begun and not finished is no backup: the list of a folder is written last.
    """
    for number in range(1, TRIES + 1):
        try:
            return _take(client, databases, to, keys_to, release, tell)
        except OperationFailure as trouble:
            if trouble.code == _SNAPSHOT_TOO_OLD:
                raise PointLost(
                    "The server forgot the moment before everything was read: "
                    "raise minSnapshotHistoryWindowInSeconds (mongod --setParameter) above the time a backup takes."
                ) from None
            # A collection or an index was just being made: the moment before it cannot be read.
            if trouble.code != _SNAPSHOT_UNAVAILABLE or number == TRIES:
                raise
    raise AssertionError("unreachable")


def _take(
    client: Client, databases: Sequence[str], to: Path, keys_to: Path, release: str, tell: Tell
) -> tuple[Backup, Backup]:
    wanted = [one for name in databases for one in _collections(client, name)]
    with client.start_session(snapshot=True) as session:
        point = _point(client, wanted, session)
        name = catalog.name_of(point)
        folders = {catalog.DATA: _folder(to / name), catalog.KEYS: _folder(keys_to / name)}
        held: dict[str, list[Held]] = {catalog.DATA: [], catalog.KEYS: []}
        for one in wanted:
            written = _write(client, one, folders[one.kind], session)
            held[one.kind].append(written)
            tell(f"{one.database}.{one.name}", written.documents)
    made = []
    for kind, folder in folders.items():
        backup = Backup(kind, point, release, tuple(held[kind]))
        catalog.write(backup, folder)
        made.append(backup)
    return made[0], made[1]


def _collections(client: Client, database: str) -> Iterator[_Collection]:
    found = client[database].list_collections(filter={"type": "collection"})
    for name in sorted(row["name"] for row in found):
        if not name.startswith("system."):
            indexes = tuple(dict(index) for index in client[database][name].list_indexes())
            yield _Collection(database, name, indexes)


def _point(client: Client, wanted: Sequence[_Collection], session: ClientSession) -> tuple[int, int]:
    """The moment the session's first read chose; every later read is of the same."""
    first = wanted[0] if wanted else _Collection("admin", "none", ())
    client[first.database][first.name].find_one({}, {"_id": 1}, session=session)
    chosen = session._snapshot_time
    if chosen is None:
        raise PointLost("The server named no moment: is it a replica set?")
    return chosen.time, chosen.inc


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _write(client: Client, one: _Collection, folder: Path, session: ClientSession) -> Held:
    path, documents = folder / one.file, 0
    with _compressed(path) as sink:
        for batch in client[one.database][one.name].find_raw_batches({}, session=session):
            sink.write(batch)
            documents += _count(batch)
    return Held(one.database, one.name, one.file, catalog.digest(path), documents, one.indexes)


@contextmanager
def _compressed(path: Path) -> Iterator[gzip.GzipFile]:
    """A gzip file that is on the disk when the block ends; nothing of the moment of writing is in it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as sink:
            yield sink
        file.flush()
        os.fsync(file.fileno())


def _count(batch: bytes) -> int:
    """How many BSON documents stand one after another: each begins with its length."""
    at = documents = 0
    while at < len(batch):
        at += int.from_bytes(batch[at : at + 4], "little")
        documents += 1
    return documents
