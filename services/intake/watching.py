"""Tells live watchers inside an api process that a referral changed; carries ids only, never what changed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from prometheus_client import Gauge
from pymongo.database import Database
from pymongo.errors import PyMongoError

from chassis import logs
from chassis.mongo import is_outside_trouble
from chassis.retries import jittered

# Told instead of an id where changes may have been missed: whatever is shown has to be read again.
LOOK_AGAIN = "look-again"
MOST_PENDING = 64
_STREAM_WAIT_MS = 1_000
_LONGEST_TROUBLE_WAIT_S = 5.0
_POLL_S = 1.0
_MOST_SOURCES = 50_000
_WATCHERS = Gauge("kindred_watchers", "Live watchers of referrals in this process.")
log = logs.get()


class Subscription:
    """What one watcher has not looked at yet; at most `MOST_PENDING` ids, then only "look again"."""

    def __init__(self, hub: Hub, source_id: str, referral_id: str, wake: Callable[[], None] | None) -> None:
        self.source_id, self.referral_id = source_id, referral_id
        self._hub, self._wake = hub, wake
        self._pending: OrderedDict[str, None] = OrderedDict()
        self._changed = threading.Condition()
        self._is_closed = False

    def next(self, timeout_s: float) -> str | None:
        """The id of a referral that changed, LOOK_AGAIN, or None after so long or once closed; 0 does not wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._is_closed, timeout_s)
            return self._pending.popitem(last=False)[0] if self._pending else None

    @property
    def is_closed(self) -> bool:
        """True once nothing more will come: it was closed, or the process stops."""
        return self._is_closed

    def close(self) -> None:
        """Nothing more is put here; whoever waits is woken."""
        self._hub.forget(self)
        self.end()

    def put(self, referral_id: str) -> None:
        """Called by the hub; never blocks."""
        with self._changed:
            if LOOK_AGAIN in self._pending or self._is_closed:
                return
            if referral_id == LOOK_AGAIN or len(self._pending) >= MOST_PENDING:
                self._pending.clear()
                referral_id = LOOK_AGAIN
            self._pending[referral_id] = None
            self._changed.notify_all()
        self._tell()

    def end(self) -> None:
        """Called by the hub: the process stops."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        self._tell()

    def _tell(self) -> None:
        if self._wake is not None:
            self._wake()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Hub:
    """One change stream of `referrals` for all watchers of a process; a background part (chassis.lifecycle).

    A change is told once the majority has it.  After trouble with the database every watcher is told to look again,
    so that nothing is missed; where there are no change streams, everybody looks again every second.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["referrals"]
        self._lock = threading.Lock()
        self._of_source: dict[str, set[Subscription]] = defaultdict(set)
        self._of_referral: dict[str, set[Subscription]] = defaultdict(set)
        self._sources: OrderedDict[str, str] = OrderedDict()
        self._stopping = threading.Event()

    def subscribe(
        self, source_id: str = "", *, referral_id: str = "", wake: Callable[[], None] | None = None
    ) -> Subscription:
        """A subscription to one referral, or to all of a source; MUST be closed, best with `with`.

        Look first after subscribing, not before: then no change falls between the two.
        `wake` is called from the hub's thread after each change and at the end; it MUST NOT block or raise.
        """
        subscription = Subscription(self, source_id, referral_id, wake)
        with self._lock:
            self._group(subscription).add(subscription)
        _WATCHERS.inc()
        if self._stopping.is_set():
            subscription.end()
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """The subscription hears nothing more; again changes nothing."""
        with self._lock:
            group = self._group(subscription)
            if subscription in group:
                group.discard(subscription)
                _WATCHERS.dec()
            if not group:
                (self._of_referral if subscription.referral_id else self._of_source).pop(_key(subscription))

    def run(self) -> None:
        """Listens until stopped; trouble outside is waited out, and never raised."""
        tries = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._listen()
            except PyMongoError as trouble:
                tries = 0 if time.monotonic() - began > _LONGEST_TROUBLE_WAIT_S else tries
                self._note(trouble, tries)
                tries += 1

    def stop(self) -> None:
        """`run` returns within seconds, and every watcher is told that nothing more comes."""
        self._stopping.set()
        for subscription in self._everybody():
            subscription.end()

    def _listen(self) -> None:
        with self._collection.watch(_CHANGES, max_await_time_ms=_STREAM_WAIT_MS) as changes:
            self._look_again()  # what happened before the stream was open
            while not self._stopping.is_set() and changes.alive:
                change = changes.try_next()
                if change is not None:
                    self._told(change)

    def _note(self, trouble: PyMongoError, tries: int) -> None:
        if is_outside_trouble(trouble):
            log.warning("watching.trouble", attempt=tries, **logs.described(trouble))
            self._stopping.wait(jittered(0.1, tries, _LONGEST_TROUBLE_WAIT_S))
            return
        if tries == 0:
            log.error("watching.polls", **logs.described(trouble))
        self._look_again()
        self._stopping.wait(_POLL_S)

    def _told(self, change: Mapping[str, Any]) -> None:
        referral_id = str(change["documentKey"]["_id"])
        with self._lock:
            if not (self._of_source or self._of_referral):
                return
            watching = list(self._of_referral.get(referral_id, ()))
            has_sources = bool(self._of_source) and _is_a_move(change)
        if has_sources:
            source_id = change.get("fullDocument", {}).get("source_id") or self._source_of(referral_id)
            with self._lock:
                watching += self._of_source.get(source_id, ())
        _tell(watching, referral_id)

    def _source_of(self, referral_id: str) -> str:
        """A referral never changes its source, so each is asked for once."""
        known = self._sources.get(referral_id)
        if known is None:
            found = self._collection.find_one({"_id": referral_id}, {"source_id": 1}) or {}
            known = self._sources[referral_id] = str(found.get("source_id", ""))
            if len(self._sources) > _MOST_SOURCES:
                self._sources.popitem(last=False)
        return known

    def _look_again(self) -> None:
        _tell(self._everybody(), LOOK_AGAIN)

    def _everybody(self) -> Sequence[Subscription]:
        with self._lock:
            groups = [*self._of_source.values(), *self._of_referral.values()]
            return [subscription for group in groups for subscription in group]

    def _group(self, subscription: Subscription) -> set[Subscription]:
        groups = self._of_referral if subscription.referral_id else self._of_source
        return groups[_key(subscription)]


def _key(subscription: Subscription) -> str:
    return subscription.referral_id or subscription.source_id


def _tell(watching: Iterable[Subscription], referral_id: str) -> None:
    for subscription in watching:
        subscription.put(referral_id)


def _is_a_move(change: Mapping[str, Any]) -> bool:
    """False where only the notices of the referral changed, which no list shows."""
    fields = change.get("updateDescription", {}).get("updatedFields", {})
    return change.get("operationType") != "update" or "task_version" in fields


# A repeat or a published event also changes the document; only what its source can see rings.
_CHANGES: list[dict[str, Any]] = [
    {
        "$match": {
            "$or": [
                {"operationType": {"$in": ["insert", "replace"]}},
                {
                    "operationType": "update",
                    "updateDescription.updatedFields.task_version": {"$exists": True},
                },
                {
                    "operationType": "update",
                    "updateDescription.updatedFields.notices_version": {"$exists": True},
                },
            ]
        }
    },
    {
        "$project": {
            "documentKey": 1,
            "operationType": 1,
            "fullDocument.source_id": 1,
            "updateDescription.updatedFields.task_version": 1,
        }
    },
]
