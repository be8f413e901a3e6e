"""Proofs from tiles with as few fetches and hashes as can be: each tile is folded once, and full ones are kept.

A full tile never changes (C2SP tlog-tiles), so what was folded of it stands for as long as the process lives.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

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
        self._kept: OrderedDict[tuple[str, TilePlace], Folds] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, log: str, place: TilePlace) -> Folds | None:
        """The folds of this log's tile; None where they are not kept."""
        with self._lock:
            found = self._kept.get((log, place))
            if found is not None:
                self._kept.move_to_end((log, place))
            return found

    def keep(self, log: str, place: TilePlace, folds: Folds) -> None:
        """The folds are kept, until those of many others were asked for; of a tile that can still grow they are not."""
        if not place.is_full:
            return
        with self._lock:
            self._kept[log, place] = folds
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

    def prepare(self, indexes: Iterable[int]) -> None:
        """The tiles that prove these leaves are here; raises TilesRefused where one is missing or cut."""
        ranges = {each for index in indexes for each in merkle.inclusion_ranges(index, self.size)}
        self._need(ranges | {(index, index + 1) for index in indexes})

    def prove_inclusion(self, index: int) -> list[bytes]:
        """RFC 6962 audit path of a leaf; raises ValueError where the index is not in the tree."""
        self.prepare([index])
        return super().prove_inclusion(index)

    def prove_consistency(self, old_size: int) -> list[bytes]:
        """RFC 6962 consistency proof from an older size; raises ValueError where there is none."""
        self._need(set(merkle.consistency_ranges(old_size, self.size)))
        return super().prove_consistency(old_size)

    def _need(self, ranges: set[tuple[int, int]]) -> None:
        places = {self._place_of(*each) for one in ranges for each in merkle.perfect_subtrees(*one)}
        absent = []
        for place in places:
            if (place.level, place.index) in self._folds:
                continue
            if (folds := self._kept.get(self._log, place)) is not None:
                self._folds[place.level, place.index] = folds
            else:
                absent.append(place)
        if absent:
            self._take(absent)

    def _take(self, absent: Sequence[TilePlace]) -> None:
        found = self._fetch_all(absent)
        for place in absent:
            content = found.get(place, b"")
            if len(content) != place.width * HASH_BYTES:
                raise TilesRefused(f"{place.path()} is missing or has another width")
            self._folds[place.level, place.index] = folds = folded(content)
            self._kept.keep(self._log, place, folds)

    def _place_of(self, height: int, index: int) -> TilePlace:
        level, inner = divmod(height, TILE_HEIGHT)
        number = (index << inner) // TILE_WIDTH
        return TilePlace(
            level, number, min((self.size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH, TILE_WIDTH)
        )

    def _subtree(self, height: int, index: int) -> bytes:
        place = self._place_of(height, index)
        if (place.level, place.index) not in self._folds:
            self._take([place])
        inner = height % TILE_HEIGHT
        at = (index - ((place.index * TILE_WIDTH) >> inner)) * HASH_BYTES
        return self._folds[place.level, place.index][inner][at : at + HASH_BYTES]


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
