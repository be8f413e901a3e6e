"""Deleting whole periods whose retention is over, and erasing what was asked to be erased when its time comes.

The written policy is in docs/audit-for-compliance.md. Of a pruned period there stay its last checkpoint, its place in
the root log and which numbers of each producer it held; everything else goes, its keys last.
"""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from chassis import logs
from chassis.access import AccessLog
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.identity import Caller
from chassis.ids import new_id
from services.audit.appending.periodic_log import PeriodicLog
from services.audit.domain.entry import Head
from services.audit.domain.period import LogPlace, end_of, quarter_of, years_later
from services.audit.publishing.mirror import Mirror
from services.audit.retention.erasure import Erasures
from services.audit.sealing.keyring import Keyring
from services.audit.search.index import SearchIndex
from services.audit.store.access_entries import said_event_id
from services.audit.store.entries import Store

Document = dict[str, Any]
_KEEPER = Caller("audit-retention", "system", "kindred", "HOPERAT")
log = logs.get()


class Pruning:
    """Looks once in a while for what may go."""

    def __init__(
        self,
        database: Database[Document],
        appending: PeriodicLog,
        *,
        erasures: Erasures,
        keyring: Keyring,
        access: AccessLog,
        search: SearchIndex,
        mirror: Mirror | None,
        base: str,
        clock: Clock,
        years: int,
    ) -> None:
        self._database = database
        self._appending = appending
        self._erasures = erasures
        self._keyring = keyring
        self._access = access
        self._search = search
        self._mirror = mirror
        self._base = base
        self._clock = clock
        self._years = years

    def turn(self) -> list[str]:
        """What is due is erased and pruned; the names of what was pruned."""
        self._erase_what_is_due()
        pruned: list[str] = []
        periods = self._appending.periods
        known = periods.pruned()
        for place, following in zip(*(periods.places()[at:] for at in (0, 1)), strict=False):
            if place.name in known:
                self._delete(place, known[place.name]["size"])  # a crash may have left some of it
            elif self._is_due(place, following) and not self._is_held(place, following):
                self._prune(place)
                pruned.append(place.name or self._base)
            else:
                break  # in order, so that what is left is one range of numbers
        if pruned:
            self._destroy_old_keys()
        return pruned

    def _erase_what_is_due(self) -> None:
        for request_id, mark in self._erasures.open_requests():
            if due := self._erasures.due(mark):
                event_id = self._say("delete", "AuditKeys", request_id, due)
                self._erasures.carry_out(request_id, mark, event_id)

    def _is_due(self, place: LogPlace, following: LogPlace) -> bool:
        """Whether the quarter of the log's newest entry, and that of its own name, were over so many years ago."""
        last = self._store_of(place).newest_time(following.first)
        quarters = [place.name] if place.name else []
        quarters += [quarter_of(last)] if last else []
        return all(years_later(end_of(quarter), self._years) <= self._clock.now() for quarter in quarters)

    def _is_held(self, place: LogPlace, following: LogPlace) -> bool:
        """Whether anything in the log is about somebody under a legal hold."""
        marks = [hold.mark for hold in self._erasures.holds()]
        if not marks:
            return False
        if b"" in marks:
            return True
        key_ids = [key_id for mark in marks for key_id in self._keyring.periods_of(mark).values()]
        return self._store_of(place).has_any_key(key_ids, following.first)

    def _prune(self, place: LogPlace) -> None:
        """Said, remembered, committed to by the root log, then deleted: each step safe to repeat."""
        store, origin = self._store_of(place), place.origin(self._base)
        heads = store.heads_now()
        head = heads.published if heads else Head(0, b"", b"")
        self._say("delete", "AuditPeriod", origin, [])
        heard = {
            name: [list(each) for each in ranges]
            for name, ranges in store.sequences_between(place.first, place.first + head.size).items()
        }
        kept = {"size": head.size, "root": head.root, "checkpoint": head.checkpoint, "heard": heard}
        self._appending.periods.mark_pruned(place, {"pruned_at": self._clock.now(), **kept})
        self._appending.root.commit("pruned", origin, head)
        self._delete(place, head.size)
        log.info("a period was pruned", size=head.size)

    def _delete(self, place: LogPlace, size: int) -> None:
        self._search.forget_between(place.first, place.first + size)
        self._store_of(place).delete_all(size)
        if self._mirror is not None:
            self._mirror.forget(place)

    def _destroy_old_keys(self) -> None:
        """Keys of quarters before the oldest log that is left: nothing that can still be read is sealed with them.

        Late events may be sealed with the key of the quarter before their log's, so that one stays too.
        """
        left = [p for p in self._appending.periods.places() if p.name not in self._appending.periods.pruned()]
        begun = left[0].name or self._store_of(left[0]).quarter()
        before = _quarter_before(_quarter_before(begun)) if begun else ""
        if keys := self._keyring.keys_until(before) if before else {}:
            event_id = self._say("delete", "AuditKeys", "", sorted(set(keys.values())))
            self._erasures.destroy(keys, event_id)

    def _say(self, action: str, record_type: str, record_id: str, criteria: list[str]) -> str:
        """What is about to happen is durable as an event of the log; its id."""
        return said_event_id(
            self._access,
            _KEEPER,
            record_type=record_type,
            record_id=record_id,
            action=action,
            criteria=criteria,
            cause=Cause(new_id("cor")),
        )

    def _store_of(self, place: LogPlace) -> Store:
        return Store(self._database, place)


def _quarter_before(quarter: str) -> str:
    year, number = int(quarter[:4]), int(quarter[5])
    return f"{year - (number == 1):04d}Q{number - 1 or 4}"
