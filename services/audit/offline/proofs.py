"""Part 1 of the offline verifier: RFC 6962 hashes and proofs, and the two ways of saying no."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


class NotProven(Exception):  # noqa: N818
    """What is wrong, in words."""


class Fork(Exception):  # noqa: N818
    """Two signed statements that cannot both be true; the text is the evidence."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of_inclusion(index: int, size: int, hashed: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that a leaf hash and its inclusion proof lead to (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise NotProven("an entry's index is not below the size of its tree")
    node, last, running = index, size - 1, hashed
    for sibling in proof:
        if last == 0 or len(sibling) != 32:
            raise NotProven("an inclusion proof is too long")
        if node % 2 or node == last:
            running = node_hash(sibling, running)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            running = node_hash(running, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise NotProven("an inclusion proof is too short")
    return running


def check_consistency(old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]) -> None:
    """The new tree begins with the old one (RFC 9162, 2.1.4.2), or NotProven is raised."""
    (old_size, old_root), (new_size, new_root) = old, new
    path = list(proof)
    if not 1 <= old_size <= new_size:
        raise NotProven("a consistency proof between sizes that are not in order")
    if old_size == new_size:
        if path or old_root != new_root:
            raise NotProven("two roots of one size")
        return
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise NotProven("an empty consistency proof")
    node, last = old_size - 1, new_size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    old_running = new_running = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise NotProven("a consistency proof is too long")
        if node % 2 or node == last:
            old_running, new_running = node_hash(sibling, old_running), node_hash(sibling, new_running)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            new_running = node_hash(new_running, sibling)
        node, last = node >> 1, last >> 1
    if last != 0 or old_running != old_root or new_running != new_root:
        raise NotProven("a consistency proof does not connect the two roots")
