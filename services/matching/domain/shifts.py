"""When a specialist works: weekly windows on their own wall clock, on call, and the days that are different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
class Span:
    """One stretch of time, for an exception to the week: from the first instant up to the other."""

    begins: datetime
    ends: datetime

    def holds(self, at: datetime) -> bool:
        """True from the beginning on, no longer at the end."""
        return self.begins <= at < self.ends


@dataclass(frozen=True, slots=True)
class Shifts:
    """A week's windows in one time zone.

    In a window of `on_call` only immediate referrals are for them; in one of `windows`, or always on call, any.
    """

    windows: tuple[Window, ...]
    is_always_on_call: bool
    time_zone: str
    on_call: tuple[Window, ...] = ()

    def is_on(self, at: datetime, *, is_immediate: bool = False) -> bool:
        """True where the wall clock in their time zone stands inside a window.

        The wall clock decides, not elapsed time: in the night the clocks go back, a 22:00-06:00 shift is an hour
        longer, and in the night they go forward an hour shorter, as on a real roster.
        """
        if self.is_always_on_call:
            return True
        local = at.astimezone(ZoneInfo(self.time_zone))
        minute = local.weekday() * MINUTES_PER_DAY + local.hour * 60 + local.minute
        windows = self.windows + self.on_call if is_immediate else self.windows
        return any(_holds(window, minute) for window in windows)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What differs from the week: time off, and shifts beyond it. Time off goes before everything else."""

    off: tuple[Span, ...] = ()
    extra: tuple[Span, ...] = ()

    def says(self, at: datetime) -> bool | None:
        """False in time off, True in an extra shift, None where the week holds."""
        if _any_holds(self.off, at):
            return False
        return True if _any_holds(self.extra, at) else None


def span_on_wall_clock(begins: datetime, ends: datetime, time_zone: str) -> Span:
    """From the first time the clock on the wall shows the one to the last time it shows the other (naive times).

    So a night off that the end of summer time makes an hour longer is off for the whole of it.
    """
    zone = ZoneInfo(time_zone)
    first, last = begins.replace(tzinfo=zone, fold=0), ends.replace(tzinfo=zone, fold=1)
    # In UTC, because Python compares two times of one zone by their clocks alone.
    return Span(first.astimezone(UTC), last.astimezone(UTC))


def _holds(window: Window, minute_of_week: int) -> bool:
    start = window.weekday * MINUTES_PER_DAY + window.start_minute
    length = (window.end_minute - window.start_minute) % MINUTES_PER_DAY or MINUTES_PER_DAY
    return (minute_of_week - start) % MINUTES_PER_WEEK < length


def _any_holds(spans: Sequence[Span], at: datetime) -> bool:
    return any(span.holds(at) for span in spans)
