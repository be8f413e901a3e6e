"""The fast part of a check: bundles against tiles against the signed root, without looking at entries or bodies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from services.audit.domain.entry import Head
from services.audit.domain.report import Report
from services.audit.store.entries import Store
from services.audit.tlog import merkle
from services.audit.tlog.tiles import (
    MIDDLE_HEIGHT,
    TILE_WIDTH,
    Tile,
    TilePlace,
    TilesRefused,
    bundle_path,
    decode_bundle,
    places_of,
)

_AT_ONCE = 64


def check_tree(store: Store, head: Head, report: Report) -> None:
    """Every leaf is hashed from the bundles, every tile compared with what is below it, and the root with the head."""
    roots: list[bytes] = []
    full = head.size // TILE_WIDTH
    for first in range(0, full, _AT_ONCE):
        roots += _check_bundles(store, range(first, min(first + _AT_ONCE, full)), report)
    tail = [merkle.leaf_hash(leaf) for leaf in store.leaves(full * TILE_WIDTH, head.size)]
    if len(tail) != head.size - full * TILE_WIDTH:
        report.note("leaf-missing", full * TILE_WIDTH + len(tail))
    report.entries_checked += full * TILE_WIDTH + len(tail)
    _check_tile(store, head, TilePlace(0, full, len(tail)), tail, report)
    level, below, rest = 1, roots, merkle.subtree_root(tail) if tail else None
    while below:
        for index in range(-(-len(below) // TILE_WIDTH)):
            wanted = below[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]
            _check_tile(store, head, TilePlace(level, index, len(wanted)), wanted, report)
        whole = len(below) // TILE_WIDTH
        left = below[whole * TILE_WIDTH :] + ([rest] if rest else [])
        rest = merkle.subtree_root(left) if left else None
        below = [merkle.subtree_root(below[at * TILE_WIDTH : (at + 1) * TILE_WIDTH]) for at in range(whole)]
        level += 1
    if (rest or merkle.EMPTY_ROOT) != head.root:
        report.note("root-mismatch", -1, f"the leaves do not lead to the signed root at {head.size}")


def _check_bundles(store: Store, numbers: Sequence[int], report: Report) -> list[bytes]:
    """The roots of these full tiles as the bundles lead to them."""
    bundles = store.stored_paths([bundle_path(number) for number in numbers])
    places = [TilePlace(0, number, TILE_WIDTH) for number in numbers]
    tiles = store.stored_tiles(places)
    roots: list[bytes] = []
    for number, place in zip(numbers, places, strict=True):
        path = bundle_path(number)
        stored = tiles[place].content if place in tiles else None
        try:
            leaves = decode_bundle(bundles[path]) if path in bundles else None
        except TilesRefused:
            leaves = []
        if leaves is None:
            report.note("bundle-missing", -1, path)
        elif len(leaves) != TILE_WIDTH:
            report.note("bundle-changed", -1, path)
            leaves = None
        if stored is None:
            report.note("tile-missing", -1, place.path())
        hashed = _hashed(leaves) if leaves is not None else (stored or b"")
        if stored is not None and hashed != stored:
            report.note("bundle-or-tile-changed", -1, f"{path} or {place.path()}")
        nodes = merkle.folded(hashed)
        if place in tiles and hashed == stored:
            _check_middle(tiles[place], nodes, report)
        roots.append(nodes[-1])
    return roots


def check_middles(store: Store, size: int, report: Report) -> None:
    """The middle beside each full tile, where there is one, is the tile's own."""
    full = [place for place in places_of(size) if place.is_full]
    for first in range(0, len(full), _AT_ONCE):
        for tile in store.stored_tiles(full[first : first + _AT_ONCE]).values():
            if tile.middle:
                _check_middle(tile, merkle.folded(tile.content), report)


def _check_middle(tile: Tile, nodes: Sequence[bytes], report: Report) -> None:
    """A tile that is named already is what was changed, and not its middle."""
    path = tile.place.path()
    is_right = not tile.middle or tile.middle == (nodes[MIDDLE_HEIGHT] if len(nodes) > MIDDLE_HEIGHT else b"")
    if not is_right and not any(path in each.detail for each in report.findings):
        report.note("tile-middle-changed", -1, path)


def _hashed(leaves: Sequence[bytes]) -> bytes:
    sha256 = hashlib.sha256
    return b"".join([sha256(b"\x00" + leaf).digest() for leaf in leaves])


def _check_tile(store: Store, head: Head, place: TilePlace, wanted: Sequence[bytes], report: Report) -> None:
    if not wanted:
        return
    stored = store.tiles_cut([place], head.size).get(place)
    if stored is None:
        report.note("tile-missing", -1, place.path())
    elif stored.content != b"".join(wanted):
        report.note("tile-changed", -1, place.path())
    elif stored.middle:
        _check_middle(stored, merkle.folded(stored.content), report)
