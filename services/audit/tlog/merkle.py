"""The RFC 6962 Merkle tree: hashes, the growing edge's fold, and which ranges a proof is made of.

Sizes and indices count leaves. Hashes are 32 bytes (SHA-256). Ranges are half open: [start, end).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """MTH of one entry: SHA-256(0x00 || entry), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The parent of two subtrees: SHA-256(0x01 || left || right), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_point(size: int) -> int:
    """The largest power of two smaller than `size` (size MUST be at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """MTH over consecutive leaf (or equal-height subtree) hashes; EMPTY_ROOT where there are none."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        odd = [level[-1]] if len(level) % 2 else []
        pairs = zip(level[0::2], level[1::2], strict=False)
        level = [node_hash(left, right) for left, right in pairs] + odd
    return level[0]


def folded(hashes: bytes) -> tuple[bytes, ...]:
    """Consecutive hashes, and above them level by level the nodes that are whole, each level in one piece."""
    levels, pair, sha256 = [hashes], 2 * HASH_BYTES, hashlib.sha256
    while len(levels[-1]) >= pair:
        below = levels[-1]
        whole = len(below) - len(below) % pair
        levels.append(
            b"".join([sha256(b"\x01" + below[at : at + pair]).digest() for at in range(0, whole, pair)])
        )
    return tuple(levels)


def perfect_subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The perfect subtrees, as (height, index at that height), that cover [start, end) left to right.

    `start` MUST be a multiple of the largest power of two not above end - start, as every range in a
    proof is.
    """
    at = start
    while at < end:
        height = (end - at).bit_length() - 1
        yield height, at >> height
        at += 1 << height


def fold(subtrees: Sequence[bytes]) -> bytes:
    """One root from subtrees of falling size, left to right: the rightmost are joined first."""
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges whose roots prove leaf `index` in a tree of `size`, leaf side first (RFC 6962 2.1.1).

    Raises ValueError where the index is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError("the index is not in the tree")
    start, end = 0, size
    path: list[tuple[int, int]] = []
    while end - start > 1:
        middle = start + split_point(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """The ranges whose roots prove that the first `old_size` leaves are unchanged (RFC 6962 2.1.2).

    Raises ValueError unless 1 <= old_size <= new_size.
    """
    if not 1 <= old_size <= new_size:
        raise ValueError("the old size must be at least 1 and not above the new one")
    start, end = 0, new_size
    is_whole_old_tree = True
    path: list[tuple[int, int]] = []
    while old_size != end:
        middle = start + split_point(end - start)
        if old_size <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
            is_whole_old_tree = False
    if not is_whole_old_tree:
        path.append((start, end))
    return path[::-1]


class CompactRange:
    """The tree of all leaves seen so far, in O(log n) memory: what a verifier keeps while reading."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, hashed_leaf: bytes) -> None:
        """The tree is one leaf larger."""
        self.size += 1
        node, carry = hashed_leaf, self.size
        while carry % 2 == 0:
            node = node_hash(self._peaks.pop(), node)
            carry //= 2
        self._peaks.append(node)

    def root(self) -> bytes:
        """MTH of everything appended."""
        return fold(self._peaks) if self._peaks else EMPTY_ROOT
