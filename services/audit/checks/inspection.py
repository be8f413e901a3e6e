"""A check of one log: recomputes the tree and compares every copy and index, in both directions, naming what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from services.audit.checks.entry_check import EntryCheck, is_entry
from services.audit.checks.tree_check import check_middles, check_tree
from services.audit.domain import sequences
from services.audit.domain.entry import Head, Heads, LogBroken
from services.audit.domain.period import LogClosed
from services.audit.domain.report import MOST_FINDINGS, Report
from services.audit.keepers.signer import SignerAway, Signing
from services.audit.store.entries import Store
from services.audit.tlog import merkle
from services.audit.tlog.checkpoints import CheckpointRefused, open_checkpoint
from services.audit.tlog.merkle import CompactRange
from services.audit.tlog.notes import NoteRefused, NoteVerifier
from services.audit.tlog.tiles import (
    TILE_WIDTH,
    Edge,
    Tile,
    TilePlace,
    TilesRefused,
    bundle_path,
    encode_bundle,
    places_of,
    split_hashes,
)

Document = dict[str, Any]
# A multiple of the tile's width, so that each tile is checked within one step.
_STEP = 8 * TILE_WIDTH


class Inspection:
    """Checks one log against itself, its signature and the signer's memory. A root log has no bodies to check."""

    def __init__(
        self,
        store: Store,
        entry_check: EntryCheck | None,
        signer: Signing,
        verifier: NoteVerifier,
        origin: str,
    ) -> None:
        self._store = store
        self._entry_check = entry_check
        self._signer = signer
        self._verifier = verifier
        self._origin = origin

    def check(self, *, is_newest: bool = True, with_bodies: bool = True) -> Report:
        """Reads the whole log up to the published head; what is appended meanwhile does not disturb it.

        Without bodies it reads bundles, tiles and heads, and neither entries nor index rows.
        """
        report = Report()
        try:
            heads = self._store.heads_now()
        except LogBroken as broken:
            report.note(broken.code)
            return report
        if heads is None:
            self._check_memory(report, None)
            return report
        report.tree_size = heads.published.size
        self._check_head(report, heads.published)
        self._check_head(report, heads.committed)
        self._check_memory(report, heads)
        if not with_bodies:
            check_tree(self._store, heads.published, report)
            return report
        self._check_entries(report, heads.published)
        self._check_upper_tiles(report, heads.published)
        check_middles(self._store, heads.published.size, report)
        for path, is_beginning in self._store.narrower_tiles():
            if not is_beginning:
                report.note("tile-changed", -1, f"{path}, outgrown")
        if is_newest:
            self._check_extras(report)
        return report

    def check_all_periods(self, report: Report) -> None:
        """What is kept once for all logs: producers' numbers and oddities. `tree_size` is the whole number of entries."""
        self._check_producers(report)
        self._check_oddities(report)

    # -- the head

    def _check_head(self, report: Report, head: Head) -> None:
        try:
            checkpoint = open_checkpoint(head.checkpoint, self._origin, [self._verifier])
        except (NoteRefused, CheckpointRefused) as wrong:
            report.note("signature-bad", -1, str(wrong))
            return
        if (checkpoint.size, checkpoint.root) != (head.size, head.root):
            report.note("head-changed", -1, f"the checkpoint says {checkpoint.size}, the head {head.size}")

    def _check_memory(self, report: Report, heads: Heads | None) -> None:
        """The signer's memory is at the head, or one batch ahead that is staged: else the log was rolled back."""
        try:
            last = self._signer.last(self._origin)
        except (SignerAway, LogBroken) as wrong:
            report.note("signer-unreachable" if isinstance(wrong, SignerAway) else wrong.code, -1, str(wrong))
            return
        if heads is None:
            if last is not None and last.size:
                report.note("log-missing", -1, f"the signer signed {last.size} entries")
        elif last is None:
            report.note("signer-memory-missing")
        elif last.size == heads.committed.size and last.root != heads.committed.root:
            report.note("history-rewritten", -1, f"another root was signed at {last.size}")
        elif last.size > heads.committed.size and not self._is_under_way(heads.committed, last.size):
            report.note(
                "rolled-back", -1, f"{last.size} entries were signed, {heads.committed.size} are here"
            )

    def _is_under_way(self, committed: Head, size: int) -> bool:
        with suppress(LogClosed):
            staged = self._store.staged_at(committed.size)
            if staged is not None and staged.end == size:
                return True
        now = self._store.heads_now()
        return now is not None and now.committed.size >= size

    # -- entries, level 0 of the tree, index rows

    def _check_entries(self, report: Report, head: Head) -> None:
        tree = CompactRange()
        for start in range(0, head.size, _STEP):
            end = min(start + _STEP, head.size)
            entries = {
                each["_id"]: each for each in self._store.entries_between(start, end) if is_entry(each)
            }
            hashes = [
                merkle.leaf_hash(entries[i]["leaf"]) if i in entries else b"" for i in range(start, end)
            ]
            for missing in (index for index in range(start, end) if index not in entries):
                report.note("leaf-missing", missing)
            self._check_leaf_tiles(report, head, start, hashes)
            self._check_bundles(report, entries, start, end)
            if self._entry_check is not None:
                self._entry_check.check_range(self._store, report, entries, start, end)
            for hashed in hashes:
                tree.append(hashed)
            report.entries_checked += len(entries)
        if tree.root() != head.root:
            report.note("root-mismatch", -1, f"the leaves do not lead to the signed root at {head.size}")

    def _check_leaf_tiles(self, report: Report, head: Head, start: int, hashes: Sequence[bytes]) -> None:
        """Leaves against the tiles of their hashes; where they differ, the level above says which is wrong."""
        for offset in range(0, len(hashes), TILE_WIDTH):
            wanted = hashes[offset : offset + TILE_WIDTH]
            place = TilePlace(0, (start + offset) // TILE_WIDTH, len(wanted))
            stored = self._tile(place, head.size)
            if stored is None:
                report.note("tile-missing", -1, place.path())
            elif stored != list(wanted):
                self._say_which_is_wrong(report, head, place, wanted, stored)

    def _say_which_is_wrong(
        self, report: Report, head: Head, place: TilePlace, leaves: Sequence[bytes], stored: Sequence[bytes]
    ) -> None:
        if self._is_vouched_for(head, place, leaves):
            report.note("tile-changed", -1, place.path())
            return
        for offset, (leaf, hashed) in enumerate(zip(leaves, stored, strict=False)):
            if leaf and leaf != hashed:
                report.note("leaf-changed", place.index * TILE_WIDTH + offset, place.path())

    def _is_vouched_for(self, head: Head, place: TilePlace, leaves: Sequence[bytes]) -> bool:
        """Whether the tree above agrees with these leaves."""
        if not all(leaves):
            return False
        if place.is_full:
            parent = self._tile(_parent_of(place, head.size), head.size)
            offset = place.index % TILE_WIDTH
            return parent is not None and parent[offset] == merkle.subtree_root(leaves)
        try:
            upper = [tile for tile in self._edge_tiles(head) if tile.place.level > 0]
            edge = Edge.of_tiles(head.size, [Tile(place, b"".join(leaves)), *upper])
        except TilesRefused:
            return False
        return edge.root() == head.root

    def _edge_tiles(self, head: Head) -> Iterator[Tile]:
        for place in places_of(head.size):
            if not place.is_full:
                content = self._store.tile(place, head.size)
                if content is not None:
                    yield Tile(place, content)

    def _check_bundles(self, report: Report, entries: Mapping[int, Document], start: int, end: int) -> None:
        for first in range(start, end - TILE_WIDTH + 1, TILE_WIDTH):
            path = bundle_path(first // TILE_WIDTH)
            stored = self._store.stored_path(path)
            wanted = [
                entries[index]["leaf"] for index in range(first, first + TILE_WIDTH) if index in entries
            ]
            if stored is None:
                report.note("bundle-missing", -1, path)
            elif stored != encode_bundle(wanted):
                report.note("bundle-changed", -1, path)

    # -- the tree above, and what should not be there

    def _check_upper_tiles(self, report: Report, head: Head) -> None:
        """Each hash of a tile above level 0 is the root of the full tile below it."""
        for place in places_of(head.size):
            if place.level == 0:
                continue
            stored = self._tile(place, head.size)
            if stored is None:
                report.note("tile-missing", -1, place.path())
                continue
            for offset, hashed in enumerate(stored):
                below = TilePlace(place.level - 1, place.index * TILE_WIDTH + offset, TILE_WIDTH)
                content = self._tile(below, head.size)
                if content is not None and merkle.subtree_root(content) != hashed:
                    report.note("tile-changed", -1, f"{place.path()} or {below.path()}")

    def _check_extras(self, report: Report) -> None:
        """Nothing is stored beyond the head. Found first, compared with a head read later: no false alarm."""
        entries, rows = self._store.highest_indexes()
        stray_entries, stray_rows = self._store.without_index()
        heads = self._store.heads_now()
        size = heads.committed.size if heads else 0
        if entries >= size:
            report.note("leaf-extra", entries)
        if rows >= size:
            report.note("index-row-extra", rows)
        if stray_entries:
            report.note("leaf-extra", -1, f"{stray_entries} entries have no index")
        if stray_rows:
            report.note("index-row-extra", -1, f"{stray_rows} rows have no index")

    def _check_producers(self, report: Report) -> None:
        """What is kept of each producer's numbers is what the rows say; gaps are findings.

        A batch on its way has its rows first, then its numbers, then it is published: hence the two bounds.
        """
        report.producers = self._store.sequences.heard()
        pruned = report.pruned_sequences
        published = _with(self._store.sequences_in_rows(report.tree_size), pruned)
        everything = _with(self._store.sequences_in_rows(), pruned)
        for producer in sorted(published.keys() | report.producers.keys()):
            kept = report.producers.get(producer, ())
            lacks = sequences.joined(kept, published.get(producer, ())) != kept
            invents = sequences.joined(everything.get(producer, ()), kept) != everything.get(producer, ())
            if lacks or invents:
                report.note("producer-state-changed", -1, producer)
        for producer, ranges in report.producers.items():
            for first, last in sequences.gaps(ranges):
                report.note("producer-gap", -1, f"{producer} {first}-{last}")

    def _check_oddities(self, report: Report) -> None:
        for oddity in self._store.oddities_noted(MOST_FINDINGS):
            report.note(str(oddity.get("code", "oddity-changed")), -1, str(oddity.get("event_id", "")))

    def _tile(self, place: TilePlace, size: int) -> list[bytes] | None:
        content = self._store.tile(place, size)
        if content is None or len(content) != place.width * merkle.HASH_BYTES:
            return None
        return split_hashes(content)


def _parent_of(place: TilePlace, size: int) -> TilePlace:
    """The tile above a full one, as wide as a tree of this size makes it."""
    index = place.index // TILE_WIDTH
    reach = (size >> (8 * (place.level + 1))) - index * TILE_WIDTH
    return TilePlace(place.level + 1, index, min(reach, TILE_WIDTH))


def _with(
    found: Mapping[str, sequences.Ranges], more: Mapping[str, sequences.Ranges]
) -> dict[str, sequences.Ranges]:
    return {
        name: sequences.joined(found.get(name, ()), more.get(name, ())) for name in found.keys() | more.keys()
    }
