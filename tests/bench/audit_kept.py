"""Logs that are filled once and measured as often as one likes: each in a folder, with a mongod of its own on disk.

The folder of a larger log begins as a copy of the next smaller one's.  A filling that was broken off goes on where its
last whole step ended.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chassis import mongo
from cli.local import children, mongod, ports
from services.audit.store.periods import CurrentStore
from services.audit.tlog.tiles import Edge, edge_places
from tests.audit_reading import ReadLog, a_reading_room

_NAME = "kindred_bench"
# Of ten million entries neither the index nor the entries fit into the half gigabyte that tests give a mongod.
CACHE_GB = 4.0
_STOP_S = 120.0


@contextmanager
def a_kept_log(home: Path, size: int) -> Iterator[ReadLog]:
    """The log of this size as far as it is filled; its mongod runs meanwhile, and what it stored stays."""
    folder = home / str(size)
    if not folder.exists():
        _begin(home, folder, size)
    (folder / "run").mkdir(parents=True, exist_ok=True)
    running = mongod.start(folder, ports.choose(folder, _base(folder)).mongod, cache_gb=CACHE_GB)
    try:
        with mongo.connect(running.uri) as client:
            room = a_reading_room(client[_NAME], folder / "keys", running.uri)
        try:
            yield _opened(ReadLog(room, (folder / "keys" / "issuer.pem").read_bytes()))
        finally:
            room.database.client.close()
    finally:
        children.stop(folder / "run", running.child, _STOP_S)


def _base(folder: Path) -> str:
    """The ports it was filled at, "" before that: a replica set knows itself by them, so no others will do."""
    file = folder / "ports.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["base"]) if file.exists() else ""


def _begin(home: Path, folder: Path, size: int) -> None:
    smaller = [each for each in home.glob("*") if each.name.isdigit() and int(each.name) < size]
    if not smaller:
        folder.mkdir(parents=True)
        return
    draft = home / f"{size}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(
        max(smaller, key=lambda each: int(each.name)), draft, ignore=shutil.ignore_patterns("run", "log")
    )
    draft.rename(folder)


def _opened(log: ReadLog) -> ReadLog:
    """Its edge as it is stored, and its leaves read from there."""
    store = log.room.store
    heads = store.heads_now()
    size = heads.published.size if heads else 0
    log.edge = Edge.of_tiles(size, store.tiles_at(edge_places(size)))
    log.leaves = _StoredLeaves(store)
    return log


class _StoredLeaves(list[bytes]):
    """Leaves that are in the database and not in memory: slices are read, and adding is what the store did."""

    def __init__(self, store: CurrentStore) -> None:
        super().__init__()
        self._store = store

    def __getitem__(self, which: Any) -> Any:
        return list(self._store.leaves(which.start or 0, which.stop))

    def __iadd__(self, others: Any) -> _StoredLeaves:
        return self
