"""HL7 times: any precision, with an offset or in the sender's own zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?"
)
_FARTHEST = timedelta(hours=14)
DAY, MINUTE = 3, 5
_LAST_YEAR = 9999
_LATEST = datetime.max.replace(tzinfo=UTC, microsecond=999_000)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as it was told: the first moment it can mean, and how many of year, month, day, hour, minute were told."""

    first: datetime
    precision: int

    def last(self) -> datetime:
        """The last moment it can mean: a consent "until the 5th" is valid on the 5th."""
        if self.precision >= MINUTE:
            return self.first
        if self.first.year >= _LAST_YEAR:  # as engines write "without an end"
            return _LATEST
        local = self.first
        if self.precision == 4:
            return local + timedelta(hours=1)
        if self.precision == DAY:
            return local + timedelta(days=1)
        month = local.month % 12 + 1 if self.precision == 2 else 1
        year = local.year + (self.precision == 1 or local.month == 12)
        return local.replace(year=year, month=month)


def read(text: str, zone: tzinfo) -> Moment | None:
    """The time, or None where the text is none; one without an offset is of the sender's zone."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    *parts, fraction, offset = match.groups()
    numbers = [int(part) for part in parts if part is not None]
    told = len(numbers)
    year, month, day, hour, minute, second = (*numbers, *(0, 1, 1, 0, 0, 0)[told:])
    try:
        place = zone if offset is None else _offset(offset)
        microsecond = int((fraction or "0").ljust(6, "0")) // 1_000 * 1_000  # the store keeps milliseconds
        local = datetime(year, month, day, hour, minute, min(second, 59), microsecond, tzinfo=place)
        return Moment(local.astimezone(UTC) if told >= 4 else local, told)
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> timezone:
    minutes = int(text[3:5])
    away = timedelta(hours=int(text[1:3]), minutes=minutes)
    if minutes > 59 or away > _FARTHEST:
        raise ValueError(text)
    return timezone(-away if text[0] == "-" else away)


def birth_date(text: str) -> str:
    """ISO 8601 at the precision that was told; what is no date comes back as it is, to be refused with its place."""
    match = _TIME.fullmatch(text)
    if match is None:
        return text
    return "-".join(part for part in match.groups()[:DAY] if part is not None)


def written(moment: datetime, signs: str = "") -> str:
    """The moment in UTC, to the second, with its offset as far as its sign is none of the message's own `signs`."""
    free = next((sign for sign in "+-" if sign not in signs), "")
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S") + (f"{free}0000" if free else "")


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """The IANA time zone; raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no IANA time zone") from None
