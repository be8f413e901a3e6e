"""Times of the week in which somebody must be left alone, by their own wall clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

MINUTES_A_DAY = 24 * 60
# Who is never free within so long cannot be waited for.
_LONGEST_WAIT = timedelta(days=8)
# A gap shorter than this between two windows is no gap; every zone's clock is moved by a multiple of it.
_STEP = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Window:
    """From one minute of the day until another, past midnight where the second is not later; equal: the whole day.

    `days` are the days it begins on, 0 for Monday; empty for every day.
    """

    from_minute: int
    until_minute: int
    days: tuple[int, ...] = ()

    def covers(self, local: datetime) -> bool:
        """True where a wall clock that shows `local` is inside."""
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.from_minute < self.until_minute:
            return self._begins_on(day) and self.from_minute <= minute < self.until_minute
        if minute >= self.from_minute:
            return self._begins_on(day)
        return minute < self.until_minute and self._begins_on((day - 1) % 7)

    def _begins_on(self, day: int) -> bool:
        return not self.days or day in self.days


def is_inside(windows: Sequence[Window], zone: tzinfo, moment: datetime) -> bool:
    """True where the moment lies in one of the windows as the wall clock of `zone` shows it."""
    local = moment.astimezone(zone)
    return any(window.covers(local) for window in windows)


def free_from(windows: Sequence[Window], zone: tzinfo, now: datetime) -> datetime | None:
    """`now`, or the first whole minute after it outside all windows; None where there is none within eight days.

    Looked for along real time, so that an hour the clock skips or repeats is what it is on the person's wall.
    """
    if not is_inside(windows, zone, now):
        return now
    start = now.astimezone(UTC).replace(second=0, microsecond=0)
    moment = start
    while is_inside(windows, zone, moment):
        moment += _STEP
        if moment - start > _LONGEST_WAIT:
            return None
    while moment - _MINUTE > now and not is_inside(windows, zone, moment - _MINUTE):
        moment -= _MINUTE
    return moment
