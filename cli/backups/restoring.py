"""Writes the files of a backup back into empty databases."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel, MongoClient

from cli.backups import catalog
from cli.backups.catalog import Backup, BrokenBackup, Held

Tell = Callable[[str, int], None]
Client = MongoClient[dict[str, Any]]

BATCH_DOCUMENTS = 1_000
BATCH_BYTES = 8_000_000
BIGGEST_DOCUMENT = 16 * 1024 * 1024 + 16 * 1024


def read(data: Path, keys: Path) -> tuple[Backup, Backup]:
    """Both backups, every file of them checked; BrokenBackup where one is not whole or the keys are the older ones.

    Keys newer than the data are right, and wanted: who was erased since then stays erased.
    """
    found, opening = catalog.read(data, catalog.DATA), catalog.read(keys, catalog.KEYS)
    if opening.point < found.point:
        raise BrokenBackup(
            f"The keys are of {opening.moment:%Y-%m-%d %H:%M:%S} UTC, older than the data "
            f"({found.moment:%Y-%m-%d %H:%M:%S}): who came later could not be read. Take the newest keys there are."
        )
    return found, opening


def standing(client: Client, databases: Sequence[str]) -> list[str]:
    """Which of the databases are there already."""
    there = set(client.list_database_names())
    return [name for name in databases if name in there]


def restore(
    client: Client, backups: Sequence[tuple[Backup, Path]], databases: Sequence[str], tell: Tell
) -> int:
    """Afterwards the databases hold what the backups do, with their indexes, and nothing else; returns the documents.

    Done again after it was interrupted, it begins anew.  Raises BrokenBackup where a file holds another number of
    documents than was written.
    """
    for name in databases:
        client.drop_database(name)
    total = 0
    for backup, folder in backups:
        for one in (each for each in backup.held if each.database in databases):
            total += _refill(client, one, folder)
            tell(f"{one.database}.{one.collection}", one.documents)
    return total


def _refill(client: Client, one: Held, folder: Path) -> int:
    database = client[one.database]
    database.create_collection(one.collection)
    collection, written = database[one.collection], 0
    for batch in _batches(folder / one.file):
        collection.insert_many(batch, ordered=False)
        written += len(batch)
    if written != one.documents:
        raise BrokenBackup(f"{one.file} holds {written} documents, not {one.documents}.")
    if wanted := [_index(index) for index in one.indexes if index["name"] != "_id_"]:
        collection.create_indexes(wanted)
    return written


def _index(found: dict[str, Any]) -> IndexModel:
    options = {name: value for name, value in found.items() if name not in {"v", "key", "ns"}}
    return IndexModel(list(dict(found["key"]).items()), **options)


def _batches(path: Path) -> Iterator[list[RawBSONDocument]]:
    batch: list[RawBSONDocument] = []
    size = 0
    for document in _documents(path):
        batch.append(RawBSONDocument(document))
        size += len(document)
        if len(batch) >= BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _documents(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as source:
        while head := source.read(4):
            length = int.from_bytes(head, "little")
            if not 5 <= length <= BIGGEST_DOCUMENT:
                raise BrokenBackup(f"{path.name} holds something that is no document.")
            document = head + source.read(length - 4)
            if len(document) != length:
                raise BrokenBackup(f"{path.name} ends in the middle of a document.")
            yield document
