"""Which messages go to which method, together or alone, and when: the queue between the broker and the listeners.

Owned by one thread; knows no framework and no clock but the seconds it is given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from chassis.delivery import Delivery
from chassis.envelope import Envelope
from chassis.hearing import Ears, Listening


@dataclass(slots=True)
class Unit:
    """One message on its way to an end. `fault` is set where it can only be parked: (reason, detail)."""

    delivery: Delivery
    envelope: Envelope | None = None
    listening: Listening | None = None
    fault: tuple[str, str] | None = None
    is_ended: bool = False

    @property
    def is_suspect(self) -> bool:
        """True where the process may have died of it before."""
        return self.delivery.deliveries > 0

    def event_type(self) -> str:
        """Its type, as far as anybody here knows it."""
        return self.envelope.type if self.envelope and self.listening else "unknown"


@dataclass(slots=True)
class Work:
    """What one call of a listener gets: one unit, or a batch. `listening` None means: to be parked."""

    listening: Listening | None
    units: list[Unit]
    is_suspect: bool = False

    @property
    def method(self) -> str:
        """The listener's method; "" for what is parked."""
        return self.listening.method if self.listening else ""


@dataclass(slots=True)
class _Bucket:
    listening: Listening | None
    is_suspect: bool
    units: deque[Unit] = field(default_factory=deque)
    since: float = 0.0  # when the oldest unit came
    is_running: bool = False

    @property
    def size(self) -> int:
        return self.listening.batch if self.listening else 1

    @property
    def is_serial(self) -> bool:
        return self.is_suspect or self.size > 1


_Key = tuple[str, bool]


class Gatherer:
    """Messages go in one by one, work comes out as soon as a slot is free and the batch is full or old enough.

    A batch method runs one batch at a time, so that what comes meanwhile makes the next batch.
    Suspects (redelivered messages) run one work at a time in the whole process: where the process dies, the one
    that killed it is the only one that was started and not ended.
    """

    def __init__(self, ears: Ears, slots: int) -> None:
        self._slots = slots
        self._running = 0
        self._is_suspect_running = False
        self._buckets: dict[_Key, _Bucket] = {
            ("", False): _Bucket(None, False),
            ("", True): _Bucket(None, False),
        }
        for listening in ears.all():
            for is_suspect in (False, True):
                self._buckets[listening.method, is_suspect] = _Bucket(listening, is_suspect)
        self._turn = deque(self._buckets.values())

    def put(self, unit: Unit, now: float) -> None:
        """A message has come; `now` in seconds of any steady clock."""
        method = unit.listening.method if unit.listening else ""
        bucket = self._buckets[method, unit.is_suspect]
        if not bucket.units:
            bucket.since = now
        bucket.units.append(unit)

    def ready(self, now: float) -> list[Work]:
        """What can start now; each counts as running until `done`."""
        works: list[Work] = []
        is_progress = True
        while is_progress and self._running < self._slots:
            is_progress = False
            for _ in range(len(self._turn)):  # one work of each bucket in turn, so that none starves
                bucket = self._turn[0]
                self._turn.rotate(-1)
                if self._running < self._slots and self._may_start(bucket, now):
                    works.append(self._start(bucket, now))
                    is_progress = True
        return works

    def done(self, work: Work) -> None:
        """The work is over; its slot is free."""
        self._running -= 1
        self._buckets[work.method, work.is_suspect].is_running = False
        if work.is_suspect:
            self._is_suspect_running = False

    def seconds_to_next(self, now: float) -> float | None:
        """When a waiting batch will be old enough; None where nothing waits for time to pass."""
        waits = [
            bucket.since + bucket.listening.wait_s - now
            for bucket in self._buckets.values()
            if bucket.listening and bucket.units and not bucket.is_running
        ]
        return max(0.0, min(waits)) if waits and self._running < self._slots else None

    def forget(self) -> None:
        """What was not started is dropped: its connection is gone and it will come again."""
        for bucket in self._buckets.values():
            bucket.units.clear()

    def waiting(self) -> int:
        """How many messages wait for a slot or for company."""
        return sum(len(bucket.units) for bucket in self._buckets.values())

    def running(self) -> int:
        """How many works are running."""
        return self._running

    def _may_start(self, bucket: _Bucket, now: float) -> bool:
        if not bucket.units or (bucket.is_serial and bucket.is_running):
            return False
        if bucket.is_suspect and self._is_suspect_running:
            return False
        wait_s = bucket.listening.wait_s if bucket.listening and bucket.size > 1 else 0.0
        return len(bucket.units) >= bucket.size or now - bucket.since >= wait_s

    def _start(self, bucket: _Bucket, now: float) -> Work:
        units = [bucket.units.popleft() for _ in range(min(bucket.size, len(bucket.units)))]
        bucket.since = now
        bucket.is_running = True
        self._running += 1
        self._is_suspect_running = self._is_suspect_running or bucket.is_suspect
        return Work(bucket.listening, units, bucket.is_suspect)
