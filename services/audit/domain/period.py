"""The logs of one audit: the first, one for each later quarter, and the root log that commits to all of them.

The entries of the first and of the quarters are numbered through, from the first entry there ever was; inside its own
log an entry has the index `number - first`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.errors import Kind, Refusal

ROOT_NAME = "root"
_MONTHS = 3


@dataclass(frozen=True, slots=True)
class LogPlace:
    """One log: its name ("" the first, "2027Q1", "root") and the number of its first entry."""

    name: str = ""
    first: int = 0

    def origin(self, base: str) -> str:
        """The first line of its checkpoints."""
        return f"{base}/{self.name}" if self.name else base

    @property
    def prefix(self) -> str:
        """What stands before the ids of its documents and before its tiles' paths."""
        return f"{self.name}/" if self.name else ""


FIRST = LogPlace()
ROOT = LogPlace(ROOT_NAME)


class LogClosed(Refusal):
    """This log takes nothing any more: its quarter is over, and another log has begun."""

    def __init__(self) -> None:
        super().__init__("log-closed", Kind.UNAVAILABLE, "This period's log is closed.")


def quarter_of(moment: datetime) -> str:
    """The quarter, in UTC, such as "2026Q4"."""
    at = moment.astimezone(UTC)
    return f"{at.year:04d}Q{(at.month - 1) // _MONTHS + 1}"


def end_of(quarter: str) -> datetime:
    """The first moment after a quarter, in UTC."""
    year, number = int(quarter[:4]), int(quarter[5])
    return datetime(year + number // 4, number % 4 * _MONTHS + 1, 1, tzinfo=UTC)


def years_later(moment: datetime, years: int) -> datetime:
    """The same day that many years later; 29 February becomes 1 March."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, month=3, day=1)


def holding(places: Sequence[LogPlace], number: int) -> LogPlace:
    """The log an entry's number lies in; `places` are in order and begin with the first."""
    found = FIRST
    for place in places:
        if place.first <= number:
            found = place
    return found
