"""Filling a log for a bench: real entries to a million, and above that the same million again, later and further on.

Copies are made by MongoDB itself, entry and index row alike, with their own numbers and times, under one tree of their
own: what a search does with them, opening and proving included, it does with any.  Everybody has ten times as many
entries in a log of ten million as in one of one, and each event id stands for ten.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import pymongo

from services.audit.domain.entry import Head
from services.audit.search.making import RowMaker
from services.audit.tlog.merkle import leaf_hash
from tests.audit_reading import ReadLog

REAL = 1_000_000
# Above this many rows the index is built over them at once, as after `forget`, and not row by row.
_FOLLOWED = 100_000
_STEP = 2_000
_TILES_AT_ONCE = 65_536
_LONG_S = 6 * 3_600


def fill(log: ReadLog, size: int, facts: Callable[[int], Any], pace_s: int, real: int = REAL) -> float:
    """The log has `size` entries, all of them indexed; rows a second that were made for the index."""
    before = log.room.finds.reached()
    if min(before, log.edge.size) >= size:
        return 0.0
    _without_rest(log, before)
    while log.edge.size < min(size, real):
        start = log.edge.size
        number = min(_STEP, size - start, real - start)
        log.record([facts(start + each) for each in range(number)])
        if log.edge.size % 100_000 < number:
            _say(f"{log.edge.size:,} entries")
    started = time.perf_counter()
    if size <= _FOLLOWED:
        while log.room.finds.follow(size) < size:
            pass
        return (size - before) / (time.perf_counter() - started)
    with pymongo.timeout(_LONG_S):
        _without_indexes(log)
        made = _rows(log, before, min(size, real))
        seconds = time.perf_counter() - started
        if size > real:
            _again(log, size, real, pace_s)
        _say("building the indexes")
        log.room.finds.ensure_indexes()
    log.room.database["search_state"].update_one({"_id": "finds"}, {"$max": {"next": size}}, upsert=True)
    return made / seconds if made else 0.0


def _without_rest(log: ReadLog, reached: int) -> None:
    """What a filling that was broken off left behind its last whole step is gone."""
    with pymongo.timeout(_LONG_S):
        for collection, end in (("entries", log.edge.size), ("finds", reached)):
            log.room.database[collection].delete_many({"_id": {"$gte": end}})
        log.room.store.rows.delete_many({"index": {"$gte": log.edge.size}})


def _without_indexes(log: ReadLog) -> None:
    log.room.finds.finds.drop_indexes()


def _rows(log: ReadLog, start: int, end: int) -> int:
    """The index rows of these entries, made as the follower makes them; how many."""
    room = log.room
    maker = RowMaker(room.database, room.keyring, room.sealer)
    for at in range(start, end, _STEP):
        room.finds.finds.insert_many(list(maker.made(at, min(at + _STEP, end))), ordered=False)
        if at % 100_000 == 0:
            _say(f"{at:,} index rows")
    return end - start


def _again(log: ReadLog, size: int, real: int, pace_s: int) -> None:
    """Entries and rows from `real` on are those of the beginning, and the tree goes over all of them."""
    database = log.room.database
    first = log.edge.size
    for start in range(first, size, real):
        number = min(real, size - start)
        _say(f"{start:,} entries, copied")
        of_these = {"$match": {"_id": {"$lt": number}}}
        later: dict[str, Any] = {"_id": {"$add": ["$_id", start]}}
        for name in ("entries", "finds"):
            moved = {"t": {"$add": ["$t", 1_000 * pace_s * start]}} if name == "finds" else {}
            into = {"into": name, "on": "_id", "whenMatched": "fail", "whenNotMatched": "insert"}
            database[name].aggregate([of_these, {"$set": later | moved}, {"$merge": into}])
    hashes = [leaf_hash(leaf) for leaf in log.leaves[:real]]
    old = Head(first, log.edge.root(), log.note())
    while log.edge.size < size:
        left, at = size - log.edge.size, (log.edge.size - first) % real
        number = min(_TILES_AT_ONCE, left, real - at)
        log.edge, tiles = log.edge.grow(hashes[at : at + number])
        log.room.store.write_tiles(tiles, {})
    new = Head(log.edge.size, log.edge.root(), log.note())
    assert log.room.store.swap_head(old, new)
    log.room.store.mark_published(new)


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
