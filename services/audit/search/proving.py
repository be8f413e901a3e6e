"""The proofs that go with hits: which log an entry lies in, its place there, and the hashes up to the root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.audit.domain.entry import Head
from services.audit.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, TiledTree, TilePlace

if TYPE_CHECKING:
    from services.audit.reading_room import ReadingRoom as Room
    from services.audit.store import Store


@dataclass(frozen=True, slots=True)
class Proof:
    """RFC 6962: the leaf at `index` of a tree of `size`, its audit path, and the checkpoint of that tree's log."""

    index: int
    size: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def proofs(room: Room, numbers: Sequence[int], head: Head) -> dict[int, Proof]:
    """The proof of each entry, made from tiles alone: under `head`, or under the last head of an earlier period."""
    logs: dict[str, tuple[Store, list[int]]] = {}
    for number in numbers:
        store = room.store.log_of(number)
        logs.setdefault(store.place.name, (store, []))[1].append(number)
    found: dict[int, Proof] = {}
    for name, (store, inside) in logs.items():
        own = head if name == room.store.place.name else _last_head(store)
        if own is not None:
            found |= _of_one_log(store, inside, own)
    return found


def _last_head(store: Store) -> Head | None:
    heads = store.heads_now()
    return heads.published if heads else None


def _of_one_log(store: Store, numbers: Sequence[int], head: Head) -> dict[int, Proof]:
    first = store.place.first
    places = {number: number - first for number in numbers if 0 <= number - first < head.size}
    known = _tiles(store, list(places.values()), head.size)
    tree = TiledTree(head.size, lambda place: known.get(place) or store.tile(place, head.size))
    return {
        number: Proof(
            index, head.size, tree.leaf_hash(index), tuple(tree.prove_inclusion(index)), head.checkpoint
        )
        for number, index in places.items()
    }


def _tiles(store: Store, indexes: Sequence[int], size: int) -> dict[TilePlace, bytes]:
    """Full tiles on the way from the leaves to the root, in one question; those at the edge come one by one."""
    places: set[TilePlace] = set()
    for each in indexes:
        level, index = 0, each // TILE_WIDTH
        while (index + 1) * TILE_WIDTH <= size >> (TILE_HEIGHT * level):
            places.add(TilePlace(level, index, TILE_WIDTH))
            level, index = level + 1, index // TILE_WIDTH
    return {tile.place: tile.content for tile in store.tiles_at(sorted(places, key=str))}
