"""Keeps a process's roster index close behind the store: loaded once, then only what changed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from chassis.clock import Clock
from services.matching.domain import place
from services.matching.domain.need import Need
from services.matching.domain.specialist import ORDINARY_MILLI, Specialist, Standing
from services.matching.ranking import RosterIndex
from services.matching.store import CaseStore, RosterStore

# The region of a facility nobody can place; who holds it holds everybody.
ELSEWHERE = "elsewhere"
# So many entries are read in the time a handler may take.
_READ_WHILE_WAITING = 5_000
_EVERY_S = 1.0


class RosterWatch:
    """Fills `index` from the stores: the roster, who supervises, and who was asked and has not answered.

    With `regions` (states, and `ELSEWHERE` for facilities nobody can place) it holds only who is certified in one of
    them: nobody else may be asked by a facility there, so the ranking of its referrals stays exact.
    """

    def __init__(
        self,
        store: RosterStore,
        cases: CaseStore,
        index: RosterIndex,
        clock: Clock,
        regions: Iterable[str] = (),
    ) -> None:
        self.regions = frozenset(regions)
        self._store = store
        self._cases = cases
        self._index = index
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at: datetime | None = None
        self._marks: set[tuple[str, str]] = set()
        self._supervisors: list[Specialist] = []
        self._open: dict[str, tuple[str, ...]] = {}
        self._open_counts: Counter[str] = Counter()
        self._proposals: Counter[str] = Counter()
        self._narrowed: set[str] = set()

    def refresh(self) -> int:
        """The index holds everything that was stored before this call; returns how many entries were read."""
        with self._lock:
            now = self._clock.now()
            marks, portions = self._changes()
            count = sum(self._read(ids) for ids in portions)
            if count or self._looked_at is None:
                self._supervisors = self._store.supervisors()
            self._follow_offers(self._cases.open_offers(self._looked_at))
            # Only now: what could not be read is looked for again.
            self._marks, self._looked_at = marks, now
            return count

    def catch_up(self) -> None:
        """As `refresh`, but a large roster that was not read yet is left to who reads it at start: nobody waits."""
        if self.is_read or self._store.count() <= _READ_WHILE_WAITING:
            self.refresh()

    @property
    def is_read(self) -> bool:
        """True from when the roster was read once."""
        return self._looked_at is not None

    def holds(self, need: Need) -> bool:
        """True where this process can rank this referral: its roster was read, and the facility is in its regions."""
        region = need.state or ELSEWHERE
        return self.is_read and (not self.regions or region in self.regions)

    def open_milli(self, specialist_id: str) -> int:
        """What a specialist was asked to carry and has not answered, as far as this process knows."""
        return ORDINARY_MILLI * (self._open_counts[specialist_id] + self._proposals[specialist_id])

    def take_narrowed(self) -> list[str]:
        """Who has open offers and may not take them any more, since this was asked last: changed, or full by now."""
        with self._lock:
            narrowed, self._narrowed = self._narrowed, set()
            return sorted(one for one in narrowed if self._open_counts[one])

    def note_asked(self, specialist_ids: Sequence[str]) -> None:
        """These are about to be asked: until the next `refresh` each counts as an open offer."""
        with self._lock:
            self._proposals.update(specialist_ids)
            self._index.set_open({one: self.open_milli(one) for one in specialist_ids})

    def forget_proposals(self) -> None:
        """Nobody is about to be asked."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        asked = list(self._proposals)
        self._proposals.clear()
        self._index.set_open({one: self.open_milli(one) for one in asked})

    def _follow_offers(self, found: dict[str, tuple[str, ...]]) -> None:
        self._forget()
        touched: set[str] = set()
        for referral_id, asked in found.items():
            before = self._open.pop(referral_id, ())
            if asked:
                self._open[referral_id] = asked
            self._open_counts.subtract(before)
            self._open_counts.update(asked)
            touched.update(before, asked)
        self._index.set_open({one: self.open_milli(one) for one in touched})
        self._open_counts = +self._open_counts

    def _changes(self) -> tuple[set[tuple[str, str]], Iterable[list[str]]]:
        """The ids to read: everybody the first time, then who has another mark than when they were last read."""
        if self._looked_at is None:
            self._index.reserve(0 if self.regions else self._store.count())
            return set(), self._store.all_ids()
        found = self._store.changed_since(self._looked_at)
        fresh = found - self._marks
        self._narrowed.update(one for one, mark in fresh if mark.startswith("profile"))
        return found, [sorted({specialist_id for specialist_id, _ in fresh})]

    def _read(self, ids: list[str]) -> int:
        entries = self._store.entries(ids)
        if self._looked_at is not None:
            self._narrowed.update(one for one, (_, standing) in entries.items() if _is_full(standing))
        here = {one: entry for one, entry in entries.items() if self._is_here(entry[0])}
        self._index.remove(entries.keys() - here.keys())
        self._index.put(
            (specialist, replace(standing, open_milli=self.open_milli(specialist.specialist_id)))
            for specialist, standing in here.values()
        )
        return len(entries)

    def _is_here(self, specialist: Specialist) -> bool:
        if not self.regions or ELSEWHERE in self.regions:
            return True
        return any(one.state in self.regions for one in specialist.certifications)

    def nearest_supervisor_id(self, need: Need) -> str:
        """The supervisor nearest to the facility, "" where the roster has none."""
        here = need.source_place

        def order(supervisor: Specialist) -> tuple[int, str]:
            away = place.chord_squared(here, supervisor.place) if here else 0
            return away, supervisor.specialist_id

        return min(self._supervisors, key=order).specialist_id if self._supervisors else ""


def _is_full(standing: Standing) -> bool:
    return standing.load_milli + ORDINARY_MILLI > standing.capacity_milli


class RosterKeeper:
    """Keeps a watch's index a second behind the store beside an `api`, from its start until it is stopped."""

    def __init__(self, watch: RosterWatch) -> None:
        self._watch = watch
        self._stopped = threading.Event()

    def run(self) -> None:
        """Reads the roster, then what changes, until it is stopped."""
        while not self._stopped.is_set():
            self._watch.refresh()
            self._stopped.wait(_EVERY_S)

    def stop(self) -> None:
        """Ends `run` within the second."""
        self._stopped.set()
