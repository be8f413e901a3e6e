"""The check of the whole log as a deed: by whom, when, with which result; by the schedule where nobody asks for it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import Gauge
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from chassis import logs, telemetry
from chassis.access import provenance
from chassis.envelope import Cause
from chassis.errors import Refusal
from chassis.identity import Caller
from chassis.ids import new_id
from chassis.mongo import is_outside_trouble
from kindred.audit.v1.events_pb2 import LogChecked
from services.audit.custody import deeds
from services.audit.domain.report import Report
from services.audit.search import asked, finding
from services.audit.store.reviews import DETECTOR

if TYPE_CHECKING:
    from services.audit.bootstrap import Room
    from services.audit.reading_room import ReadingRoom

EVENT_TYPE = "log.checked.v1"
RULE = "log-check"
# Older than this the last check is said to be old, on the health page and by the gauge's alarm (docs/operations.md).
OLD_AFTER = timedelta(hours=36)
_MOST_CODES = 20
_LOOK_EVERY_S = 30.0
_LEASE = timedelta(hours=1)
_AGAIN = timedelta(minutes=5)
CHECK_AGE = Gauge(
    "kindred_audit_check_age_seconds", "Since the last whole check of the log; -1 before the first."
)
CHECK_FINDINGS = Gauge("kindred_audit_check_findings", "How many things the last whole check found wrong.")
log = logs.get()


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What the log itself says of its last whole check; `number` is the entry that says it."""

    number: int
    resource_id: str
    at: datetime
    actor: str
    is_whole: bool
    findings: int
    codes: str
    entries: int
    with_bodies: bool

    def is_old(self, now: datetime) -> bool:
        """Whether it was too long ago."""
        return now - self.at > OLD_AFTER


def check(room: Room, with_bodies: bool, caller: Caller, cause: Cause) -> Report:
    """What is wrong with the logs, by name and place; that it was asked, and what came of it, are entries."""
    started = time.monotonic()
    report = deeds.check_all(room, with_bodies, caller, cause)
    event = LogChecked(
        provenance=provenance(caller),
        is_whole=not report.findings,
        entries=report.tree_size,
        entries_checked=report.entries_checked,
        findings=len(report.findings),
        codes=sorted({each.code for each in report.findings})[:_MOST_CODES],
        with_bodies=with_bodies,
        milliseconds=int((time.monotonic() - started) * 1_000),
    )
    body = {"recorded_at": room.clock.now()}
    room.access.aggregates.insert(new_id("acc"), body, cause=cause, says=[event])
    return report


def last_check(room: ReadingRoom) -> LastCheck | None:
    """The newest entry that tells of a whole check; None before the first. Raises Refusal where nothing can be read."""
    wanted = asked.read([("event-type", EVENT_TYPE), ("_count", "1")], room.clock.now())
    size = finding.covered(room).size
    for row in room.finds.candidates(wanted, size, None):
        for hit in finding.opened(room, [row]):
            if hit.body is None:
                continue
            told = dict(hit.body.particulars)
            return LastCheck(
                number=hit.number,
                resource_id=str(hit.document["id"]),
                at=hit.recorded_at,
                actor=hit.body.actor_id,
                is_whole=told.get("is_whole") == "yes",
                findings=int(told.get("findings", "0")),
                codes=hit.body.reason,
                entries=int(told.get("entries", "0")),
                with_bodies=told.get("with_bodies") == "yes",
            )
    return None


class Checker:
    """Checks the whole log every so often until it is stopped; any number may run, each check is claimed by one."""

    def __init__(self, room: Room, reading: ReadingRoom) -> None:
        self._room, self._reading = room, reading
        self._every = timedelta(hours=room.settings.audit_check_every_hours)
        self._schedule = room.database["detections"]
        self._stopped = threading.Event()

    def run(self) -> None:
        """What is due is checked; how old the last check is, is measured."""
        while not self._stopped.wait(_LOOK_EVERY_S):
            try:
                self.turn()
            except Refusal as refusal:  # the log has not begun
                log.info("the log was not checked", code=refusal.code)
            except Exception as error:
                if not is_outside_trouble(error):
                    raise
                log.warning("the log was not checked: something is away", error=logs.type_name(error))

    def stop(self) -> None:
        """No further check begins."""
        self._stopped.set()

    def turn(self) -> bool:
        """True where a check was due and this process made it; a log that is not whole is a case for an officer."""
        self._measure()
        if not self._every or not self._claim():
            return False
        now = self._room.clock.now()
        with telemetry.correlated(""):
            cause = telemetry.current_cause()
            report = check(self._room, True, DETECTOR, cause)
            if report.findings:
                numbers = sorted({each.index for each in report.findings if each.index >= 0})
                day = now.date().isoformat()
                self._reading.reviews.raise_one(
                    RULE, day, actor="", numbers=numbers, caller=DETECTOR, cause=cause
                )
                log.critical("the audit log is not whole", count=len(report.findings))
        self._schedule.update_one({"_id": RULE}, {"$set": {"next_at": now + self._every}})
        return True

    def _measure(self) -> None:
        last = last_check(self._reading)
        CHECK_AGE.set((self._room.clock.now() - last.at).total_seconds() if last else -1)
        CHECK_FINDINGS.set(last.findings if last else 0)

    def _claim(self) -> bool:
        """True for one process when a check is due: the first a while after the log was first seen."""
        now = self._room.clock.now()
        due, lease = {"_id": RULE, "next_at": {"$lte": now}}, {"$set": {"next_at": now + _LEASE}}
        if self._schedule.find_one_and_update(due, lease, return_document=ReturnDocument.BEFORE):
            return True
        if self._schedule.find_one({"_id": RULE}, {"_id": 1}) is None:
            try:
                self._schedule.insert_one({"_id": RULE, "next_at": now + _AGAIN})
            except DuplicateKeyError:
                log.debug("another process plans the checks")
        return False
