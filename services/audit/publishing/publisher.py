"""Makes the log believable from outside: cosigned, mirrored as files, committed to by the root log, and measured.

Runs in a thread of `api`. Any number may run at once: each step is safe to repeat.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from prometheus_client import Counter, Gauge, Histogram

from chassis import logs
from chassis.clock import Clock
from chassis.mongo import is_outside_trouble
from services.audit.appending.periodic_log import PeriodicLog
from services.audit.domain import sequences
from services.audit.domain.entry import Head, LogBroken
from services.audit.domain.leaf import LeafMalformed, parse_leaf
from services.audit.domain.period import ROOT
from services.audit.keepers.asking import RemoteWitness, WitnessAway, WitnessObjects
from services.audit.publishing.mirror import Mirror
from services.audit.retention.pruning import Pruning
from services.audit.store.entries import Store
from services.audit.store.periods import CurrentStore
from services.audit.tlog.checkpoints import Checkpoint
from services.audit.tlog.cosignatures import with_cosignatures
from services.audit.tlog.notes import NoteRefused
from services.audit.tlog.policy import Policy
from services.audit.tlog.tiles import TiledTree, TilesRefused

LOOK_EVERY_S = 0.5
# An idle log says so often that it is alive: the same checkpoint, cosigned anew.
HEARTBEAT = timedelta(seconds=60)
# The root log commits to a growing log's checkpoint at most so often.
COMMIT_EVERY = timedelta(seconds=60)
_MEASURE_EVERY_S = 5.0
_ROLL_OVER_EVERY_S = 10.0
_TELL_EVERY_S = 30.0
_PRUNE_EVERY_S = 3_600.0

LAG = Gauge("kindred_audit_lag_seconds", "Since when entries are in the log without a cosigned checkpoint.")
CHECKPOINT_AGE = Gauge("kindred_audit_checkpoint_age_seconds", "Age of the newest cosignature.", ["log"])
SIZE = Gauge("kindred_audit_entries", "Entries under the newest cosigned checkpoint.", ["log"])
MISSING = Gauge("kindred_audit_missing_events", "Events of a producer that never came.", ["producer"])
BEYOND = Gauge(
    "kindred_audit_signed_beyond_entries",
    "How many entries more the signer vouched for than there are; above 0 the log was set back.",
)
ALARMS = Counter("kindred_audit_alarms_total", "Contradictions of the log, by name.", ["code"])
AWAY = Counter("kindred_audit_witness_away_total", "Times that a witness did not answer.", ["witness"])
TO_CHECKPOINT = Histogram(
    "kindred_audit_event_to_checkpoint_seconds",
    "From an event's own time to the cosigned checkpoint over it.",
    buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300),
)
log = logs.get()


class Publisher:
    """The newest log and the root log of one family."""

    def __init__(
        self,
        store: CurrentStore,
        appending: PeriodicLog,
        *,
        policy: Policy,
        base: str,
        mirror: Mirror | None,
        clock: Clock,
        pruning: Pruning,
    ) -> None:
        self._store = store
        self._appending = appending
        self._policy = policy
        self._base = base
        self._mirror = mirror
        self._clock = clock
        self._pruning = pruning
        self._witnesses = {
            name: RemoteWitness(known.url) for name, known in policy.witnesses.items() if known.url
        }
        self._root_store = Store(store.heads.database, ROOT)
        self._committed_at: datetime | None = None
        self._behind_since: float | None = None
        self._done_at: dict[str, float] = {}
        # Closed logs whose last checkpoint is cosigned: nothing of them can change.
        self._finished: set[str] = set()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Publishes until stopped; trouble outside is waited out, contradictions are told and waited out too."""
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                self.turn()
            except LogBroken as broken:
                self._alarm(broken.code)
            except Exception as error:
                if not is_outside_trouble(error):
                    raise
                if self._is_time("told", _TELL_EVERY_S):
                    log.warning("the log is not cosigned: something is away", error=logs.type_name(error))

    def stop(self) -> None:
        """No further turn begins."""
        self._stopping.set()

    def turn(self) -> None:
        """Whatever is new is cosigned, mirrored and, in its time, in the root log."""
        if self._is_time("rolled", _ROLL_OVER_EVERY_S) and self._store.heads_now() is not None:
            self._appending.roll_over()
        self._publish_each()
        self._commit_to_root()
        if self._is_time("pruned", _PRUNE_EVERY_S):
            self._pruning.turn()
        if self._is_time("measured", _MEASURE_EVERY_S):
            self._measure()

    def _publish_each(self) -> None:
        """The newest log; where another one was closed since, that one for the last time; the root log."""
        periods = self._appending.periods
        pruned = periods.pruned()
        *closed, newest = [place for place in periods.places() if place.name not in pruned]
        for place in closed:
            store = Store(self._store.heads.database, place)
            if place.name not in self._finished and self._is_behind(store):
                self._publish(store)
            elif place.name not in self._finished:
                self._finished.add(place.name)
        self._publish(Store(self._store.heads.database, newest))
        if self._mirror is not None:
            self._mirror.point_to(newest)
        self._publish(self._root_store)

    def _is_behind(self, store: Store) -> bool:
        heads, cosigned = store.heads_now(), store.cosigned()
        return heads is not None and (cosigned is None or cosigned[0].size < heads.published.size)

    def _publish(self, store: Store) -> None:
        heads, cosigned = store.heads_now(), store.cosigned()
        if heads is None:
            return
        now, head = self._clock.now(), heads.published
        is_news = cosigned is None or cosigned[0].size != head.size
        if not is_news and cosigned is not None and now - cosigned[1] < HEARTBEAT:
            return
        if is_news and store.place != ROOT and self._behind_since is None:
            self._behind_since = time.monotonic()
        note = self._cosigned_note(store, head)
        if not self._policy.is_met_by(self._policy.cosigned_by(note)):
            return
        if self._mirror is not None:
            self._mirror.write(store, Head(head.size, head.root, note))
        store.mark_cosigned(Head(head.size, head.root, note), now)
        if store.place != ROOT:
            self._behind_since = None
            if is_news and head.size:
                self._observe(store, head.size - 1, now)

    def _cosigned_note(self, store: Store, head: Head) -> bytes:
        """The head's note with the signatures of every witness that answered."""
        checkpoint = Checkpoint(store.place.origin(self._base), head.size, head.root)
        tree = TiledTree(head.size, lambda place: store.tile(place, head.size))
        note = head.checkpoint
        for name, witness in self._witnesses.items():
            try:
                lines = witness.cosign(head.checkpoint, checkpoint, tree.prove_consistency)
                note = with_cosignatures(note, lines, [self._policy.witnesses[name].verifier])
            except WitnessAway:
                AWAY.labels(name).inc()
            except WitnessObjects as objection:
                self._alarm(objection.code)
            except (NoteRefused, TilesRefused) as wrong:
                self._alarm("cosignature-bad" if isinstance(wrong, NoteRefused) else "tiles-missing")
        return note

    def _commit_to_root(self) -> None:
        """What was cosigned is in the root log, at most once a minute."""
        cosigned, now = self._store.cosigned(), self._clock.now()
        if cosigned is None or not cosigned[0].size:
            return
        if self._committed_at is None or now - self._committed_at >= COMMIT_EVERY:
            origin = self._store.place.origin(self._base)
            self._appending.root.commit("seen", origin, cosigned[0])
            self._committed_at = now

    def _observe(self, store: Store, index: int, now: datetime) -> None:
        """How long the newest entry took from its event to here."""
        for leaf in store.leaves(index, index + 1):
            try:
                TO_CHECKPOINT.observe(max(0.0, (now - parse_leaf(leaf).recorded_at).total_seconds()))
            except LeafMalformed:
                self._alarm("leaf-malformed")

    def _measure(self) -> None:
        BEYOND.set(self._appending.signed_beyond())
        LAG.set(time.monotonic() - self._behind_since if self._behind_since is not None else 0)
        for name, store in (("newest", self._store), ("root", self._root_store)):
            if (cosigned := store.cosigned()) is not None:
                SIZE.labels(name).set(store.place.first + cosigned[0].size)
                CHECKPOINT_AGE.labels(name).set((self._clock.now() - cosigned[1]).total_seconds())
        for producer, ranges in self._store.sequences.heard().items():
            MISSING.labels(producer).set(sum(last - first + 1 for first, last in sequences.gaps(ranges)))

    def _alarm(self, code: str) -> None:
        ALARMS.labels(code).inc()
        if self._is_time(f"alarm {code}", _TELL_EVERY_S):
            log.critical("the audit log contradicts itself", code=code)

    def _is_time(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now - self._done_at.get(what, -every_s) < every_s:
            return False
        self._done_at[what] = now
        return True
