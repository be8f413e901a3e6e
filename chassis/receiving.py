"""What happens to a message: decoded, handed to its listener, and brought to exactly one of the three ends.

Knows no framework: a host gives it work in any thread or greenlet and is told, message by message, what to answer
the broker (RELIABILITY, "The three ends").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol

from google.protobuf.message import DecodeError
from pymongo.database import Database

from chassis import catalog, logs, metrics, telemetry
from chassis.at_rest import AtRest
from chassis.catalog import UnknownEventType
from chassis.clock import Clock
from chassis.delivery import Delivery
from chassis.envelope import Cause, Undecodable, from_amqp
from chassis.errors import WORKER_END, End, Kind, Refusal
from chassis.failpoints import failpoint
from chassis.gathering import Unit, Work
from chassis.hearing import EVERYTHING, Heard, Listening, ears_of
from chassis.mongo import is_outside_trouble
from chassis.parked import ParkedEvents, Reason
from chassis.retries import RetryEvents, RetryPolicy, Starts, Waiting

# An event is a few kilobytes; a larger body is somebody's accident and is not parsed.
MAX_EVENT_BYTES = 1_000_000
_SLICE_S = 0.25
log = logs.get()


class Answer(Enum):
    """What the host tells the broker. Requeueing is by reject, never by nack (RELIABILITY, "consumer")."""

    ACK = "ack"
    TO_DEAD_LETTERS = "reject"


class Sitting(Protocol):
    """What the receiver needs from its host while it works."""

    def answer(self, unit: Unit, answer: Answer) -> None:
        """Tell the broker, soon; any thread may call this."""

    def is_over(self, unit: Unit) -> bool:
        """True where the message's connection is gone or the process stops: no end is wanted any more."""


class _Abandoned(Exception):  # noqa: N818
    """The message will come again over another connection, or to another process."""


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
        self.parked = ParkedEvents(database, self.service, clock, cipher)
        self.retries = RetryEvents(database, clock, cipher)
        self.starts = Starts(database, clock)
        self.refused = database["refused_events"]
        self._clock = clock

    def prepare(self) -> None:
        """The collections have their indexes; needs the database, safe to repeat."""
        self.parked.ensure_indexes()
        self.retries.ensure_indexes()
        self.starts.ensure_indexes()
        self.refused.create_index("at", expireAfterSeconds=90 * 86_400, name="forget")

    def sort(self, delivery: Delivery) -> Unit:
        """Which listener a message is for, from its headers alone; never raises."""
        if delivery.is_dead:
            return Unit(delivery, fault=(Reason.DELIVERY_LIMIT, "broker"))
        if len(delivery.body) > MAX_EVENT_BYTES:
            return Unit(delivery, fault=(Reason.TOO_LARGE, "body"))
        try:
            envelope = from_amqp(delivery.properties, delivery.headers, delivery.body)
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
            if work.listening is None:
                for unit in work.units:
                    self._park(unit, *(unit.fault or (Reason.BUG, "unsorted")), sitting)
            elif work.is_suspect:
                self._take_suspects(work, sitting)
            else:
                self._run(work.listening, work.units, sitting)
        except _Abandoned:
            log.info("bus.abandoned", service=self.service, count=len(work.units))
        except Exception as exc:  # noqa: BLE001  the broker keeps what has no answer
            log.error("bus.receiver-failed", service=self.service, **logs.described(exc))

    def retry_due(self, sitting: Sitting, limit: int = 50) -> int:
        """Events that waited as rows and are due get their next try; returns how many there were."""
        count = 0
        for waiting in self.retries.due(limit):
            count += 1
            self._try_row(waiting, sitting)
        return count

    def measure(self) -> None:
        """The gauges of what is parked and what waits are up to date."""
        metrics.PARKED_EVENTS.labels(self.service).set(self.parked.count())
        metrics.RETRY_ROWS.labels(self.service).set(self.retries.count())

    # -- one work ----------------------------------------------------------------------------------------

    def _take_suspects(self, work: Work, sitting: Sitting) -> None:
        """Redelivered messages: started only after a mark says so; the third start without an end is the last."""
        listening = work.listening
        if listening is None:
            raise ValueError("a suspect without a listener")
        ids = [unit.envelope.id for unit in work.units if unit.envelope]
        known = self._surely(lambda: self.starts.known(ids), work.units, sitting)
        if not known:
            self._surely(lambda: self.starts.begin(ids), work.units, sitting)
            self._run(listening, work.units, sitting)
            self._surely(lambda: self.starts.end(ids), work.units, sitting)
            return
        for unit in work.units:
            self._take_suspect(listening, unit, known, sitting)

    def _take_suspect(
        self, listening: Listening, unit: Unit, known: dict[str, int], sitting: Sitting
    ) -> None:
        event_id = unit.envelope.id if unit.envelope else ""
        if known.get(event_id, 0) >= self.policy.starts - 1:
            self._park(unit, Reason.KILLS_PROCESS, listening.method, sitting)
        else:
            self._surely(lambda: self.starts.begin([event_id]), [unit], sitting)
            self._run(listening, [unit], sitting)
        self._surely(lambda: self.starts.end([event_id]), [unit], sitting)

    def _run(self, listening: Listening, units: Sequence[Unit], sitting: Sitting) -> None:
        """Tries until every unit has an end; a batch that fails is halved, so that only the culprit suffers."""
        units, heards = self._open(listening, units, sitting)
        if not units:
            return
        began = time.monotonic()
        tries = 0
        while True:
            trouble = self._attempt(listening, heards)
            if trouble is None:
                self._end(units, End.HANDLED, sitting)
                return
            is_outside = is_outside_trouble(trouble)
            if len(units) > 1 and not is_outside:
                middle = len(units) // 2
                self._run(listening, units[:middle], sitting)
                self._run(listening, units[middle:], sitting)
                return
            if not is_outside and not self._is_early(trouble, tries):
                self._end_failed(units[0], trouble, sitting)
                return
            is_long = is_outside and time.monotonic() - began >= self.policy.in_place_s
            if is_long and self._keep_all(units, "unavailable"):
                self._end(units, End.RETRIED, sitting)
                return
            wait_s = self.policy.in_place_wait(tries) if is_outside else self.policy.quick_wait(tries)
            tries += 1
            self._wait(wait_s, units, sitting)

    def _open(
        self, listening: Listening, units: Sequence[Unit], sitting: Sitting
    ) -> tuple[list[Unit], list[Heard]]:
        """Units whose data can be read, with what the listener gets; the others are parked."""
        opened: list[Unit] = []
        heards: list[Heard] = []
        for unit in units:
            try:
                heards.append(self._heard(listening, unit))
                opened.append(unit)
            except UnknownEventType:
                self._park(unit, Reason.UNKNOWN_TYPE, "type", sitting)
            except DecodeError:
                self._park(unit, Reason.UNDECODABLE, "data", sitting)
        return opened, heards

    def _heard(self, listening: Listening, unit: Unit) -> Heard:
        envelope = unit.envelope
        if envelope is None:
            raise DecodeError
        message = None
        try:
            message = catalog.message_class(envelope.type).FromString(envelope.data)
        except UnknownEventType:
            if listening.event_type != EVERYTHING:
                raise
        if message is not None and not message.HasField("provenance"):
            raise DecodeError  # every event says who caused it; data of another type, or none, does not
        return Heard(envelope, message, envelope.cause(), unit.delivery.redelivered)

    def _attempt(self, listening: Listening, heards: Sequence[Heard]) -> Exception | None:
        method = getattr(self.worker, listening.method)
        started = time.perf_counter()
        try:
            if listening.is_batch:
                metrics.BUS_BATCH_SIZE.labels(self.service, listening.method).observe(len(heards))
                _call_batch(method, listening, heards)
            else:
                _call_single(method, heards[0])
        except Exception as exc:  # noqa: BLE001  every error of a listener has an end
            return exc
        finally:
            metrics.BUS_HANDLER_SECONDS.labels(self.service, listening.method).observe(
                time.perf_counter() - started
            )
        failpoint("worker.after_handler_before_answer")
        return None

    # -- the ends ----------------------------------------------------------------------------------------

    def _is_early(self, trouble: Exception, tries: int) -> bool:
        """True where the same try in a moment may succeed."""
        return (
            isinstance(trouble, Refusal)
            and WORKER_END[trouble.kind] is End.RETRIED
            and tries < self.policy.quick_tries
        )

    def _end_failed(self, unit: Unit, trouble: Exception, sitting: Sitting) -> None:
        if not isinstance(trouble, Refusal):
            self._report_bug(unit, trouble)
            self._park(unit, Reason.BUG, _place(trouble), sitting)
        elif WORKER_END[trouble.kind] is End.HANDLED:
            self._surely(lambda: self._record_refusal(unit, trouble), [unit], sitting)
            self._end([unit], End.HANDLED, sitting)
        else:
            self._surely(lambda: self._keep(unit, trouble.code), [unit], sitting)
            self._end([unit], End.RETRIED, sitting)

    def _end(self, units: Sequence[Unit], end: End, sitting: Sitting) -> None:
        for unit in units:
            metrics.BUS_ENDS.labels(self.service, unit.event_type(), end.value).inc()
            sitting.answer(unit, Answer.ACK)

    def _park(self, unit: Unit, reason: str, detail: str, sitting: Sitting) -> None:
        try:
            self._surely(lambda: self.parked.park(unit.delivery, reason, detail), [unit], sitting)
        except _Abandoned:
            raise
        except Exception as exc:  # noqa: BLE001  what cannot even be parked stays with the broker
            log.error("bus.park-failed", service=self.service, **logs.described(exc))
            if not unit.delivery.is_dead:
                sitting.answer(unit, Answer.TO_DEAD_LETTERS)
            return
        log.error(
            "bus.parked", service=self.service, reason_code=str(reason), event_id=unit.delivery.event_id()
        )
        metrics.BUS_ENDS.labels(self.service, unit.event_type(), End.PARKED.value).inc()
        sitting.answer(unit, Answer.ACK)

    def _record_refusal(self, unit: Unit, refusal: Refusal) -> None:
        envelope = unit.envelope
        if envelope is None:
            return
        self.refused.update_one(
            {"_id": envelope.id},
            {
                "$setOnInsert": {
                    "type": envelope.type,
                    "code": refusal.code,
                    "kind": refusal.kind.value,
                    "facts": refusal.facts,
                    "at": self._clock.now(),
                }
            },
            upsert=True,
        )

    def _report_bug(self, unit: Unit, trouble: Exception) -> None:
        event_id = unit.envelope.id if unit.envelope else ""
        log.error("bus.listener-failed", service=self.service, event_id=event_id, **logs.described(trouble))

    # -- rows that wait ----------------------------------------------------------------------------------

    def _keep(self, unit: Unit, code: str) -> None:
        event_id = unit.envelope.id if unit.envelope else unit.delivery.fingerprint()
        self.retries.keep(event_id, unit.delivery, code, self.policy.row_wait(0))

    def _keep_all(self, units: Sequence[Unit], code: str) -> bool:
        """False where the rows cannot be written now: then it is the database that is away."""
        try:
            for unit in units:
                self._keep(unit, code)
        except Exception as exc:
            if not is_outside_trouble(exc):
                raise
            return False
        return True

    def _try_row(self, waiting: Waiting, sitting: Sitting) -> None:
        unit = self.sort(waiting.delivery)
        if unit.listening is None:
            self.parked.park(unit.delivery, *(unit.fault or (Reason.BUG, "unsorted")))
            self.retries.done(waiting.event_id)
            return
        units, heards = self._open(unit.listening, [unit], sitting)
        trouble = self._attempt(unit.listening, heards) if units else None
        if trouble is not None and self._is_worth_another(trouble, waiting.tries):
            code = trouble.code if isinstance(trouble, Refusal) else "unavailable"
            self.retries.again(waiting.event_id, code, self.policy.row_wait(waiting.tries))
            return
        if trouble is not None:
            self._end_row(unit, trouble)
        elif units:
            metrics.BUS_ENDS.labels(self.service, unit.event_type(), End.HANDLED.value).inc()
        self.retries.done(waiting.event_id)

    def _is_worth_another(self, trouble: Exception, tries: int) -> bool:
        if is_outside_trouble(trouble):
            return tries < self.policy.unavailable_rows
        if not isinstance(trouble, Refusal) or WORKER_END[trouble.kind] is not End.RETRIED:
            return False
        is_early = trouble.kind is Kind.TOO_EARLY
        return tries < (self.policy.too_early_rows if is_early else self.policy.unavailable_rows)

    def _end_row(self, unit: Unit, trouble: Exception) -> None:
        if isinstance(trouble, Refusal) and WORKER_END[trouble.kind] is End.HANDLED:
            self._record_refusal(unit, trouble)
            metrics.BUS_ENDS.labels(self.service, unit.event_type(), End.HANDLED.value).inc()
            return
        reason = Reason.BUG
        if isinstance(trouble, Refusal):
            reason = Reason.TOO_EARLY if trouble.kind is Kind.TOO_EARLY else Reason.UNAVAILABLE
        elif is_outside_trouble(trouble):
            reason = Reason.UNAVAILABLE
        self._report_bug(unit, trouble)
        self.parked.park(unit.delivery, reason, _place(trouble))
        metrics.BUS_ENDS.labels(self.service, unit.event_type(), End.PARKED.value).inc()

    # -- waiting -----------------------------------------------------------------------------------------

    def _surely(self, write: Callable[[], Any], units: Sequence[Unit], sitting: Sitting) -> Any:
        """Repeats the write until the database takes it; raises _Abandoned where no end is wanted any more."""
        tries = 0
        while True:
            try:
                return write()
            except Exception as exc:
                if not is_outside_trouble(exc):
                    raise
            self._wait(self.policy.in_place_wait(tries), units, sitting)
            tries += 1

    def _wait(self, seconds: float, units: Sequence[Unit], sitting: Sitting) -> None:
        until = time.monotonic() + seconds
        with metrics.BUS_WAITING.labels(self.service).track_inprogress():
            while (left := until - time.monotonic()) > 0:
                if all(sitting.is_over(unit) for unit in units):
                    raise _Abandoned
                time.sleep(min(left, _SLICE_S))
        if all(sitting.is_over(unit) for unit in units):
            raise _Abandoned


def _call_single(method: Callable[[Heard], None], heard: Heard) -> None:
    envelope = heard.envelope
    with (
        telemetry.continue_trace(envelope.traceparent),
        telemetry.correlated(envelope.correlation_id),
        telemetry.span(f"hear {envelope.type}", event_id=envelope.id, event_type=envelope.type),
    ):
        method(_in_trace(heard))


def _call_batch(
    method: Callable[[Sequence[Heard]], None], listening: Listening, heards: Sequence[Heard]
) -> None:
    """Each event keeps its own trace; the batch as a whole is a span of its own."""
    traced = []
    for heard in heards:
        with (
            telemetry.continue_trace(heard.envelope.traceparent),
            telemetry.span(f"hear {heard.envelope.type}", event_id=heard.envelope.id),
        ):
            traced.append(_in_trace(heard))
    with (
        telemetry.continue_trace(""),
        telemetry.span(f"batch {listening.method}", count=len(heards)),
    ):
        method(traced)


def _in_trace(heard: Heard) -> Heard:
    """The event with the current span as the cause of what is written because of it."""
    cause = heard.cause
    traceparent = telemetry.current_traceparent() or cause.traceparent
    return Heard(
        heard.envelope,
        heard.message,
        Cause(cause.correlation_id, cause.event_id, traceparent),
        heard.redelivered,
    )


def _place(error: BaseException) -> str:
    """Where and of which type, without a value: a refusal's code is stable, an error's text is not ours."""
    code = f" {error.code}" if isinstance(error, Refusal) else ""
    return f"{logs.where(error)} {logs.type_name(error)}{code}"
