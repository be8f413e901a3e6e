"""C2SP tlog-tiles: 256-wide tiles of hashes, entry bundles, their paths, and proofs read from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from services.audit.tlog import merkle
from services.audit.tlog.merkle import HASH_BYTES

TILE_WIDTH = 256
TILE_HEIGHT = 8
# A full tile's middle: the nodes halfway up, of sixteen hashes each.
MIDDLE_HEIGHT = 4
MIDDLE_BYTES = (TILE_WIDTH >> MIDDLE_HEIGHT) * HASH_BYTES
_MAX_ENTRY_BYTES = 0xFFFF


class TilesRefused(ValueError):  # noqa: N818
    """A tile or bundle is missing, or not of the shape its place demands."""


@dataclass(frozen=True, slots=True)
class TilePlace:
    """Where a tile is: level (0 = leaf hashes), index within the level, width in hashes (256 = full)."""

    level: int
    index: int
    width: int

    def path(self) -> str:
        """The C2SP path: tile/<L>/<N>[.p/<W>]."""
        return f"tile/{self.level}/{_index_path(self.index, self.width)}"

    @property
    def is_full(self) -> bool:
        """Whether nothing can be added any more."""
        return self.width == TILE_WIDTH


@dataclass(frozen=True, slots=True)
class Tile:
    """Consecutive subtree hashes at one place; immutable once published.

    `middle` is derived from the content of a full tile (its nodes at `MIDDLE_HEIGHT`), or "" where nobody knows it:
    a proof is made from sixteen hashes and these, instead of from all of them.  It is no part of the format.
    """

    place: TilePlace
    content: bytes
    middle: bytes = field(default=b"", compare=False)

    def hashes(self) -> list[bytes]:
        """The content, hash by hash."""
        return split_hashes(self.content)


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """The C2SP path of an entry bundle: tile/entries/<N>[.p/<W>]."""
    return f"tile/entries/{_index_path(index, width)}"


def encode_bundle(leaves: Iterable[bytes]) -> bytes:
    """Leaves with big-endian uint16 lengths before them; raises TilesRefused for one of 64 KB or more."""
    parts: list[bytes] = []
    for leaf in leaves:
        if len(leaf) > _MAX_ENTRY_BYTES:
            raise TilesRefused("an entry of a bundle is at most 65,535 bytes long")
        parts += (len(leaf).to_bytes(2, "big"), leaf)
    return b"".join(parts)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """The leaves of a bundle; raises TilesRefused where the lengths do not fit."""
    leaves: list[bytes] = []
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or at + 2 > len(bundle):
            raise TilesRefused("the bundle ends in the middle of an entry")
        leaves.append(bundle[at + 2 : end])
        at = end
    return leaves


def split_hashes(content: bytes) -> list[bytes]:
    """A tile's hashes; raises TilesRefused where its length is not a multiple of 32."""
    if len(content) % HASH_BYTES:
        raise TilesRefused("a tile's length is a multiple of 32")
    return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]


def places_of(size: int) -> Iterator[TilePlace]:
    """Every tile of a tree of `size`, level by level, left to right."""
    level, count = 0, size
    while count:
        for index in range(count // TILE_WIDTH):
            yield TilePlace(level, index, TILE_WIDTH)
        if count % TILE_WIDTH:
            yield TilePlace(level, count // TILE_WIDTH, count % TILE_WIDTH)
        level, count = level + 1, count // TILE_WIDTH


def edge_places(size: int) -> list[TilePlace]:
    """The partial tiles at the right edge of a tree of `size`, lowest level first."""
    places, level, count = [], 0, size
    while count:
        if count % TILE_WIDTH:
            places.append(TilePlace(level, count // TILE_WIDTH, count % TILE_WIDTH))
        level, count = level + 1, count // TILE_WIDTH
    return places


@dataclass(frozen=True)
class Edge:
    """The right edge of a tree: its size and, per level, the hashes of the tile still being filled.

    All that appending needs. It never changes: `grow` gives the next one, so a batch that is not
    committed leaves nothing behind.
    """

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = ()

    @classmethod
    def of_tiles(cls, size: int, tiles: Iterable[Tile]) -> Edge:
        """From the partial tiles at `edge_places(size)`; raises TilesRefused where one is missing."""
        found = {tile.place: tile for tile in tiles}
        levels: list[tuple[bytes, ...]] = []
        for place in edge_places(size):
            levels += [()] * (place.level - len(levels))
            tile = found.get(place)
            if tile is None or len(tile.content) != place.width * HASH_BYTES:
                raise TilesRefused(f"{place.path()} is missing or has another width")
            levels.append(tuple(tile.hashes()))
        return cls(size, tuple(levels))

    def tiles(self) -> list[Tile]:
        """The partial tiles of the edge."""
        return [Tile(place, b"".join(self.levels[place.level])) for place in edge_places(self.size)]

    def root(self) -> bytes:
        """MTH of the whole tree."""
        subtrees: list[bytes] = []
        for hashes in reversed(self.levels):
            for height, index in merkle.perfect_subtrees(0, len(hashes)):
                subtrees.append(merkle.subtree_root(hashes[index << height : (index + 1) << height]))
        return merkle.fold(subtrees) if subtrees else merkle.EMPTY_ROOT

    def grow(self, leaf_hashes: Sequence[bytes]) -> tuple[Edge, list[Tile]]:
        """The edge after appending, and every tile that is new: full ones, and the partial ones of the new
        size. Nothing is stored.
        """
        tiles: list[Tile] = []
        levels: list[tuple[bytes, ...]] = []
        rising: Sequence[bytes] = leaf_hashes
        level = 0
        while rising or level < len(self.levels):
            before = self.levels[level] if level < len(self.levels) else ()
            first_index = (self.size >> (TILE_HEIGHT * level)) // TILE_WIDTH
            new_tiles, rest, risen = _fill(level, first_index, [*before, *rising], bool(rising))
            tiles += new_tiles
            levels.append(rest)
            rising, level = risen, level + 1
        return Edge(self.size + len(leaf_hashes), tuple(levels)), tiles


def _fill(
    level: int, first_index: int, hashes: list[bytes], is_news: bool
) -> tuple[list[Tile], tuple[bytes, ...], list[bytes]]:
    """The level's new tiles, the hashes of its partial tile, and the roots that rise to the next level."""
    tiles: list[Tile] = []
    risen: list[bytes] = []
    full = len(hashes) // TILE_WIDTH
    for number in range(full):
        content = b"".join(hashes[number * TILE_WIDTH : (number + 1) * TILE_WIDTH])
        nodes = merkle.folded(content)
        tiles.append(Tile(TilePlace(level, first_index + number, TILE_WIDTH), content, nodes[MIDDLE_HEIGHT]))
        risen.append(nodes[TILE_HEIGHT])
    rest = tuple(hashes[full * TILE_WIDTH :])
    if rest and is_news:
        tiles.append(Tile(TilePlace(level, first_index + full, len(rest)), b"".join(rest)))
    return tiles, rest, risen


class TiledTree:
    """A tree of one size, read from tiles: roots of ranges and both kinds of proof.

    `fetch` gives the content of a tile at a place, or None; each tile is fetched once.
    """

    def __init__(self, size: int, fetch: Callable[[TilePlace], bytes | None]) -> None:
        self.size = size
        self._fetch = fetch
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._ranges: dict[tuple[int, int], bytes] = {}

    def root(self) -> bytes:
        """MTH of the tree, from its tiles alone."""
        return self._range_root(0, self.size) if self.size else merkle.EMPTY_ROOT

    def leaf_hash(self, index: int) -> bytes:
        """The hash of one leaf."""
        return self._subtree(0, index)

    def prove_inclusion(self, index: int) -> list[bytes]:
        """RFC 6962 audit path of a leaf; raises ValueError where the index is not in the tree."""
        return [self._range_root(*each) for each in merkle.inclusion_ranges(index, self.size)]

    def prove_consistency(self, old_size: int) -> list[bytes]:
        """RFC 6962 consistency proof from an older size; raises ValueError where there is none."""
        return [self._range_root(*each) for each in merkle.consistency_ranges(old_size, self.size)]

    def _range_root(self, start: int, end: int) -> bytes:
        width = end - start
        if not (width & (width - 1) or start & (width - 1)):  # most of a path: one perfect subtree
            return self._subtree(width.bit_length() - 1, start // width)
        if (start, end) not in self._ranges:  # proofs of neighbors share most of theirs
            parts = [self._subtree(*each) for each in merkle.perfect_subtrees(start, end)]
            self._ranges[start, end] = merkle.fold(parts)
        return self._ranges[start, end]

    def _subtree(self, height: int, index: int) -> bytes:
        """The root of the perfect subtree: a hash of a tile, or the fold of a run of them."""
        level, inner = divmod(height, TILE_HEIGHT)
        first = index << inner
        tile = self._tile(level, first // TILE_WIDTH)
        offset = first % TILE_WIDTH
        return merkle.subtree_root(tile[offset : offset + (1 << inner)])

    def _tile(self, level: int, index: int) -> list[bytes]:
        if (level, index) not in self._tiles:
            count = (self.size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH
            place = TilePlace(level, index, min(count, TILE_WIDTH))
            content = self._fetch(place)
            if content is None or len(content) != place.width * HASH_BYTES:
                raise TilesRefused(f"{place.path()} is missing or has another width")
            self._tiles[level, index] = split_hashes(content)
        return self._tiles[level, index]


def _index_path(index: int, width: int) -> str:
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return path if width == TILE_WIDTH else f"{path}.p/{width}"
