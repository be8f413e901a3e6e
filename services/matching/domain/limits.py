"""What a specialist does not want to be asked: their own limits, hard rules like the peer's own (DOMAIN 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.matching.domain.need import Need

# source: "not my own hospital"; experience: "no child-death cases for now", with everything below the code.
KINDS = ("source", "experience", "age-band", "urgency")


@dataclass(frozen=True, slots=True)
class Limit:
    """Referrals of this kind are not for them, up to the last day (counted, on their own calendar) or for good."""

    kind: str
    value: str
    last_day: date | None = None

    def ends_at(self, time_zone: str) -> datetime | None:
        """The midnight after the last day; None where it has no end."""
        if self.last_day is None:
            return None
        return datetime.combine(self.last_day + timedelta(days=1), time(), ZoneInfo(time_zone))


def subjects(need: Need) -> frozenset[tuple[str, str]]:
    """Everything about a referral that a limit can name, as (kind, value)."""
    return frozenset(
        {
            ("source", need.source_id),
            ("age-band", need.age_band),
            ("urgency", need.urgency),
            *(("experience", code) for code in need.experience),
        }
    )


def forbids(limit: Limit, about: frozenset[tuple[str, str]], time_zone: str, at: datetime) -> bool:
    """True where this limit keeps the referral away from them at this moment."""
    if (limit.kind, limit.value) not in about:
        return False
    ends = limit.ends_at(time_zone)
    return ends is None or at < ends
