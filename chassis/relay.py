"""The relay: collects what aggregates have said, publishes it with confirms, and only then marks it published.

Runs in a thread of `api` or as the role `relay`, never under eventlet and never in a request's path.
Whatever dies between two steps, an event is published at least once and its number is used exactly once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import amqp
from pymongo.database import Database
from pymongo.errors import PyMongoError

from chassis import logs, metrics, out_of_memory, topology
from chassis.clock import Clock, SystemClock
from chassis.envelope import to_amqp
from chassis.failpoints import failpoint
from chassis.ids import new_id
from chassis.mongo import is_outside_trouble
from chassis.outbox import Outbox, envelope_of
from chassis.publishing import WINDOW, Outcome, Outgoing, Publisher
from chassis.retries import jittered

BATCH = 200
# A round costs a transaction and four more commands, whatever it carries. After one that carried little the next one
# waits, so that it carries more: an event waits at most this long for its company, and a lone one not at all.
_FEW = 25  # an event that is collected and published in one round counts twice
_GATHER_S = 0.02
_BUSY_WAIT_S = 0.02
_IDLE_WAIT_S = 1.0
_IDLE_WAIT_WITHOUT_DOORBELL_S = 0.25
# The doorbell makes the database look at every write of every service (a tenth of its work when all are busy). So a
# relay that has moved something in this many rounds of the last second goes and looks by itself.
_BUSY_ROUNDS = 12
_BUSY_WITHIN_S = 1.0
_BUSY_LONGEST_WAIT_S = 0.05
_LONGEST_TROUBLE_WAIT_S = 5.0
_LEASE_S = 5.0
_LEASE_EVERY_S = 1.0
_MEASURE_EVERY_S = 5.0
_LONGEST_HOLD_S = 30.0
_STREAM_WAIT_MS = 1_000
log = logs.get()


class Relay:
    """Carries the events of one service from its database to the broker."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        *,
        collections: Sequence[str],
        amqp_uri: str,
        producer: str,
        clock: Clock | None = None,
        lease_s: float = _LEASE_S,
        publisher: Publisher | None = None,
    ) -> None:
        self.outbox = Outbox(database, collections, producer, clock or SystemClock())
        self._database = database
        self._producer = producer
        self._publisher = publisher or Publisher(amqp_uri, prepare=topology.expect_events)
        self._holder = new_id("relay")
        self._lease_s = lease_s
        self._leased_at = -lease_s
        self._measured_at = 0.0
        self._bell = threading.Event()
        self._moving: deque[float] = deque(maxlen=_BUSY_ROUNDS)
        self._longest_idle_s = _IDLE_WAIT_WITHOUT_DOORBELL_S
        self._is_stopping = False
        self._window = WINDOW
        self._trouble_count = 0
        self._deaf_count = 0

    def run(self) -> None:
        """Relays until stopped; trouble outside is waited out, and never raised."""
        threading.Thread(target=self._listen, name="relay-doorbell", daemon=True).start()
        idle_s = _BUSY_WAIT_S
        is_prepared = False
        while not self._is_stopping:
            self._bell.clear()  # what was rung for until now, this round finds
            try:
                if not is_prepared:
                    self.outbox.ensure_indexes()
                    is_prepared = True
                moved = self.step()
                self._trouble_count = 0
            except Exception as exc:  # noqa: BLE001  the relay goes on as long as its process does
                self._note(exc)
                continue
            if moved:
                self._moving.append(time.monotonic())
                idle_s = _BUSY_WAIT_S
                if moved < _FEW:
                    time.sleep(_GATHER_S)
                continue
            idle_s = _BUSY_WAIT_S if self._bell.wait(idle_s) else min(self._longest_idle_s, idle_s * 1.5)
        self._leave()

    def ring(self) -> None:
        """There is something to relay; it would be found anyway, only a little later."""
        self._bell.set()

    def stop(self) -> None:
        """`run` returns within seconds, also with the broker frozen."""
        self._is_stopping = True
        self._bell.set()

    def replay(self, since: datetime) -> int:
        """Everything published from `since` on is published once more; returns how many events that is."""
        count = self.outbox.republish(since)
        self.ring()
        return count

    def step(self) -> int:
        """One round: collect, publish, mark; returns how many events moved. Raises what went wrong."""
        self._publisher.keep_alive()
        if not self._has_lease():
            self._forget_measures()
            return 0
        self._measure()
        collected = self.outbox.collect(BATCH)
        failpoint("relay.after_collect_before_publish")
        rows = self.outbox.sendable(BATCH)
        if not rows:
            return collected
        return collected + self._publish(rows)

    @staticmethod
    def outgoing(row: dict[str, Any]) -> Outgoing:
        """A row of the outbox as a message; messages of one aggregate keep their order."""
        envelope = envelope_of(row)
        properties, headers = to_amqp(envelope)
        return Outgoing(
            key=envelope.id,
            line=envelope.aggregate_id,
            exchange=topology.EVENTS.name,
            routing_key=envelope.type,
            properties=properties,
            headers=headers,
            body=envelope.data,
        )

    def _publish(self, rows: list[dict[str, Any]]) -> int:
        outcome = self._publisher.publish([self.outgoing(row) for row in rows], window=self._window)
        failpoint("relay.after_publish_before_mark")
        self.outbox.mark_published(outcome.confirmed)
        metrics.RELAY_PUBLISHED.labels(self._producer).inc(len(outcome.confirmed))
        self._hold(rows, outcome)
        if outcome.trouble is None:
            self._window = WINDOW
            return len(outcome.confirmed)
        # One of them may be what the broker closes the channel for: next time one by one, so that it is found.
        self._window = 1 if isinstance(outcome.trouble, amqp.ChannelError) else WINDOW
        raise outcome.trouble

    def _hold(self, rows: list[dict[str, Any]], outcome: Outcome) -> None:
        if not outcome.refused:
            return
        tries = {row["_id"]: row.get("tries", 0) for row in rows}
        self.outbox.hold(
            {
                event_id: (reason, jittered(1.0, tries[event_id], _LONGEST_HOLD_S))
                for event_id, reason in outcome.refused.items()
            }
        )
        metrics.RELAY_HELD.labels(self._producer).set(self.outbox.held_count())
        log.error(
            "relay.held",
            service=self._producer,
            count=len(outcome.refused),
            reason_codes=sorted(set(outcome.refused.values())),
        )

    def _has_lease(self) -> bool:
        now = time.monotonic()
        if now - self._leased_at < _LEASE_EVERY_S:
            return True
        if not self.outbox.take_lease(self._holder, self._lease_s):
            return False
        self._leased_at = now
        return True

    def _measure(self) -> None:
        now = time.monotonic()
        if now - self._measured_at < _MEASURE_EVERY_S:
            return
        self._measured_at = now
        metrics.RELAY_LAG_SECONDS.labels(self._producer).set(self.outbox.lag_s())
        metrics.RELAY_HELD.labels(self._producer).set(self.outbox.held_count())
        # The worker says it too; of a worker that is dead nobody else could say how much waits for it.
        for queue, depth in self._publisher.depths(topology.queues_of(self._producer)).items():
            metrics.QUEUE_DEPTH.labels(self._producer, queue).set(depth)

    def _forget_measures(self) -> None:
        """Another relay of the service measures: what this one saw last is no alarm for ever."""
        if not self._measured_at:
            return
        self._measured_at = 0.0
        for gauge in (metrics.RELAY_LAG_SECONDS, metrics.RELAY_HELD):
            gauge.remove(self._producer)
        for queue in topology.queues_of(self._producer):
            metrics.QUEUE_DEPTH.remove(self._producer, queue)

    def _note(self, exc: Exception) -> None:
        out_of_memory.end_if_meant(exc)
        is_outside = is_outside_trouble(exc) or isinstance(exc, (amqp.AMQPError, OSError))
        metrics.RELAY_ERRORS.labels(self._producer, str(is_outside).lower()).inc()
        level = log.warning if is_outside else log.error
        level("relay.trouble", service=self._producer, attempt=self._trouble_count, **logs.described(exc))
        wait_s = jittered(0.1, self._trouble_count, _LONGEST_TROUBLE_WAIT_S)
        self._trouble_count += 1
        until = time.monotonic() + wait_s
        while not self._is_stopping and time.monotonic() < until:
            time.sleep(min(0.1, wait_s))

    def _leave(self) -> None:
        self._publisher.drop()
        with suppress(PyMongoError):
            self.outbox.give_lease_back(self._holder)

    def _is_busy(self) -> bool:
        moving = self._moving
        return len(moving) == _BUSY_ROUNDS and time.monotonic() - moving[0] < _BUSY_WITHIN_S

    def _listen(self) -> None:
        """A change stream as a doorbell for what other processes of the service have said; polling finds it too."""
        while not self._is_stopping:
            if self._is_busy():
                self._longest_idle_s = _BUSY_LONGEST_WAIT_S
                time.sleep(_BUSY_WITHIN_S)
                continue
            try:
                self._hear_rings()
            except PyMongoError:
                self._longest_idle_s = _IDLE_WAIT_WITHOUT_DOORBELL_S
                time.sleep(jittered(0.2, self._deaf_count, _LONGEST_TROUBLE_WAIT_S))
                self._deaf_count += 1

    def _hear_rings(self) -> None:
        with self._database.watch(
            _rings(self.outbox.collections), max_await_time_ms=_STREAM_WAIT_MS
        ) as rings:
            self._deaf_count = 0
            self.ring()  # whatever was said before the stream began
            self._longest_idle_s = _IDLE_WAIT_S
            while not self._is_stopping and not self._is_busy():
                if rings.try_next() is not None:
                    self.ring()


def _rings(collections: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "$match": {
                "ns.coll": {"$in": list(collections)},
                "$or": [
                    {"operationType": "insert", "fullDocument.ringing": {"$exists": True}},
                    {"operationType": "update", "updateDescription.updatedFields.ringing": {"$exists": True}},
                ],
            }
        },
        {"$project": {"_id": 1}},
    ]
