"""The logs side by side: which there are, how one follows the other, and the root log that commits to all."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.clock import Clock
from services.audit.domain.entry import Head, Heads, SealedEntry
from services.audit.domain.leaf import timestamp
from services.audit.domain.period import FIRST, ROOT, LogClosed, LogPlace, end_of, holding, quarter_of
from services.audit.sequencer import Sequencer
from services.audit.signer import Signing
from services.audit.store.entries import Store
from services.audit.store.lease import Lease
from services.audit.tlog.notes import NoteVerifier

Document = dict[str, Any]
T = TypeVar("T")
ROOT_LEAF = "kindred-audit-root/1"


class Periods:
    """Which logs there are, in order: the first needs no document, each later one has one."""

    def __init__(self, database: Database[Document]) -> None:
        self.documents = database["periods"]

    def places(self) -> list[LogPlace]:
        """Every log but the root, pruned ones included."""
        later = self.documents.find({"turn": {"$exists": True}}).sort("turn", ASCENDING)
        return [FIRST, *(LogPlace(each["_id"], each["first"]) for each in later)]

    def newest(self) -> LogPlace:
        """The log that is appended to."""
        newest = self.documents.find_one({"turn": {"$exists": True}}, sort=[("turn", DESCENDING)])
        return LogPlace(newest["_id"], newest["first"]) if newest else FIRST

    def ensure_indexes(self) -> None:
        """No two logs follow one and the same."""
        there = {"turn": {"$exists": True}}
        self.documents.create_index("turn", unique=True, partialFilterExpression=there)

    def open_after(self, before: LogPlace, following: LogPlace) -> None:
        """A log follows this one: `following`, or the one another worker was quicker with."""
        turn = self.places().index(before) + 1
        try:
            self.documents.insert_one({"_id": following.name, "first": following.first, "turn": turn})
        except DuplicateKeyError:
            return

    def pruned(self) -> dict[str, Document]:
        """What is kept of each pruned log, by its name: `pruned_at`, `size`, `root`, `checkpoint`, `heard`."""
        return {each["of"]: each for each in self.documents.find({"of": {"$exists": True}})}

    def mark_pruned(self, place: LogPlace, kept: Document) -> None:
        """What is kept of this log is there before anything of it is deleted."""
        self.documents.update_one(
            {"_id": f"pruned/{place.name}"}, {"$setOnInsert": {"of": place.name, **kept}}, upsert=True
        )


class CurrentStore(Store):
    """The store of whichever log is appended to: looking at the head follows it into the next period."""

    def __init__(self, database: Database[Document]) -> None:
        super().__init__(database)
        self._periods = Periods(database)
        self._known = [FIRST]

    def heads_now(self) -> Heads | None:
        """Both heads of the newest log; of the one before while the newest has not begun."""
        self._known = self._periods.places()
        for place in reversed(self._known):
            self.place = place
            if (heads := super().heads_now()) is not None:
                return heads
        return None

    def log_of(self, number: int, *, is_last_asked: bool = True) -> Store:
        """The store of the log this entry's number lies in.

        Logs only follow one another, so a number before the last known log's first is in a log that is known.
        Without `is_last_asked` nobody is asked whether the last one was followed: right for numbers it does hold.
        """
        place = holding(self._known, number)
        if is_last_asked and place == self._known[-1]:
            self._known = self._periods.places()
            place = holding(self._known, number)
        return Store(self.heads.database, place, self.kept)

    @property
    def end(self) -> int:
        """How many entries there are in all periods, as far as they are published."""
        heads = self.heads_now()
        return self.place.first + (heads.published.size if heads else 0)


class PeriodicLog:
    """Appends to the log of this quarter; opens the next one when the quarter is over. Safe like its sequencers."""

    def __init__(
        self, database: Database[Document], signer: Signing, verifier: NoteVerifier, origin: str, clock: Clock
    ) -> None:
        self._database = database
        self._signer = signer
        self._key = verifier
        self._origin = origin
        self._clock = clock
        self._lock = threading.Lock()
        self._current: tuple[LogPlace, Sequencer, str] | None = None
        self.periods = Periods(database)
        self.root = RootLog(self._sequencer(ROOT, "")[1], origin, clock)

    def append(self, entries: Sequence[SealedEntry]) -> int:
        """Each entry is in a log, once, published and readable; returns how many were new. Raises LogBroken."""
        return self._in_current(lambda log: log.append(entries))

    def recover(self) -> int:
        """What a crash left staged is finished; returns the size of the newest log."""
        return self._in_current(lambda log: log.recover())

    def roll_over(self) -> bool:
        """Where the quarter is over, its log is closed, in the root log, and followed by the next; True if so."""
        quarter = quarter_of(self._clock.now())
        place, sequencer, begun = self._now()
        if not begun:
            Store(self._database, place).set_quarter(quarter)
            begun = quarter
        if begun >= quarter:
            return False
        self._close(place, sequencer, quarter)
        return True

    def _in_current(self, work: Callable[[Sequencer], T]) -> T:
        """Does the work on the newest log, again on the next one where that was closed meanwhile."""
        while True:
            if self.roll_over():
                continue
            place, sequencer, begun = self._now()
            try:
                return work(sequencer)
            except LogClosed:  # whoever closed it may have died before the next one was opened
                self._close(place, sequencer, quarter_of(self._clock.now()))
            finally:
                if not begun:
                    self._forget()

    def _close(self, place: LogPlace, sequencer: Sequencer, quarter: str) -> None:
        """In this order, each step safe to repeat: closed, committed to by the root log, followed."""
        last = sequencer.close()
        self.root.commit("closed", place.origin(self._origin), last)
        name = quarter if quarter > place.name else quarter_of(end_of(place.name))  # a clock may be behind
        self.periods.open_after(place, LogPlace(name, place.first + last.size))
        self._forget()

    def _now(self) -> tuple[LogPlace, Sequencer, str]:
        """The newest log, its sequencer and the quarter it began in ("" while it has not begun)."""
        with self._lock:
            if self._current is None:
                place = self.periods.newest()
                store, sequencer = self._sequencer(place, quarter_of(self._clock.now()))
                self._current = place, sequencer, place.name or store.quarter()
            return self._current

    def _forget(self) -> None:
        with self._lock:
            self._current = None

    def _sequencer(self, place: LogPlace, quarter: str) -> tuple[Store, Sequencer]:
        store, origin = Store(self._database, place), place.origin(self._origin)
        verifier = NoteVerifier.of(origin, self._key.public_key)
        turn = Lease(self._database, f"{store.heads.name}/{store.head_id}").held
        return store, Sequencer(store, self._signer, verifier, origin, quarter, turn=turn)


class RootLog:
    """The log of the logs: a leaf for each checkpoint that was committed to, of each period, for ever."""

    def __init__(self, sequencer: Sequencer, base: str, clock: Clock) -> None:
        self._sequencer = sequencer
        self._base = base
        self._clock = clock

    def commit(self, kind: str, origin: str, head: Head) -> None:
        """The root log says, once, that this log had this root at this size; `kind` is seen, closed or pruned."""
        leaf = root_leaf(kind, origin, head, self._clock.now())
        name = f"{kind} {origin} {head.size}"
        row = {"fingerprint": head.root, "producer": "audit", "producer_seq": 0}
        self._sequencer.append([SealedEntry(name, leaf, b"", b"", row)])


def root_leaf(kind: str, origin: str, head: Head, at: datetime) -> bytes:
    """Six lines: version, kind, the log's origin, size, root in base64, time."""
    root = base64.b64encode(head.root).decode()
    return f"{ROOT_LEAF}\n{kind}\n{origin}\n{head.size}\n{root}\n{timestamp(at)}\n".encode()


def read_root_leaf(leaf: bytes) -> tuple[str, str, int, bytes] | None:
    """Kind, origin, size and root of a leaf of the root log; None where it is none."""
    try:
        version, kind, origin, size, root, _, empty = leaf.decode().split("\n")
        return (
            (kind, origin, int(size), base64.b64decode(root)) if (version, empty) == (ROOT_LEAF, "") else None
        )
    except ValueError:
        return None
