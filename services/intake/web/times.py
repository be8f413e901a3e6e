"""Dates and times as people of an emergency room type them, in the unit's zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_TIME = re.compile(r"([0-9]{1,2})[:.h]?([0-9]{2})?\s*([ap])?\.?(?:m\.?)?", re.IGNORECASE)
_ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_US = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_PART = re.compile(r"[0-9]{4}(-[0-9]{2})?")
_NOON = 12


class Unreadable(ValueError):  # noqa: N818  it says what the text is
    """What was typed is no date or no time."""


def time_of(text: str) -> time:
    """ "1420", "14:20", "2:20 pm", "2pm" or "14"; raises Unreadable."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise Unreadable(text)
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower()
    if half and not 1 <= hour <= _NOON:
        raise Unreadable(text)
    if half:
        hour = hour % _NOON + (_NOON if half == "p" else 0)
    try:
        return time(hour, minute)
    except ValueError:
        raise Unreadable(text) from None


def date_of(text: str) -> date:
    """ "2026-11-21" or "11/21/2026" (month first); raises Unreadable."""
    iso, us = _ISO.fullmatch(text.strip()), _US.fullmatch(text.strip())
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if us:
            return date(int(us[3]), int(us[1]), int(us[2]))
    except ValueError:
        pass
    raise Unreadable(text)


def birth_of(text: str) -> str:
    """A birth date as ISO 8601: a whole date, or a year with or without its month; raises Unreadable."""
    text = text.strip()
    return text if not text or _PART.fullmatch(text) else date_of(text).isoformat()


def past(clock: str, day: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment that was meant by something that has happened: without a day, the last time it was so late.

    None where nothing was typed; raises Unreadable.
    """
    return _moment(
        clock, day, now, zone, lambda moment: moment - timedelta(days=1) if moment > now else moment
    )


def coming(clock: str, day: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment that was meant by something still to come: without a day, the next time it is so late.

    None where nothing was typed; raises Unreadable.
    """
    return _moment(
        clock, day, after, zone, lambda moment: moment + timedelta(days=1) if moment < after else moment
    )


def _moment(
    clock: str, day: str, near: datetime, zone: ZoneInfo, moved: Callable[[datetime], datetime]
) -> datetime | None:
    if not clock.strip():
        if day.strip():
            raise Unreadable(day)
        return None
    at = time_of(clock)
    if day.strip():
        return datetime.combine(date_of(day), at, zone).astimezone(UTC)
    local = moved(datetime.combine(near.astimezone(zone).date(), at, zone))
    return local.astimezone(UTC)
