"""The sequencer: gives each new entry its index, in the order stage, sign, swap, publish, mark (decision 0009).

Any number of sequencers may run at once: what commits is a compare-and-swap of the head, and what was staged at an
index is finished by whoever finds it, never replaced.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from chassis.failpoints import failpoint
from services.audit.domain.entry import Batch, Head, LogBroken, SealedEntry, SwapLost
from services.audit.domain.period import LogClosed
from services.audit.keepers.signer import Signing
from services.audit.store.entries import Store
from services.audit.store.heads import parts
from services.audit.store.lease import alone
from services.audit.tlog.checkpoints import Checkpoint, CheckpointRefused, open_checkpoint
from services.audit.tlog.merkle import EMPTY_ROOT, leaf_hash
from services.audit.tlog.notes import NoteRefused, NoteVerifier
from services.audit.tlog.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    Tile,
    TiledTree,
    TilePlace,
    TilesRefused,
    edge_places,
)

T = TypeVar("T")

# Each lost swap means that another worker got on; so many in a row mean that something else is wrong.
_MOST_LOST_SWAPS = 20


@dataclass(frozen=True)
class _State:
    """The head as this sequencer last saw it, and the edge to grow it from."""

    head: Head
    edge: Edge


@dataclass(frozen=True)
class _Growth:
    """A batch with the tree it leads to."""

    batch: Batch
    edge: Edge
    tiles: list[Tile]


class Sequencer:
    """Appends to one log. Safe to share between threads; between processes the swap keeps it safe."""

    def __init__(
        self,
        store: Store,
        signer: Signing,
        verifier: NoteVerifier,
        origin: str,
        quarter: str = "",
        *,
        turn: Callable[[], AbstractContextManager[bool]] = alone,
    ) -> None:
        """`turn` is whose turn it is among several processes, such as `Lease.held`."""
        self._store = store
        self._signer = signer
        self._verifier = verifier
        self._origin = origin
        self._quarter = quarter
        self._state: _State | None = None
        self._lock = threading.Lock()
        self._turn = turn

    def append(self, entries: Sequence[SealedEntry]) -> int:
        """Each entry is in the log, once, published and readable; returns how many were new.

        Raises LogBroken where the log contradicts itself; then nothing more was appended.
        """
        with self._in_turn():
            return sum(self._until_won(partial(self._append_once, part)) for part in parts(entries))

    def recover(self) -> int:
        """A batch that was staged before a crash is finished; returns the size of the log."""
        with self._in_turn():
            return self._until_won(self._begin_or_load).head.size

    def close(self) -> Head:
        """Nothing can be appended any more, whoever tries; returns the last head. Closing again changes nothing."""
        with self._in_turn():
            return self._until_won(self._close)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """One thread of one process; the state is read anew where another process had its turn since."""
        with self._lock, self._turn() as is_as_we_left_it:
            if not is_as_we_left_it:
                self._state = None
            yield

    def _close(self) -> Head:
        try:
            state = self._begin_or_load()
            if not self._store.stage_end(state.head.size):
                raise SwapLost
        except LogClosed:
            pass
        heads = self._store.heads_now()
        assert heads is not None
        return heads.published

    def _until_won(self, step: Callable[[], T]) -> T:
        """Does the step again after each lost swap; whatever goes wrong, the state is read anew next time."""
        for _ in range(_MOST_LOST_SWAPS):
            try:
                return step()
            except SwapLost:
                self._state = None
            except BaseException:
                self._state = None
                raise
        raise SwapLost

    def _append_once(self, entries: Sequence[SealedEntry]) -> int:
        state = self._state or self._begin_or_load()
        fresh = self._fresh(entries)
        if fresh:
            self._commit(state, Batch(state.head.size, tuple(fresh)))
        return len(fresh)

    def _fresh(self, entries: Sequence[SealedEntry]) -> list[SealedEntry]:
        """Those not in the log yet, each once; another event under a known id is noted."""
        known = self._store.known_fingerprints([entry.event_id for entry in entries])
        fresh: list[SealedEntry] = []
        for entry in entries:
            fingerprint = entry.row["fingerprint"]
            if entry.event_id not in known:
                known[entry.event_id] = fingerprint
                fresh.append(entry)
            elif known[entry.event_id] != fingerprint:
                self._store.note_reused_id(entry.event_id, fingerprint, known[entry.event_id])
        return fresh

    def _commit(self, state: _State, batch: Batch) -> _State:
        if not self._store.stage(batch):
            raise SwapLost
        failpoint("audit.after_stage")
        return self._finish(state, batch)

    def _finish(self, state: _State, batch: Batch) -> _State:
        """From staged to published."""
        growth = _grow(state.edge, batch)
        head = self._sign(state, growth)
        failpoint("audit.after_sign")
        if not self._store.swap_head(state.head, head):
            raise SwapLost
        failpoint("audit.after_swap")
        self._publish(growth, state.edge, head)
        self._state = _State(head, growth.edge)
        return self._state

    def _sign(self, state: _State, growth: _Growth) -> Head:
        checkpoint = Checkpoint(self._origin, growth.edge.size, growth.edge.root())
        held = {tile.place: tile.content for tile in [*state.edge.tiles(), *growth.tiles]}
        tree = TiledTree(growth.edge.size, partial(self._tile, held, state.head.size))
        try:
            note = self._signer.sign(checkpoint, tree.prove_consistency, state.head.checkpoint)
        except LogBroken:
            self._raise_swap_lost_if_stale(state)
            raise
        return Head(checkpoint.size, checkpoint.root, note)

    def _tile(self, held: Mapping[TilePlace, bytes], size: int, place: TilePlace) -> bytes | None:
        """A tile of the edge; one behind it is read, for a signer that remembers an older head than ours."""
        return held.get(place) or self._store.tile(place, size)

    def _raise_swap_lost_if_stale(self, state: _State) -> None:
        """The signer may have refused only because this worker's head is an old one."""
        heads = self._store.heads_now()
        if heads is not None and heads.committed != state.head:
            raise SwapLost

    def _publish(self, growth: _Growth, before: Edge, head: Head) -> None:
        """Everything the head commits to is stored, then marked. Doing it twice changes nothing."""
        batch = growth.batch
        self._store.write_entries(batch)
        self._store.write_rows(batch)
        self._store.write_tiles(growth.tiles, self._full_bundles(batch))
        self._store.sequences.add(_numbers(batch))
        failpoint("audit.after_entries")
        self._store.mark_published(head)
        self._store.forget_staged(head.size)
        self._store.forget_partial_tiles(_outgrown(before.size, batch.end))

    def _full_bundles(self, batch: Batch) -> dict[int, list[bytes]]:
        """The entry bundles this batch fills, by number; the first may begin before it."""
        first, last = batch.start // TILE_WIDTH, batch.end // TILE_WIDTH
        if first == last:
            return {}
        leaves = list(self._store.leaves(first * TILE_WIDTH, batch.start))
        if len(leaves) != batch.start - first * TILE_WIDTH:
            raise LogBroken("entries-missing", f"before {batch.start}")
        leaves += [entry.leaf for entry in batch.entries]
        return {
            number: leaves[(number - first) * TILE_WIDTH : (number - first + 1) * TILE_WIDTH]
            for number in range(first, last)
        }

    # -- start and replay

    def _begin_or_load(self) -> _State:
        """The state to append to: begun where there is no log, with every staged batch finished."""
        heads = self._store.heads_now()
        if heads is None:
            empty = Checkpoint(self._origin, 0, EMPTY_ROOT)
            self._store.begin(Head(0, EMPTY_ROOT, self._signer.sign(empty, lambda _: [])), self._quarter)
            heads = self._store.heads_now()
            assert heads is not None
        if heads.published.size < heads.committed.size:
            self._replay(heads.published, heads.committed)
        state = _State(heads.committed, self._load_edge(heads.committed))
        staged = self._store.staged_at(heads.committed.size)
        self._state = self._finish(state, staged) if staged else state
        self._store.forget_staged(self._state.head.size)
        return self._state

    def _replay(self, published: Head, committed: Head) -> None:
        """A batch that was committed and perhaps not written everywhere is published again."""
        batch = self._store.staged_at(published.size)
        if batch is None:
            heads = self._store.heads_now()
            if heads is not None and heads.published.size > published.size:
                raise SwapLost  # another worker published it meanwhile
            raise LogBroken("staged-batch-missing", f"at {published.size}")
        edge = self._load_edge(published)
        growth = _grow(edge, batch)
        if growth.edge.size != committed.size or growth.edge.root() != committed.root:
            raise LogBroken("staged-batch-changed", f"at {published.size}")
        self._publish(growth, edge, committed)

    def _load_edge(self, head: Head) -> Edge:
        """The edge of a head that our key signed; raises LogBroken where tiles or signature disagree."""
        try:
            signed = open_checkpoint(head.checkpoint, self._origin, [self._verifier])
            edge = Edge.of_tiles(head.size, self._edge_tiles(head.size))
        except (NoteRefused, CheckpointRefused, ValueError) as wrong:
            if isinstance(wrong, TilesRefused):
                raise LogBroken("tiles-missing", str(wrong)) from wrong
            raise LogBroken("head-not-signed", str(wrong)) from wrong
        if (signed.size, signed.root) != (head.size, head.root):
            raise LogBroken("head-differs-from-checkpoint", f"at {head.size}")
        if edge.root() != head.root:
            raise LogBroken("tiles-differ-from-head", f"at {head.size}")
        return edge

    def _edge_tiles(self, size: int) -> list[Tile]:
        places = edge_places(size)
        found = self._store.tiles_at(places)
        if len(found) == len(places):
            return found
        # Another worker may have filled a tile and dropped its narrower forms since the head was read.
        cut = ((place, self._store.tile(place, size)) for place in places)
        return [Tile(place, content) for place, content in cut if content]


def _grow(edge: Edge, batch: Batch) -> _Growth:
    grown, tiles = edge.grow([leaf_hash(entry.leaf) for entry in batch.entries])
    return _Growth(batch, grown, tiles)


def _numbers(batch: Batch) -> dict[str, list[int]]:
    """The sequence numbers of each producer; 0 means that the producer does not count."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for entry in batch.entries:
        if entry.row["producer_seq"] > 0:
            numbers[entry.row["producer"]].append(entry.row["producer_seq"])
    return numbers


def _outgrown(old_size: int, new_size: int) -> list[TilePlace]:
    """The places that were partial at the old size and are full at the new one."""
    return [
        TilePlace(place.level, place.index, TILE_WIDTH)
        for place in edge_places(old_size)
        if (new_size >> (TILE_HEIGHT * place.level)) // TILE_WIDTH > place.index
    ]
