"""What the receiver asks of its host, and how it waits for trouble outside to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from chassis import metrics
from chassis.gathering import Unit
from chassis.mongo import is_outside_trouble
from chassis.retries import RetryPolicy

_SLICE_S = 0.25
T = TypeVar("T")


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


class Abandoned(Exception):  # noqa: N818
    """The message will come again over another connection, or to another process."""


class Patience:
    """Waits in place, as long as somebody still wants the end."""

    def __init__(self, service: str, policy: RetryPolicy) -> None:
        self._service = service
        self._policy = policy

    def surely(self, write: Callable[[], T], units: Sequence[Unit], sitting: Sitting) -> T:
        """Repeats the write until the database takes it; raises Abandoned, or what is no trouble outside."""
        tries = 0
        while True:
            try:
                return write()
            except Exception as exc:
                if not is_outside_trouble(exc):
                    raise
            self.wait(self._policy.in_place_wait(tries), units, sitting)
            tries += 1

    def wait(self, seconds: float, units: Sequence[Unit], sitting: Sitting) -> None:
        """Returns after `seconds`; raises Abandoned as soon as no end is wanted."""
        until = time.monotonic() + seconds
        with metrics.BUS_WAITING.labels(self._service).track_inprogress():
            while True:
                if all(sitting.is_over(unit) for unit in units):
                    raise Abandoned
                left = until - time.monotonic()
                if left <= 0:
                    return
                time.sleep(min(left, _SLICE_S))
