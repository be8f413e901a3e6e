"""Time is passed in: the system's clock in production, a turned one in tests and simulation."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """The time in UTC, to the millisecond (what MongoDB keeps)."""
        ...


def to_millisecond(moment: datetime) -> datetime:
    """The same moment as MongoDB stores and returns it."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time in UTC, to the millisecond."""
        return to_millisecond(datetime.now(UTC))


class TurnedClock:
    """A clock that stands still until it is turned; safe to share between threads."""

    def __init__(self, start: datetime) -> None:
        self._lock = threading.Lock()
        self._now = to_millisecond(start)

    def now(self) -> datetime:
        """The time it was last turned to."""
        with self._lock:
            return self._now

    def turn(self, by: timedelta) -> datetime:
        """Moves the clock, also backward, and returns the new time."""
        with self._lock:
            self._now = to_millisecond(self._now + by)
            return self._now
