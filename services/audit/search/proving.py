"""The proofs that go with hits: which log an entry lies in, its place there, and the hashes up to the root."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from services.audit.domain.entry import Head
from services.audit.domain.period import LogPlace, holding
from services.audit.periods import Periods
from services.audit.store import Store
from services.audit.tlog.merkle import leaf_hash, node_hash
from services.audit.tlog.proofs import ProofRefused, verify_inclusion
from services.audit.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, TiledTree, TilePlace, edge_places, split_hashes

if TYPE_CHECKING:
    from services.audit.reading_room import ReadingRoom as Room


@dataclass(frozen=True, slots=True)
class Proof:
    """RFC 6962: the leaf at `index` of a tree of `size`, its audit path, and the checkpoint of that tree's log."""

    index: int
    size: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    root: bytes

    def shows(self, leaf: bytes) -> bool:
        """Whether the proof leads from this very leaf to the root its checkpoint signs."""
        try:
            verify_inclusion(self.index, self.size, leaf_hash(leaf), list(self.hashes), self.root)
        except ProofRefused:
            return False
        return True


def proofs(room: Room, numbers: Sequence[int], head: Head) -> dict[int, Proof]:
    """The proof of each entry, made from tiles alone: under `head`, or under the last head of an earlier period."""
    current = room.store.place
    if all(number >= current.first for number in numbers):
        return _of_one_log(room.store, numbers, head)
    places = Periods(room.database).places()
    logs: dict[LogPlace, list[int]] = {}
    for number in numbers:
        logs.setdefault(holding(places, number), []).append(number)
    found: dict[int, Proof] = {}
    for place, inside in logs.items():
        store = Store(room.database, place)
        own = head if place == current else _last_head(store)
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
    tree = _FoldedTree(head.size, lambda place: known.get(place) or store.tile(place, head.size))
    return {
        number: Proof(
            index,
            head.size,
            tree.leaf_hash(index),
            tuple(tree.prove_inclusion(index)),
            head.checkpoint,
            head.root,
        )
        for number, index in places.items()
    }


class _FoldedTree(TiledTree):
    """A tree that folds each tile once: hits of one page, and of the next, share most of their way to the root."""

    def __init__(self, size: int, fetch: Callable[[TilePlace], bytes | None]) -> None:
        super().__init__(size, fetch)
        self._folded: dict[tuple[int, int], list[list[bytes]]] = {}

    def _subtree(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        first = index << inner
        place = level, first // TILE_WIDTH
        if place not in self._folded:
            self._folded[place] = _folds(b"".join(self._tile(*place)))
        return self._folded[place][inner][(first % TILE_WIDTH) >> inner]


@lru_cache(4_096)
def _folds(tile: bytes) -> list[list[bytes]]:
    """The nodes above a tile's hashes that are whole, level by level; at most about 16 kB each."""
    levels = [split_hashes(tile)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return levels


def _tiles(store: Store, indexes: Sequence[int], size: int) -> dict[TilePlace, bytes]:
    """The tiles on the way from the leaves to the root and those at the tree's edge, in one question.

    One at the edge that was outgrown and dropped meanwhile is cut from a wider one later.
    """
    places: set[TilePlace] = set(edge_places(size))
    for each in indexes:
        level, index = 0, each // TILE_WIDTH
        while (index + 1) * TILE_WIDTH <= size >> (TILE_HEIGHT * level):
            places.add(TilePlace(level, index, TILE_WIDTH))
            level, index = level + 1, index // TILE_WIDTH
    return {tile.place: tile.content for tile in store.tiles_at(sorted(places, key=str))}
