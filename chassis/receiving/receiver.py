"""The way of a message from the broker to its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import DecodeError
from pymongo.database import Database

from chassis import logs, metrics, out_of_memory
from chassis.at_rest import AtRest
from chassis.catalog import UnknownEventType
from chassis.clock import Clock
from chassis.delivery import Delivery
from chassis.envelope import Envelope, Undecodable, from_amqp
from chassis.errors import WORKER_END, End, Kind, Refusal
from chassis.gathering import Unit, Work
from chassis.hearing import Heard, Listening, ears_of
from chassis.mongo import is_outside_trouble
from chassis.parked import Reason
from chassis.receiving.calling import call, heard
from chassis.receiving.ends import Ends, last_reason, place
from chassis.receiving.sitting import Abandoned, Patience, Sitting
from chassis.retries import RetryPolicy, Starts, Waiting

# An event is a few kilobytes; a larger body is somebody's accident and is not parsed.
MAX_EVENT_BYTES = 1_000_000
# Why the broker made a dead letter of it: it was delivered more often than the queue's delivery-limit.
_COUNTED_OUT = "delivery_limit"
_UNSORTED = (Reason.BUG, "unsorted")
log = logs.get()


class Receiver:
    """Brings the messages of one service to their ends."""

    def __init__(
        self,
        worker: Any,
        *,
        database: Database[dict[str, Any]],
        clock: Clock,
        cipher: AtRest,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.worker = worker
        self.service: str = worker.name
        self.ears = ears_of(type(worker))
        self.policy = policy or RetryPolicy()
        self.ends = Ends(database, self.service, clock, cipher, self.policy)
        self.starts = Starts(database, clock)
        self._patience = Patience(self.service, self.policy)

    def prepare(self) -> None:
        """The collections have their indexes; needs the database, safe to repeat."""
        self.ends.ensure_indexes()
        self.starts.ensure_indexes()

    def sort(self, delivery: Delivery) -> Unit:
        """Which listener a message is for, from its headers alone; never raises."""
        if delivery.is_dead:
            return Unit(delivery, fault=(Reason.DELIVERY_LIMIT, "broker"))
        if len(delivery.body) > MAX_EVENT_BYTES:
            return Unit(delivery, fault=(Reason.TOO_LARGE, "body"))
        try:
            envelope = from_amqp(delivery.properties, delivery.headers, delivery.body)
            _refuse_unwritable(envelope)
        except Undecodable as exc:
            return Unit(delivery, fault=(Reason.UNDECODABLE, exc.reason))
        listening = self.ears.listening(envelope.type)
        if listening is None:
            return Unit(delivery, envelope, fault=(Reason.UNKNOWN_TYPE, "type"))
        return Unit(delivery, envelope, listening)

    def take(self, work: Work, sitting: Sitting) -> None:
        """Every unit of the work reaches its end, or its connection does; never raises an Exception.

        An answer goes to the broker only after the end is stored.
        """
        try:
            self._take(work, sitting)
        except Abandoned:
            log.info("bus.abandoned", service=self.service, count=len(work.units))
        except Exception as exc:  # noqa: BLE001  an end for every message, also where this file is wrong
            out_of_memory.end_if_meant(exc)
            log.error("bus.receiver-failed", service=self.service, **logs.described(exc))
            self._park_rest(work, place(exc), sitting)

    def retry_due(self, sitting: Sitting, limit: int = 50) -> int:
        """Events that waited as rows and are due get their next try; returns how many there were."""
        count = 0
        for waiting in self.ends.retries.due(limit):
            count += 1
            try:
                self._try_row(waiting, sitting)
            except Abandoned:
                break
        return count

    def measure(self) -> None:
        """The gauges of what is parked and what waits are up to date."""
        metrics.PARKED_EVENTS.labels(self.service).set(self.ends.parked.count())
        metrics.RETRY_ROWS.labels(self.service).set(self.ends.retries.count())

    def _take(self, work: Work, sitting: Sitting) -> None:
        if work.listening is None:
            for unit in work.units:
                if not self._is_worth_a_start(unit):
                    self.ends.park(unit, *(unit.fault or _UNSORTED), sitting)
                else:
                    self.ends.later(unit, Reason.DELIVERY_LIMIT, sitting)
        elif work.is_suspect:
            self._take_suspects(work.listening, work.units, sitting)
        else:
            self._run(work.listening, work.units, sitting)

    def _is_worth_a_start(self, unit: Unit) -> bool:
        """True for a dead letter that somebody hears and nobody may ever have started; the unit then says who hears it.

        The broker counts every delivery that came back, also of what only waited in a worker's hand when its
        connection broke: ten connections lost in a row made dead letters of hundreds of events that nothing was wrong
        with.  As a row such an event is started like any other, and one that kills the process is found out there.
        """
        if unit.delivery.headers.get("x-first-death-reason") != _COUNTED_OUT:
            return False
        found = self.sort(replace(unit.delivery, is_dead=False))
        unit.envelope, unit.listening = found.envelope, found.listening
        return found.listening is not None

    def _park_rest(self, work: Work, detail: str, sitting: Sitting) -> None:
        try:
            for unit in work.units:
                if not unit.is_ended:
                    self.ends.park(unit, Reason.BUG, detail, sitting)
        except Abandoned:
            log.info("bus.abandoned", service=self.service, count=len(work.units))

    def _take_suspects(self, listening: Listening, units: Sequence[Unit], sitting: Sitting) -> None:
        """Redelivered messages: started only after a mark says so; the third start without an end is the last."""
        ids = [unit.envelope.id for unit in units if unit.envelope]
        known = self._patience.surely(lambda: self.starts.known(ids), units, sitting)
        if not known:
            self._patience.surely(lambda: self.starts.begin(ids), units, sitting)
            self._run(listening, units, sitting)
            self._patience.surely(lambda: self.starts.end(ids), units, sitting)
            return
        for unit in units:
            self._take_suspect(listening, unit, known, sitting)

    def _take_suspect(
        self, listening: Listening, unit: Unit, known: dict[str, int], sitting: Sitting
    ) -> None:
        event_id = unit.envelope.id if unit.envelope else ""
        if known.get(event_id, 0) >= self.policy.starts - 1:
            self.ends.park(unit, Reason.KILLS_PROCESS, listening.method, sitting)
        else:
            self._patience.surely(lambda: self.starts.begin([event_id]), [unit], sitting)
            self._run(listening, [unit], sitting)
        self._patience.surely(lambda: self.starts.end([event_id]), [unit], sitting)

    def _run(self, listening: Listening, units: Sequence[Unit], sitting: Sitting) -> None:
        """Tries until every unit has an end; a batch that fails is halved, so that only the culprit suffers."""
        units, heards = self._open(listening, units, sitting)
        began = time.monotonic()
        tries = 0
        while units:
            trouble = call(self.worker, self.service, listening, heards)
            if trouble is None:
                self.ends.handled(units, sitting)
                return
            is_outside = is_outside_trouble(trouble)
            if len(units) > 1 and not is_outside:
                middle = len(units) // 2
                self._run(listening, units[:middle], sitting)
                self._run(listening, units[middle:], sitting)
                return
            if not is_outside and not self._is_early(trouble, tries):
                self.ends.failed(units[0], trouble, sitting)
                return
            is_long = is_outside and time.monotonic() - began >= self.policy.in_place_s
            if is_long and self.ends.retried_all(units, Reason.UNAVAILABLE, sitting):
                return
            wait_s = self.policy.in_place_wait(tries) if is_outside else self.policy.quick_wait(tries)
            tries += 1
            self._patience.wait(wait_s, units, sitting)

    def _open(
        self, listening: Listening, units: Sequence[Unit], sitting: Sitting
    ) -> tuple[list[Unit], list[Heard]]:
        """Units whose data can be read, with what the listener gets; the others are parked."""
        opened: list[Unit] = []
        heards: list[Heard] = []
        for unit in units:
            try:
                heards.append(heard(listening, unit))
                opened.append(unit)
            except UnknownEventType:
                self.ends.park(unit, Reason.UNKNOWN_TYPE, "type", sitting)
            except DecodeError:
                self.ends.park(unit, Reason.UNDECODABLE, "data", sitting)
        return opened, heards

    def _is_early(self, trouble: Exception, tries: int) -> bool:
        """True where the same try in a moment may succeed."""
        return (
            isinstance(trouble, Refusal)
            and WORKER_END[trouble.kind] is End.RETRIED
            and tries < self.policy.quick_tries
        )

    def _try_row(self, waiting: Waiting, sitting: Sitting) -> None:
        """A row's next try: its row goes when it ends, and is due again later when it does not."""
        unit = self.sort(waiting.delivery)
        if unit.listening is None or waiting.unended >= self.policy.starts:
            fault = (Reason.KILLS_PROCESS, unit.listening.method) if unit.listening else unit.fault
            self.ends.park_row(unit, *(fault or _UNSORTED))
            self.ends.retries.done(waiting.event_id)
            return
        units, heards = self._open(unit.listening, [unit], sitting)
        trouble = call(self.worker, self.service, unit.listening, heards) if units else None
        if trouble is not None and self._is_worth_another(trouble, waiting.tries):
            code = trouble.code if isinstance(trouble, Refusal) else Reason.UNAVAILABLE
            self.ends.retries.again(waiting.event_id, code, self.policy.row_wait(waiting.tries))
            return
        if trouble is not None:
            self._end_row(unit, trouble)
        elif units:
            self.ends.count(unit, End.HANDLED)
        self.ends.retries.done(waiting.event_id)

    def _is_worth_another(self, trouble: Exception, tries: int) -> bool:
        if is_outside_trouble(trouble):
            return tries < self.policy.unavailable_rows
        if not isinstance(trouble, Refusal) or WORKER_END[trouble.kind] is not End.RETRIED:
            return False
        is_early = trouble.kind is Kind.TOO_EARLY
        return tries < (self.policy.too_early_rows if is_early else self.policy.unavailable_rows)

    def _end_row(self, unit: Unit, trouble: Exception) -> None:
        if isinstance(trouble, Refusal) and WORKER_END[trouble.kind] is End.HANDLED:
            self.ends.record_refusal(unit, trouble)
            self.ends.count(unit, End.HANDLED)
            return
        self.ends.report_bug(unit, trouble)
        self.ends.park_row(unit, last_reason(trouble), place(trouble))


def _refuse_unwritable(envelope: Envelope) -> None:
    """Raises Undecodable for text that no database takes (py-amqp lets lone surrogates through)."""
    texts = (
        envelope.id,
        envelope.source,
        envelope.aggregate_id,
        envelope.correlation_id,
        envelope.causation_id,
    )
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise Undecodable("text") from None
