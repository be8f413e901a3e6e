"""Scheduled detections: each rule runs over what came since it ran last, and what it finds becomes a review."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from chassis import logs, telemetry
from chassis.errors import Refusal
from services.audit.domain.sights import Finding
from services.audit.reports import running
from services.audit.store.reviews import DETECTOR

if TYPE_CHECKING:
    from services.audit.reading_room import ReadingRoom as Room

EVERY = {
    "break-glass": timedelta(minutes=1),
    "emergency": timedelta(minutes=1),
    "terminated-account": timedelta(minutes=5),
    "own-record": timedelta(minutes=15),
    "same-surname": timedelta(minutes=15),
    "guarantor-or-kin": timedelta(minutes=15),
    "same-address": timedelta(minutes=15),
    "co-worker": timedelta(minutes=15),
    "vip": timedelta(minutes=15),
    "deceased": timedelta(minutes=15),
    "denied-then-succeeded": timedelta(minutes=15),
    "shared-account": timedelta(minutes=15),
    "search-without-opening": timedelta(minutes=30),
    "purpose-mismatch": timedelta(minutes=30),
    "no-relationship": timedelta(hours=1),
    "volume": timedelta(hours=1),
}
# Each of their findings is a review of its own; of the others one for each actor and day.
_ONE_BY_ONE = frozenset({"break-glass", "emergency"})
# An event may come this much later than it happened; a finding found twice is one review.
_OVERLAP = timedelta(hours=2)
_FIRST_RANGE = timedelta(days=7)
_LEASE = timedelta(minutes=10)
_AGAIN = timedelta(seconds=30)
_IDLE_S = 5.0
log = logs.get()


class Detector:
    """Runs what is due until it is stopped; any number may run at once, each rule is claimed by one."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._schedule = room.database["detections"]
        self._stopped = threading.Event()

    def run(self) -> None:
        """What is due is run, again and again."""
        while not self._stopped.is_set():
            for rule in EVERY:
                if self._stopped.is_set():
                    return
                self.run_if_due(rule)
            self._stopped.wait(_IDLE_S)

    def stop(self) -> None:
        """No further rule is begun."""
        self._stopped.set()

    def run_if_due(self, rule: str) -> int:
        """How many new reviews the rule raised; 0 where it is not due, or another process has it."""
        now = self._room.clock.now()
        claimed = self._claim(rule, now)
        if claimed is None:
            return 0
        since = claimed.get("ran_until") or now - _FIRST_RANGE
        try:
            raised = self.detect(rule, since - _OVERLAP, now)
        except (
            Refusal
        ) as refusal:  # the log has not begun, or the range is too wide for one run: said, and tried again
            log.warning("detection did not run", rule=rule, code=refusal.code)
            self._schedule.update_one({"_id": rule}, {"$set": {"next_at": now + _AGAIN}})
            return 0
        done = {"ran_until": now, "next_at": now + EVERY[rule]}
        self._schedule.update_one({"_id": rule}, {"$set": done})
        return raised

    def detect(self, rule: str, since: datetime, until: datetime) -> int:
        """Every finding of the range has a review; returns how many reviews are new."""
        given = {"from": since.isoformat(), "until": until.isoformat()}
        findings = running.findings_between(self._room, rule, given, until)
        rows = {row["_id"]: row for row in self._room.finds.of_numbers([one.number for one in findings])}
        grouped: dict[tuple[str, str], list[int]] = defaultdict(list)
        for one in findings:
            row = rows.get(one.number, {})
            actor = str(row.get("a", ""))
            grouped[self._about(rule, one, actor, row.get("t", until)), actor].append(one.number)
        raised = 0
        with telemetry.correlated(""):
            for (about, actor), numbers in sorted(grouped.items()):
                raised += self._room.reviews.raise_one(
                    rule,
                    about,
                    actor=actor,
                    numbers=numbers,
                    caller=DETECTOR,
                    cause=telemetry.current_cause(),
                )
        if raised:
            log.warning("detection raised reviews", rule=rule, count=raised)
        return raised

    @staticmethod
    def _about(rule: str, one: Finding, actor: str, moment: datetime) -> str:
        return str(one.number) if rule in _ONE_BY_ONE else f"{actor} {moment.date().isoformat()}"

    def _claim(self, rule: str, now: datetime) -> dict[str, datetime] | None:
        due = {"_id": rule, "next_at": {"$lte": now}}
        lease = {"$set": {"next_at": now + _LEASE}}
        found = self._schedule.find_one_and_update(due, lease, return_document=ReturnDocument.BEFORE)
        if found is not None:
            return dict(found)
        try:
            self._schedule.insert_one({"_id": rule, "next_at": now + _LEASE})
        except DuplicateKeyError:
            return None
        return {}
