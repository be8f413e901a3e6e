"""Keeps a process's roster index close behind the store: loaded once, then only what changed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from chassis.clock import Clock
from services.matching.domain import place
from services.matching.domain.need import Need
from services.matching.domain.specialist import Specialist
from services.matching.ranking import RosterIndex
from services.matching.store import RosterStore


class RosterWatch:
    """Fills `index` from the store and remembers who supervises."""

    def __init__(self, store: RosterStore, index: RosterIndex, clock: Clock) -> None:
        self._store = store
        self._index = index
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at: datetime | None = None
        self._marks: set[tuple[str, str]] = set()
        self._supervisors: list[Specialist] = []

    def refresh(self) -> int:
        """The index holds everything that was stored before this call; returns how many entries were read."""
        with self._lock:
            now = self._clock.now()
            marks, portions = self._changes()
            count = sum(self._read(ids) for ids in portions)
            if count or self._looked_at is None:
                self._supervisors = self._store.supervisors()
            # Only now: what could not be read is looked for again.
            self._marks, self._looked_at = marks, now
            return count

    def _changes(self) -> tuple[set[tuple[str, str]], Iterable[list[str]]]:
        """The ids to read: everybody the first time, then who has another mark than when they were last read."""
        if self._looked_at is None:
            return set(), self._store.all_ids()
        found = self._store.changed_since(self._looked_at)
        return found, [sorted({specialist_id for specialist_id, _ in found - self._marks})]

    def _read(self, ids: list[str]) -> int:
        entries = self._store.entries(ids)
        self._index.put(entries.values())
        return len(entries)

    def nearest_supervisor_id(self, need: Need) -> str:
        """The supervisor nearest to the facility, "" where the roster has none."""
        here = need.source_place

        def order(supervisor: Specialist) -> tuple[int, str]:
            away = place.chord_squared(here, supervisor.place) if here else 0
            return away, supervisor.specialist_id

        return min(self._supervisors, key=order).specialist_id if self._supervisors else ""
