"""The proofs that go with hits: which log an entry lies in, its place there, and the hashes up to the root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.audit.domain.entry import Head
from services.audit.domain.period import LogPlace, holding
from services.audit.store.entries import Store
from services.audit.store.periods import Periods
from services.audit.tlog.merkle import leaf_hash
from services.audit.tlog.proofs import ProofRefused, verify_inclusion

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
        store = Store(room.database, place, room.store.kept)
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
    tree = store.tree(head.size, head.size)
    tree.prepare(places.values())
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
