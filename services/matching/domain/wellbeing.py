"""What a specialist carries beyond their cases, and when they rest (DOMAIN 4, load and well-being)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Strain:
    """Weight that no case has: after a death, after work at night. Thousandths of an ordinary referral, until then."""

    milli: int
    until: datetime


@dataclass(frozen=True)
class Care:
    """How the policy spares people. `most_acceptances` within `within`, then rest until the oldest is past it."""

    most_acceptances: int
    within: timedelta
    night_from_hour: int
    night_until_hour: int
    night_milli: int
    night_lasts: timedelta
    death_milli: int
    death_lasts: timedelta

    def is_night(self, at: datetime, time_zone: str) -> bool:
        """True between the two hours of their own clock."""
        hour = at.astimezone(ZoneInfo(time_zone)).hour
        return (hour - self.night_from_hour) % 24 < (self.night_until_hour - self.night_from_hour) % 24


def strains(
    care: Care, accepted_at: Sequence[datetime], deaths_at: Sequence[datetime], time_zone: str
) -> tuple[Strain, ...]:
    """What recent nights and recent deaths weigh; the earliest to end comes first."""
    found = [
        Strain(care.night_milli, at + care.night_lasts)
        for at in accepted_at
        if care.is_night(at, time_zone) and care.night_milli
    ]
    found += [Strain(care.death_milli, at + care.death_lasts) for at in deaths_at if care.death_milli]
    return tuple(sorted(found, key=lambda strain: strain.until))


def rests_until(care: Care, accepted_at: Sequence[datetime], asked_for: datetime | None) -> datetime | None:
    """When their rest ends: the one they asked for, or the one that is due after so many acceptances."""
    ends = [asked_for] if asked_for else []
    if len(accepted_at) >= care.most_acceptances:
        ends.append(sorted(accepted_at)[-care.most_acceptances] + care.within)
    return max(ends, default=None)
