"""CheckLog: every period's log, the root log over them, the witnesses' memory, and what is kept once for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pymongo.database import Database

from services.audit.checks.entry_check import EntryCheck
from services.audit.checks.inspection import Inspection
from services.audit.checks.reconciliation import Reconciliation
from services.audit.domain import sequences
from services.audit.domain.entry import Heads, LogBroken
from services.audit.domain.period import ROOT, LogPlace
from services.audit.domain.report import Report
from services.audit.domain.root_leaf import read_root_leaf
from services.audit.keepers.asking import RemoteWitness, WitnessAway, WitnessObjects
from services.audit.keepers.signer import Signing
from services.audit.publishing.mirror import Mirror
from services.audit.retention.erasure import Erasures
from services.audit.search.index import SearchIndex
from services.audit.store.entries import Store
from services.audit.store.periods import Periods
from services.audit.tlog.checkpoints import Checkpoint, CheckpointRefused
from services.audit.tlog.notes import NoteRefused, NoteVerifier
from services.audit.tlog.policy import Policy, PolicyRefused
from services.audit.tlog.tiles import TiledTree, TilesRefused

Document = dict[str, Any]
_SEARCH_STEP = 512


class FullInspection:
    """Checks everything there is of the audit log, and says by name what is wrong."""

    def __init__(
        self,
        database: Database[Document],
        *,
        entry_check: EntryCheck,
        signer: Signing,
        verifier: NoteVerifier,
        policy: Policy,
        erasures: Erasures,
        reconciliation: Reconciliation,
        search: SearchIndex,
        mirror: Mirror | None = None,
    ) -> None:
        self._database = database
        self._entry_check = entry_check
        self._signer = signer
        self._verifier = verifier
        self._policy = policy
        self._erasures = erasures
        self._reconciliation = reconciliation
        self._mirror = mirror
        self._search = search
        self._periods = Periods(database)
        self._base = verifier.name

    def check(self, *, with_bodies: bool = True) -> Report:
        """One report over all logs. Without bodies: tree, tiles, bundles, heads, signer and witnesses only."""
        report = Report()
        places, pruned = self._periods.places(), self._periods.pruned()
        for place in places:
            if place.name in pruned:
                self._take_pruned(report, pruned[place.name])
            else:
                self._check_log(report, place, is_newest=place == places[-1], with_bodies=with_bodies)
        self._check_root(report, places, pruned)
        # Read before the newest head: what is committed meanwhile is no surplus.
        if with_bodies and report.tree_size:
            self._inspection(places[-1]).check_all_periods(report)
            for stone in self._erasures.forged():
                report.note("erasure-forged", -1, str(stone.get("period", "")))
            self._check_search_bounds(report, places, pruned)
            for found in self._reconciliation.findings():
                report.note(found.code, found.index, found.detail)
        return report

    def _check_log(self, report: Report, place: LogPlace, *, is_newest: bool, with_bodies: bool) -> None:
        part = self._inspection(place).check(is_newest=is_newest, with_bodies=with_bodies)
        report.tree_size = place.first + part.tree_size
        report.take(part, place.name, place.first)
        store = Store(self._database, place)
        self._check_cosigned(report, store, place.origin(self._base))
        if with_bodies:
            self._check_search(report, place.first, place.first + part.tree_size)
        if with_bodies and self._mirror is not None:
            for path in self._mirror.compare(store, part.tree_size):
                report.note("mirror-differs", -1, path)
        if is_newest:
            self._check_bounds(report)
            self._check_witnesses(report, store, place.origin(self._base))

    def _check_search(self, report: Report, start: int, end: int) -> None:
        """What the officers' search has of these entries, as far as it follows the log, is what the log says."""
        reached = min(end, self._search.reached())
        for at in range(start, reached, _SEARCH_STEP):
            for code, number in self._search.check(at, min(at + _SEARCH_STEP, reached)):
                report.note(code, number)

    def _check_search_bounds(
        self, report: Report, places: list[LogPlace], pruned: dict[str, Document]
    ) -> None:
        """No row of the search stands for an entry that was pruned, or that was never written."""
        kept = [place for place in places if place.name not in pruned]
        suspects = self._search.outside(kept[0].first, report.tree_size) if kept else []
        if not suspects:
            return
        heads = _heads(Store(self._database, places[-1]))
        end = (
            places[-1].first + heads.published.size if heads else report.tree_size
        )  # it may have grown meanwhile
        for number in suspects:
            if not isinstance(number, int) or not kept[0].first <= number < end:
                report.note("search-row-extra", number if isinstance(number, int) else -1)

    def _check_bounds(self, report: Report) -> None:
        """A log that is followed by another one ends where that one begins."""
        places = self._periods.places()
        for before, after in pairwise(places):
            kept = self._periods.pruned().get(before.name)
            heads = _heads(Store(self._database, before))
            size = kept["size"] if kept else heads.published.size if heads else 0
            if before.first + size != after.first:
                report.note("period-bounds-changed", -1, f"{before.origin(self._base)}: {size} entries")

    def _take_pruned(self, report: Report, kept: Document) -> None:
        for name, ranges in kept["heard"].items():
            known = report.pruned_sequences.get(name, ())
            report.pruned_sequences[name] = sequences.joined(known, ranges)

    # -- the root log

    def _check_root(self, report: Report, places: list[LogPlace], pruned: dict[str, Document]) -> None:
        """The root log is whole, and what it committed to is what the logs are."""
        store = Store(self._database, ROOT)
        origin = ROOT.origin(self._base)
        verifier = NoteVerifier.of(origin, self._verifier.public_key)
        part = Inspection(store, None, self._signer, verifier, origin).check()
        part.entries_checked = 0  # its leaves are no entries
        report.take(part, "root")
        self._check_cosigned(report, store, origin)
        trees = {place.origin(self._base): place for place in places}
        ended: dict[str, set[str]] = defaultdict(set)
        heads = _heads(store)
        size_now = heads.published.size if heads else 0
        names = {row["index"]: row["_id"] for row in store.rows_between(0, size_now)}
        for index, leaf in enumerate(store.leaves(0, size_now)):
            said = read_root_leaf(leaf)
            if said is None:
                report.note("root-leaf-malformed")
                continue
            kind, of, size, root = said
            if names.get(index) != f"{kind} {of} {size}":
                report.note("root-row-changed", -1, f"{of} at {size}")
            place = trees.get(of)
            ended[kind].add(of)
            if place is None:
                report.note("period-missing", -1, of)
            elif place.name in pruned:
                kept = pruned[place.name]
                if kind == "closed" and (kept["size"], kept["root"]) != (size, root):
                    report.note("pruned-period-changed", -1, of)
            elif self._root_at(place, size) != root:
                report.note("history-rewritten", -1, f"{of}: the root log says another root at {size}")
        for place in places[:-1]:
            of = place.origin(self._base)
            if of not in ended["closed"]:
                report.note("period-not-in-root", -1, of)
            if place.name in pruned and of not in ended["pruned"]:
                report.note("period-missing", -1, of)

    def _root_at(self, place: LogPlace, size: int) -> bytes | None:
        store = Store(self._database, place)
        heads = _heads(store)
        if heads is None or size > heads.published.size:
            return None
        if size < 0:
            return None
        try:
            return TiledTree(size, lambda at: store.tile(at, heads.published.size)).root()
        except TilesRefused:
            return None

    # -- the witnesses

    def _check_witnesses(self, report: Report, store: Store, origin: str) -> None:
        """Each witness has cosigned a beginning of this log, and nothing else, and nothing longer."""
        heads = _heads(store)
        if heads is None:
            return
        head = heads.published
        tree = TiledTree(head.size, lambda place: store.tile(place, head.size))
        checkpoint = Checkpoint(origin, head.size, head.root)
        for name, known in self._policy.witnesses.items():
            if not known.url:
                continue
            try:
                RemoteWitness(known.url).cosign(head.checkpoint, checkpoint, tree.prove_consistency)
            except WitnessObjects as wrong:
                report.note(wrong.code, -1, f"{name}: {wrong.detail}")
            except WitnessAway as away:
                report.note("witness-unreachable", -1, f"{name}: {away}")
            except (TilesRefused, NoteRefused):
                continue  # named above

    def _check_cosigned(self, report: Report, store: Store, origin: str) -> None:
        """The checkpoint that outsiders are shown is signed, cosigned as the policy asks, and of this very tree."""
        try:
            found = store.cosigned()
            if found is None:
                return
            verifier = NoteVerifier.of(origin, self._verifier.public_key)
            said, _ = self._policy.for_log(verifier).check(found[0].checkpoint, origin)
        except (NoteRefused, CheckpointRefused, PolicyRefused, LogBroken) as wrong:
            report.note("cosignature-bad", -1, f"{origin}: {wrong}")
            return
        shown = found[0].size, found[0].root
        if shown != (said.size, said.root) or self._root_at(store.place, said.size) != said.root:
            report.note("cosigned-head-changed", -1, f"{origin} at {found[0].size}")

    def _inspection(self, place: LogPlace) -> Inspection:
        origin = place.origin(self._base)
        verifier = NoteVerifier.of(origin, self._verifier.public_key)
        store = Store(self._database, place)
        return Inspection(store, self._entry_check, self._signer, verifier, origin)


def _heads(store: Store) -> Heads | None:
    """The heads, or None also where they cannot be read (which is another finding)."""
    try:
        return store.heads_now()
    except LogBroken:
        return None


def each_store(database: Database[Document]) -> Iterator[Store]:
    """The store of every log that is not pruned, the root log last."""
    periods = Periods(database)
    pruned = periods.pruned()
    for place in periods.places():
        if place.name not in pruned:
            yield Store(database, place)
    yield Store(database, ROOT)
