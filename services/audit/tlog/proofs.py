"""Proof verification (RFC 6962, in the form of RFC 9162 section 2.1): needs no log, only hashes."""

from __future__ import annotations

from collections.abc import Sequence

from services.audit.tlog.merkle import HASH_BYTES, node_hash


class ProofRefused(ValueError):  # noqa: N818
    """The proof does not show what it claims; the text says which step failed, never a secret."""


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """`leaf` (a leaf hash) is at `index` of the tree of `size` with `root`, or ProofRefused is raised."""
    if not 0 <= index < size:
        raise ProofRefused("the index is not in the tree")
    _check_hashes([leaf, root, *proof])
    node, last, running = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if node % 2 or node == last:
            running = node_hash(sibling, running)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            running = node_hash(running, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofRefused("the proof is too short")
    if running != root:
        raise ProofRefused("the proof leads to another root")


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """The tree of `new_size` begins with the whole tree of `old_size`, or ProofRefused is raised.

    A proof from size 0 says nothing, so it is refused, even to size 0.  Roots are compared, whatever their
    length: a checkpoint's root has 32 bytes by then (`open_checkpoint`).
    """
    if not 1 <= old_size <= new_size:
        raise ProofRefused("the sizes are not in order, or the old tree is empty")
    _check_hashes(proof)
    if old_size == new_size:
        if proof or old_root != new_root:
            raise ProofRefused("equal sizes need equal roots and an empty proof")
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofRefused("the proof is empty")
    old_running, new_running = _climb(old_size, new_size, path)
    if old_running != old_root:
        raise ProofRefused("the proof leads to another old root")
    if new_running != new_root:
        raise ProofRefused("the proof leads to another new root")


def _climb(old_size: int, new_size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The old and the new root that the path leads to."""
    node, last = old_size - 1, new_size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    old_running = new_running = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if node % 2 or node == last:
            old_running = node_hash(sibling, old_running)
            new_running = node_hash(sibling, new_running)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            new_running = node_hash(new_running, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofRefused("the proof is too short")
    return old_running, new_running


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofRefused("a hash is not 32 bytes long")
