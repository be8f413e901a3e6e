"""When a specialist works: weekly windows on their own wall clock, or always on call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

MINUTES_PER_DAY = 24 * 60
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY


@dataclass(frozen=True, slots=True)
class Window:
    """One weekly window; weekday 0 is Monday. An end at or before the start lies on the next day."""

    weekday: int
    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class Shifts:
    """A week's windows in one time zone."""

    windows: tuple[Window, ...]
    is_always_on_call: bool
    time_zone: str

    def is_on(self, at: datetime) -> bool:
        """True where the wall clock in their time zone stands inside a window.

        The wall clock decides, not elapsed time: in the night the clocks go back, a 22:00-06:00 shift is an hour
        longer, and in the night they go forward an hour shorter, as on a real roster.
        """
        if self.is_always_on_call:
            return True
        local = at.astimezone(ZoneInfo(self.time_zone))
        minute = local.weekday() * MINUTES_PER_DAY + local.hour * 60 + local.minute
        return any(_holds(window, minute) for window in self.windows)


def _holds(window: Window, minute_of_week: int) -> bool:
    start = window.weekday * MINUTES_PER_DAY + window.start_minute
    length = (window.end_minute - window.start_minute) % MINUTES_PER_DAY or MINUTES_PER_DAY
    return (minute_of_week - start) % MINUTES_PER_WEEK < length
