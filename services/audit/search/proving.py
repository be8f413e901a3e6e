"""The proofs that go with hits: which log an entry lies in, its place there, and the hashes up to the root."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.audit.domain.entry import Head
from services.audit.domain.period import LogPlace, holding
from services.audit.store.entries import Store
from services.audit.store.periods import Periods
from services.audit.tlog.folds import FoldedTree
from services.audit.tlog.merkle import leaf_hash
from services.audit.tlog.proofs import ProofRefused, verify_inclusion
from services.audit.tlog.tiles import TilesRefused

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


class Prover:
    """Proves the hits of one answer, from tiles alone: under `head`, or under the last head of an earlier period."""

    def __init__(self, room: Room, head: Head) -> None:
        self._room = room
        self._head = head
        self._current = room.store.place
        self._logs: dict[LogPlace, tuple[Head, FoldedTree] | None] = {}

    def ahead(self, numbers: Sequence[int]) -> None:
        """The tiles of entries that will be hits are here, where they can be: what is wrong `of` says."""
        with suppress(TilesRefused):
            for place, inside in self._by_log(numbers).items():
                if (log := self._log(place)) is not None:
                    log[1].prepare(number - place.first for number in inside)

    def of(self, numbers: Sequence[int]) -> dict[int, Proof]:
        """The proof of each entry; raises TilesRefused where a tile is missing or cut."""
        found: dict[int, Proof] = {}
        for place, inside in self._by_log(numbers).items():
            if (log := self._log(place)) is not None:
                found |= _of_one_log(*log, place.first, inside)
        return found

    def _by_log(self, numbers: Sequence[int]) -> dict[LogPlace, list[int]]:
        if all(number >= self._current.first for number in numbers):
            return {self._current: list(numbers)}
        places = Periods(self._room.database).places()
        logs: dict[LogPlace, list[int]] = {}
        for number in numbers:
            logs.setdefault(holding(places, number), []).append(number)
        return logs

    def _log(self, place: LogPlace) -> tuple[Head, FoldedTree] | None:
        if place not in self._logs:
            store = Store(self._room.database, place, self._room.store.kept)
            head = self._head if place == self._current else _last_head(store)
            self._logs[place] = (head, store.tree(head.size, head.size)) if head is not None else None
        return self._logs[place]


def _last_head(store: Store) -> Head | None:
    heads = store.heads_now()
    return heads.published if heads else None


def _of_one_log(head: Head, tree: FoldedTree, first: int, numbers: Sequence[int]) -> dict[int, Proof]:
    places = {number: number - first for number in numbers if 0 <= number - first < head.size}
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
