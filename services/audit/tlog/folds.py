"""Proofs from tiles with as few fetches and hashes as can be: of a tile only what a path needs is folded, and kept.

A full tile never changes (C2SP tlog-tiles), so what was folded of it stands for as long as the process lives.
The middle that is stored beside a full tile is used only where the tile above says that it is right.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from services.audit.tlog import merkle
from services.audit.tlog.merkle import HASH_BYTES, folded
from services.audit.tlog.tiles import (
    MIDDLE_BYTES,
    MIDDLE_HEIGHT,
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    TiledTree,
    TilePlace,
    TilesRefused,
)

_BLOCK_BYTES = HASH_BYTES << MIDDLE_HEIGHT
# At most about 18 kB each.
_MOST_KEPT = 2_048


class FoldedTile:
    """One tile's nodes: those above its middle at once, those below it block by block as they are asked for."""

    __slots__ = ("_blocks", "_content", "_upper", "is_told")

    def __init__(self, content: bytes, middle: bytes = b"") -> None:
        """`middle` may be anybody's word: `is_told` until `fold_whole`."""
        self._content = content
        self._blocks: dict[int, tuple[bytes, ...]] = {}
        self.is_told = len(middle) == MIDDLE_BYTES and len(content) == TILE_WIDTH * HASH_BYTES
        if self.is_told:
            self._upper = folded(middle)
        else:
            self.fold_whole()

    def fold_whole(self) -> None:
        """Every node comes from the tile's own hashes."""
        whole = range(len(self._content) // _BLOCK_BYTES)
        self._upper = folded(b"".join([self._block(number)[MIDDLE_HEIGHT] for number in whole]))
        self.is_told = False

    @property
    def middle(self) -> bytes:
        """The nodes halfway up."""
        return self._upper[0]

    def node(self, inner: int, at: int) -> bytes:
        """The node number `at` at this height above the tile's hashes; it must be whole."""
        if inner >= MIDDLE_HEIGHT:
            return self._upper[inner - MIDDLE_HEIGHT][at * HASH_BYTES : (at + 1) * HASH_BYTES]
        up = MIDDLE_HEIGHT - inner
        within = (at & ((1 << up) - 1)) * HASH_BYTES
        return self._block(at >> up)[inner][within : within + HASH_BYTES]

    def siblings(self, offset: int, heights: int) -> list[bytes]:
        """What a path from one of the tile's hashes goes by, so many heights up."""
        return [self.node(inner, (offset >> inner) ^ 1) for inner in range(heights)]

    def _block(self, number: int) -> tuple[bytes, ...]:
        found = self._blocks.get(number)
        if found is None:
            found = folded(self._content[number * _BLOCK_BYTES : (number + 1) * _BLOCK_BYTES])
            self._blocks[number] = found
        return found


class KeptFolds:
    """What was folded of full tiles lately, of every log; may be shared by threads."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, int, int], FoldedTile] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, log: str, level: int, number: int) -> FoldedTile | None:
        """This log's full tile; None where it is not kept."""
        with self._lock:
            found = self._kept.get((log, level, number))
            if found is not None:
                self._kept.move_to_end((log, level, number))
            return found

    def keep(self, log: str, level: int, number: int, tile: FoldedTile) -> None:
        """A full tile is kept, until many others were asked for."""
        with self._lock:
            self._kept[log, level, number] = tile
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


class FoldedTree(TiledTree):
    """A tree of one size whose tiles come in one question for each `prepare` or proof.

    `fetch` gives those of the tiles that are there; `log` names the log among those whose folds are `kept`; `learned`
    hears of the middles of full tiles that came without one.
    """

    def __init__(
        self,
        size: int,
        fetch: Callable[[Sequence[TilePlace]], Mapping[TilePlace, Tile]],
        kept: KeptFolds,
        log: str = "",
        learned: Callable[[Sequence[Tile]], None] = lambda tiles: None,
    ) -> None:
        super().__init__(size, lambda place: None)
        self._fetch_all = fetch
        self._kept = kept
        self._log = log
        self._learned = learned
        self._folds: dict[tuple[int, int], FoldedTile] = {}
        self._ready: set[int] = set()
        self._tails: dict[int, list[bytes]] = {}

    def prepare(self, indexes: Iterable[int]) -> None:
        """The tiles that prove these leaves are here; raises TilesRefused where one is missing or cut."""
        new = {index for index in indexes if 0 <= index < self.size} - self._ready
        if new:
            self._need({tile for index in new for tile in self._way_up(index)} | self._right_edge())
            self._ready |= new

    def prove_inclusion(self, index: int) -> list[bytes]:
        """RFC 6962 audit path of a leaf; raises ValueError where the index is not in the tree."""
        self.prepare([index])
        peak = self._peak(index)
        path: list[bytes] = []
        for level in range(-(-peak // TILE_HEIGHT)):
            at = index >> (TILE_HEIGHT * level)
            heights = min(TILE_HEIGHT, peak - TILE_HEIGHT * level)
            path += self._tile_of(level, at >> TILE_HEIGHT).siblings(at & (TILE_WIDTH - 1), heights)
        if peak not in self._tails:  # above its peak, every leaf below one goes the same way
            ranges = merkle.inclusion_ranges(index, self.size)[peak:]
            self._tails[peak] = [self._range_root(*each) for each in ranges]
        return path + self._tails[peak]

    def prove_consistency(self, old_size: int) -> list[bytes]:
        """RFC 6962 consistency proof from an older size; raises ValueError where there is none."""
        ranges = merkle.consistency_ranges(old_size, self.size)
        subtrees = [each for one in ranges for each in merkle.perfect_subtrees(*one)]
        self._need({_tile_of(height, index) for height, index in subtrees})
        return super().prove_consistency(old_size)

    def _peak(self, index: int) -> int:
        """The height of the largest perfect subtree of the tree that the leaf lies in."""
        if not 0 <= index < self.size:
            raise ValueError("the index is not in the tree")
        return (index ^ self.size).bit_length() - 1

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
        places = sorted((self._place(*tile) for tile in absent), key=lambda place: -place.level)
        found = self._fetch_all(places)
        new: list[Tile] = []
        for place in places:  # from the top, so that the tile above is here
            tile = found.get(place)
            if tile is None or len(tile.content) != place.width * HASH_BYTES:
                raise TilesRefused(f"{place.path()} is missing or has another width")
            self._folds[place.level, place.index] = folds = self._folded(tile)
            if place.is_full:
                self._kept.keep(self._log, place.level, place.index, folds)
                if not tile.middle:
                    new.append(Tile(place, tile.content, folds.middle))
        if new:
            self._learned(new)

    def _folded(self, tile: Tile) -> FoldedTile:
        """The tile, with its stored middle where the tile above agrees with it."""
        folds = FoldedTile(tile.content, tile.middle)
        if folds.is_told:
            above = self._folds.get((tile.place.level + 1, tile.place.index >> TILE_HEIGHT))
            at = tile.place.index & (TILE_WIDTH - 1)
            if above is None or above.node(0, at) != folds.node(TILE_HEIGHT, 0):
                folds.fold_whole()
        return folds

    def _is_full(self, level: int, number: int) -> bool:
        return (number + 1) << TILE_HEIGHT <= self.size >> (TILE_HEIGHT * level)

    def _place(self, level: int, number: int) -> TilePlace:
        reach = (self.size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH
        return TilePlace(level, number, min(reach, TILE_WIDTH))

    def _subtree(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        first = index << inner
        return self._tile_of(level, first >> TILE_HEIGHT).node(inner, (first & (TILE_WIDTH - 1)) >> inner)

    def _tile_of(self, level: int, number: int) -> FoldedTile:
        if (level, number) not in self._folds:
            self._need({(level, number)})
        return self._folds[level, number]


def _tile_of(height: int, index: int) -> tuple[int, int]:
    """Level and number of the tile that holds this subtree, or the nodes it is folded from."""
    level, inner = divmod(height, TILE_HEIGHT)
    return level, (index << inner) >> TILE_HEIGHT
