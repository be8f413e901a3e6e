"""Proofs from tiles with as few fetches and hashes as can be: each tile is folded once, and full ones are kept.

A full tile never changes (C2SP tlog-tiles), so what was folded of it stands for as long as the process lives.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from services.audit.tlog import merkle
from services.audit.tlog.merkle import HASH_BYTES
from services.audit.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, TiledTree, TilePlace, TilesRefused

Folds = tuple[bytes, ...]
# About 16 kB each.
_MOST_KEPT = 2_048


class KeptFolds:
    """What was folded of full tiles lately, of every log; may be shared by threads."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, int, int], Folds] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, log: str, level: int, number: int) -> Folds | None:
        """The folds of this log's full tile; None where they are not kept."""
        with self._lock:
            found = self._kept.get((log, level, number))
            if found is not None:
                self._kept.move_to_end((log, level, number))
            return found

    def keep(self, log: str, level: int, number: int, folds: Folds) -> None:
        """The folds of a full tile are kept, until those of many others were asked for."""
        with self._lock:
            self._kept[log, level, number] = folds
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


class FoldedTree(TiledTree):
    """A tree of one size whose tiles come in one question for each `prepare` or proof.

    `fetch` gives those of the tiles that are there; `log` names the log among those whose folds are `kept`.
    """

    def __init__(
        self,
        size: int,
        fetch: Callable[[Sequence[TilePlace]], Mapping[TilePlace, bytes]],
        kept: KeptFolds,
        log: str = "",
    ) -> None:
        super().__init__(size, lambda place: None)
        self._fetch_all = fetch
        self._kept = kept
        self._log = log
        self._folds: dict[tuple[int, int], Folds] = {}
        self._ready: set[int] = set()

    def prepare(self, indexes: Iterable[int]) -> None:
        """The tiles that prove these leaves are here; raises TilesRefused where one is missing or cut."""
        new = {index for index in indexes if 0 <= index < self.size} - self._ready
        if new:
            self._need({tile for index in new for tile in self._way_up(index)} | self._right_edge())
            self._ready |= new

    def prove_inclusion(self, index: int) -> list[bytes]:
        """RFC 6962 audit path of a leaf; raises ValueError where the index is not in the tree."""
        self.prepare([index])
        return super().prove_inclusion(index)

    def prove_consistency(self, old_size: int) -> list[bytes]:
        """RFC 6962 consistency proof from an older size; raises ValueError where there is none."""
        ranges = merkle.consistency_ranges(old_size, self.size)
        subtrees = [each for one in ranges for each in merkle.perfect_subtrees(*one)]
        self._need({_tile_of(height, index) for height, index in subtrees})
        return super().prove_consistency(old_size)

    def _way_up(self, index: int) -> Iterator[tuple[int, int]]:
        """The tiles between a leaf and the root: every node's sibling is in the same tile."""
        level, count = 0, self.size
        while count:
            index >>= TILE_HEIGHT
            if index << TILE_HEIGHT < count:
                yield level, index
            level, count = level + 1, count >> TILE_HEIGHT

    def _right_edge(self) -> set[tuple[int, int]]:
        """The tiles of the perfect subtrees the whole tree is made of."""
        heights = (height for height in range(self.size.bit_length()) if self.size >> height & 1)
        return {_tile_of(height, (self.size >> height) - 1) for height in heights}

    def _need(self, tiles: set[tuple[int, int]]) -> None:
        absent = []
        for tile in tiles - self._folds.keys():
            folds = self._kept.get(self._log, *tile) if self._is_full(*tile) else None
            if folds is None:
                absent.append(tile)
            else:
                self._folds[tile] = folds
        if absent:
            self._take(absent)

    def _take(self, absent: Sequence[tuple[int, int]]) -> None:
        places = [self._place(*tile) for tile in absent]
        found = self._fetch_all(places)
        for place in places:
            content = found.get(place, b"")
            if len(content) != place.width * HASH_BYTES:
                raise TilesRefused(f"{place.path()} is missing or has another width")
            self._folds[place.level, place.index] = folds = folded(content)
            if place.is_full:
                self._kept.keep(self._log, place.level, place.index, folds)

    def _is_full(self, level: int, number: int) -> bool:
        return (number + 1) << TILE_HEIGHT <= self.size >> (TILE_HEIGHT * level)

    def _place(self, level: int, number: int) -> TilePlace:
        reach = (self.size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH
        return TilePlace(level, number, min(reach, TILE_WIDTH))

    def _subtree(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        first = index << inner
        tile = level, first >> TILE_HEIGHT
        if tile not in self._folds:
            self._need({tile})
        at = ((first & (TILE_WIDTH - 1)) >> inner) * HASH_BYTES
        return self._folds[tile][inner][at : at + HASH_BYTES]


def _tile_of(height: int, index: int) -> tuple[int, int]:
    """Level and number of the tile that holds this subtree, or the nodes it is folded from."""
    level, inner = divmod(height, TILE_HEIGHT)
    return level, (index << inner) >> TILE_HEIGHT


def folded(content: bytes) -> Folds:
    """The tile's hashes, and above them level by level the nodes that are whole, each level in one piece."""
    levels, pair, sha256 = [content], 2 * HASH_BYTES, hashlib.sha256
    while len(levels[-1]) >= pair:
        below = levels[-1]
        whole = len(below) - len(below) % pair
        levels.append(
            b"".join([sha256(b"\x01" + below[at : at + pair]).digest() for at in range(0, whole, pair)])
        )
    return tuple(levels)
