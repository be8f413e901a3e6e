"""The log that is appended to, from quarter to quarter, and the root log that commits to all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from pymongo.database import Database

from chassis.clock import Clock
from services.audit.appending.sequencer import Sequencer
from services.audit.domain.entry import Head, SealedEntry
from services.audit.domain.period import ROOT, LogClosed, LogPlace, end_of, quarter_of
from services.audit.domain.root_leaf import root_leaf
from services.audit.keepers.signer import Signing
from services.audit.store.entries import Store
from services.audit.store.lease import Lease
from services.audit.store.periods import Periods
from services.audit.tlog.notes import NoteVerifier

Document = dict[str, Any]
T = TypeVar("T")


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

    def signed_beyond(self) -> int:
        """How many entries more the signer vouched for than the newest log has or is about to have.

        Above 0 the log's database was set back, and nothing more can be appended.  Raises SignerAway, LogBroken.
        """
        place = self.periods.newest()
        store = Store(self._database, place)
        last = self._signer.last(place.origin(self._origin))  # first: what is signed was staged before
        if last is None:
            return 0
        heads = store.heads_now()
        reach = heads.committed.size if heads else 0
        if last.size > reach:
            with suppress(LogClosed):
                staged = store.staged_at(reach)
                reach = staged.end if staged else reach
            heads = store.heads_now()  # what was staged may have been committed meanwhile
            reach = max(reach, heads.committed.size if heads else 0)
        return max(0, last.size - reach)

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
