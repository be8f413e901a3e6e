"""A specialist as matching knows them: what they share, where and when they work, how much they carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.matching.domain.limits import Limit
from services.matching.domain.place import Place
from services.matching.domain.shifts import Calendar, Shifts
from services.matching.domain.wellbeing import Strain

PAYERS = ("medicaid", "medicare", "commercial", "self-pay")
AGE_BANDS = ("minor", "young-adult", "adult", "older-adult")
MODALITIES = ("bedside", "phone", "video")
# How they come to the bedside; the policy says how long each takes.
TRANSPORTS = ("car", "transit", "bicycle", "walk")
_NO_EXCEPTIONS = Calendar()
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
        return _midnights(self.valid_from, self.valid_until + timedelta(days=1), time_zone)


@dataclass(frozen=True)
class Specialist:
    """One entry of the roster.

    `released` is what they allowed to be named, `held` all that matching may know about them; both with parents.
    What is only held never scores, never satisfies a "must" and is never named: it can be inferred from nothing
    a peer sees. It serves one purpose: an "avoid" is never broken. So does `perhaps_held`: every code of the categories
    in which they keep something from matching too (docs/decisions/0010-avoid-and-what-is-withheld.md).
    `limits` are what they do not want to be asked; `never` the peers (pseudonymous ids) they must never be brought to:
    both MUST NOT be told to anybody else, only that something keeps the two apart.
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
    transport: str = TRANSPORTS[0]
    calendar: Calendar = _NO_EXCEPTIONS
    limits: tuple[Limit, ...] = ()
    never: frozenset[str] = frozenset()
    supervisor_id: str = ""

    def is_available(self, at: datetime, *, is_immediate: bool) -> bool:
        """On shift or on call at this moment, their exceptions included."""
        told = self.calendar.says(at)
        return self.shifts.is_on(at, is_immediate=is_immediate) if told is None else told

    @property
    def is_ranked(self) -> bool:
        """Only specialists get offers; a supervisor gets escalations."""
        return self.role == "specialist"

    @property
    def avoidable(self) -> frozenset[str]:
        """What an "avoid" must not meet: all they hold, and all they may hold without matching knowing it."""
        return self.held | self.perhaps_held


@lru_cache(maxsize=65_536)
def _midnights(first: date, last: date, time_zone: str) -> tuple[datetime, datetime]:
    zone = ZoneInfo(time_zone)
    # In UTC: two times of one zone are compared by their clocks alone, and others' by way of it every time.
    begins, ends = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, last))
    return begins, ends


@dataclass(frozen=True, slots=True)
class Standing:
    """How much a specialist carries, in thousandths of an ordinary referral, and since when they had none new.

    `open_milli` is what they were asked to carry and have not answered yet. It makes them less preferred, so that
    referrals which come together spread; it never keeps them out, for most offers end without an acceptance.
    `strains` weigh like cases for as long as they last; until `rests_until` nobody is brought to them.
    """

    load_milli: int
    capacity_milli: int
    waiting_since: datetime
    open_milli: int = 0
    strains: tuple[Strain, ...] = ()
    rests_until: datetime | None = None

    def carried_milli(self, at: datetime) -> int:
        """Their cases and what weighs beside them at this moment."""
        return self.load_milli + sum(strain.milli for strain in self.strains if at < strain.until)

    def likely_milli(self, at: datetime) -> int:
        """What they would carry if they accepted everything they were asked."""
        return self.carried_milli(at) + self.open_milli

    def can_carry(self, weight_milli: int, at: datetime) -> bool:
        """True where one more of this weight stays within their capacity."""
        return self.carried_milli(at) + weight_milli <= self.capacity_milli

    def is_resting(self, at: datetime) -> bool:
        """True until their rest ends."""
        return self.rests_until is not None and at < self.rests_until
