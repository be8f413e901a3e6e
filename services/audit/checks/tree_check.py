"""The fast part of a check: bundles against tiles against the signed root, without looking at entries or bodies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from services.audit.domain.entry import Head
from services.audit.domain.report import Report
from services.audit.store.entries import Store
from services.audit.tlog import merkle
from services.audit.tlog.merkle import HASH_BYTES
from services.audit.tlog.tiles import TILE_WIDTH, TilePlace, TilesRefused, bundle_path, decode_bundle

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
    tiles = store.stored_paths([place.path() for place in places])
    roots: list[bytes] = []
    for number, place in zip(numbers, places, strict=True):
        path = bundle_path(number)
        stored = tiles.get(place.path())
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
        roots.append(_root_of(hashed))
    return roots


def _hashed(leaves: Sequence[bytes]) -> bytes:
    sha256 = hashlib.sha256
    return b"".join([sha256(b"\x00" + leaf).digest() for leaf in leaves])


def _root_of(hashes: bytes) -> bytes:
    """The root of a power of two of hashes, side by side; any other number has one that nothing leads to."""
    sha256 = hashlib.sha256
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join([sha256(b"\x01" + hashes[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
    return hashes


def _check_tile(store: Store, head: Head, place: TilePlace, wanted: Sequence[bytes], report: Report) -> None:
    if not wanted:
        return
    stored = store.tile(place, head.size)
    if stored is None:
        report.note("tile-missing", -1, place.path())
    elif stored != b"".join(wanted):
        report.note("tile-changed", -1, place.path())
