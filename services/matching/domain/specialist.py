"""A specialist as matching knows them: what they share, where and when they work, how much they carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.matching.domain.place import Place
from services.matching.domain.shifts import Shifts

PAYERS = ("medicaid", "medicare", "commercial", "self-pay")
AGE_BANDS = ("minor", "young-adult", "adult", "older-adult")
MODALITIES = ("bedside", "phone", "video")
# A referral of ordinary weight.
ORDINARY_MILLI = 1000
# Best first; a level's number is its place from the end, 1 is the least.
LEVELS: Mapping[str, int] = {"native": 4, "fluent": 3, "working": 2, "basic": 1}


@dataclass(frozen=True, slots=True)
class Certification:
    """What a state lets them do: for which payers and age bands, from the first to the last day (both counted)."""

    state: str
    payers: frozenset[str]
    age_bands: frozenset[str]
    valid_from: date
    valid_until: date

    def span(self, time_zone: str) -> tuple[datetime, datetime]:
        """From the first midnight to the one after the last day, on the specialist's own calendar."""
        zone = ZoneInfo(time_zone)
        after = self.valid_until + timedelta(days=1)
        return datetime.combine(self.valid_from, time(), zone), datetime.combine(after, time(), zone)


@dataclass(frozen=True)
class Specialist:
    """One entry of the roster.

    `released` is what they allowed to be named, `held` all that matching may know about them; both with parents.
    What is only held never scores, never satisfies a "must" and is never named: it can be inferred from nothing
    a peer sees. It serves one purpose: an "avoid" is never broken. So does `perhaps_held`: every code of the categories
    in which they keep something from matching too (docs/decisions/0010-avoid-and-what-is-withheld.md).
    """

    specialist_id: str
    role: str
    programme_id: str
    place: Place
    shifts: Shifts
    languages: Mapping[str, int] = field(default_factory=dict)
    released: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    perhaps_held: frozenset[str] = frozenset()
    certifications: tuple[Certification, ...] = ()
    modalities: frozenset[str] = frozenset()
    radius_miles: int = 0

    @property
    def is_ranked(self) -> bool:
        """Only specialists get offers; a supervisor gets escalations."""
        return self.role == "specialist"

    @property
    def avoidable(self) -> frozenset[str]:
        """What an "avoid" must not meet: all they hold, and all they may hold without matching knowing it."""
        return self.held | self.perhaps_held


@dataclass(frozen=True, slots=True)
class Standing:
    """How much a specialist carries, in thousandths of an ordinary referral, and since when they had none new.

    `open_milli` is what they were asked to carry and have not answered yet. It makes them less preferred, so that
    referrals which come together spread; it never keeps them out, for most offers end without an acceptance.
    """

    load_milli: int
    capacity_milli: int
    waiting_since: datetime
    open_milli: int = 0

    @property
    def likely_milli(self) -> int:
        """What they would carry if they accepted everything they were asked."""
        return self.load_milli + self.open_milli

    def can_carry(self, weight_milli: int) -> bool:
        """True where one more of this weight stays within their capacity."""
        return self.load_milli + weight_milli <= self.capacity_milli
