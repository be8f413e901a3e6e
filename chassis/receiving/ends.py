"""The three ends of a message, each stored before the broker is told.

handled (a domain refusal is handled, and recorded), retried (a row that waits), parked (kept whole).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pymongo.database import Database

from chassis import logs, metrics
from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.errors import WORKER_END, End, Kind, Refusal
from chassis.gathering import Unit
from chassis.mongo import is_outside_trouble
from chassis.parked import ParkedEvents, Reason
from chassis.receiving.sitting import Abandoned, Answer, Patience, Sitting
from chassis.retries import RetryEvents, RetryPolicy

_REFUSALS_KEPT_S = 90 * 86_400
log = logs.get()


class Ends:
    """Stores the ends of one service's messages and tells the broker."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        service: str,
        clock: Clock,
        cipher: AtRest,
        policy: RetryPolicy,
    ) -> None:
        self.parked = ParkedEvents(database, service, clock, cipher)
        self.retries = RetryEvents(database, clock, cipher)
        self._refused = database["refused_events"]
        self._service = service
        self._clock = clock
        self._policy = policy
        self._patience = Patience(service, policy)

    def ensure_indexes(self) -> None:
        """The collections of every end have their indexes; refusals are forgotten after 90 days."""
        self.parked.ensure_indexes()
        self.retries.ensure_indexes()
        self._refused.create_index("at", expireAfterSeconds=_REFUSALS_KEPT_S, name="forget")

    def handled(self, units: Sequence[Unit], sitting: Sitting) -> None:
        """Their effect is stored: the broker may forget them."""
        for event_type, number in Counter(unit.event_type() for unit in units).items():
            metrics.BUS_ENDS.labels(self._service, event_type, End.HANDLED.value).inc(number)
        for unit in units:
            unit.is_ended = True
            sitting.answer(unit, Answer.ACK)

    def failed(self, unit: Unit, trouble: Exception, sitting: Sitting) -> None:
        """One message ends the way its trouble says: a refusal is recorded or waits as a row, a bug is parked."""
        if not isinstance(trouble, Refusal):
            self.report_bug(unit, trouble)
            self.park(unit, Reason.BUG, place(trouble), sitting)
        elif WORKER_END[trouble.kind] is End.HANDLED:
            self._patience.surely(lambda: self.record_refusal(unit, trouble), [unit], sitting)
            self._tell(unit, End.HANDLED, sitting)
        else:
            self.later(unit, trouble.code, sitting)

    def later(self, unit: Unit, code: str, sitting: Sitting) -> None:
        """One message waits as a row, as soon as a row can be written."""
        self._patience.surely(lambda: self.keep(unit, code), [unit], sitting)
        self._tell(unit, End.RETRIED, sitting)

    def retried_all(self, units: Sequence[Unit], code: str, sitting: Sitting) -> bool:
        """All wait as rows; False where the rows cannot be written now: then it is the database that is away."""
        try:
            for unit in units:
                self.keep(unit, code)
        except Exception as exc:
            if not is_outside_trouble(exc):
                raise
            return False
        for unit in units:
            self._tell(unit, End.RETRIED, sitting)
        return True

    def park(self, unit: Unit, reason: str, detail: str, sitting: Sitting) -> None:
        """The message is kept whole; where even that fails, the broker keeps it among the dead letters."""
        try:
            self._patience.surely(lambda: self.parked.park(unit.delivery, reason, detail), [unit], sitting)
        except Abandoned:
            raise
        except Exception as exc:  # noqa: BLE001  what cannot even be parked stays with the broker
            log.error("bus.park-failed", service=self._service, **logs.described(exc))
            unit.is_ended = True
            if not unit.delivery.is_dead:
                sitting.answer(unit, Answer.TO_DEAD_LETTERS)
            return
        self._log_parked(unit, reason)
        self._tell(unit, End.PARKED, sitting)

    def park_row(self, unit: Unit, reason: str, detail: str) -> None:
        """A message that waited as a row is parked; raises what the database raises."""
        self.parked.park(unit.delivery, reason, detail)
        self._log_parked(unit, reason)
        self.count(unit, End.PARKED)

    def keep(self, unit: Unit, code: str) -> None:
        """The message waits as a row."""
        event_id = unit.envelope.id if unit.envelope else unit.delivery.fingerprint()
        self.retries.keep(event_id, unit.delivery, code, self._policy.row_wait(0))

    def record_refusal(self, unit: Unit, refusal: Refusal) -> None:
        """The domain's "no" is on record, once."""
        if unit.envelope is None:
            return
        row = {
            "type": unit.envelope.type,
            "code": refusal.code,
            "kind": refusal.kind.value,
            "facts": refusal.facts,
            "at": self._clock.now(),
        }
        self._refused.update_one({"_id": unit.envelope.id}, {"$setOnInsert": row}, upsert=True)

    def report_bug(self, unit: Unit, trouble: Exception) -> None:
        """Somebody will want to mend it: where, and which type, never a value."""
        event_id = unit.envelope.id if unit.envelope else ""
        log.error("bus.listener-failed", service=self._service, event_id=event_id, **logs.described(trouble))

    def count(self, unit: Unit, end: End) -> None:
        """The metric of the ends goes up."""
        metrics.BUS_ENDS.labels(self._service, unit.event_type(), end.value).inc()

    def _tell(self, unit: Unit, end: End, sitting: Sitting) -> None:
        unit.is_ended = True
        self.count(unit, end)
        sitting.answer(unit, Answer.ACK)

    def _log_parked(self, unit: Unit, reason: str) -> None:
        event_id = unit.delivery.event_id()
        log.error("bus.parked", service=self._service, reason_code=str(reason), event_id=event_id)


def last_reason(trouble: Exception) -> Reason:
    """Why a message whose tries are used up is parked."""
    if isinstance(trouble, Refusal):
        return Reason.TOO_EARLY if trouble.kind is Kind.TOO_EARLY else Reason.UNAVAILABLE
    return Reason.UNAVAILABLE if is_outside_trouble(trouble) else Reason.BUG


def place(error: BaseException) -> str:
    """Where and of which type, without a value: a refusal's code is stable, an error's text is not ours."""
    code = f" {error.code}" if isinstance(error, Refusal) else ""
    return f"{logs.where(error)} {logs.type_name(error)}{code}"
