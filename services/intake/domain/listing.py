"""Which of a source's referrals are wanted, and from where on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Fault, Kind, Refusal
from services.intake.domain.referral import Referral
from services.intake.domain.states import State
from services.intake.domain.submission import Urgency

LONGEST_PAGE = 1_000
USUAL_PAGE = 100


@dataclass(frozen=True, slots=True)
class Position:
    """The last referral of a page: the next one begins behind it."""

    submitted_at: datetime
    referral_id: str


@dataclass(frozen=True, slots=True)
class Criteria:
    """Empty means any.  Referrals of `submitted_from` on and before `submitted_before`; `limit` 0 is the usual 100."""

    status: str = ""
    urgency: str = ""
    submitted_from: datetime | None = None
    submitted_before: datetime | None = None
    limit: int = 0
    after: Position | None = None

    def named(self) -> list[str]:
        """The names of the criteria that were given, for the audit trail; never their values."""
        names = ("status", "urgency", "submitted_from", "submitted_before")
        return [name for name in names if getattr(self, name)]


@dataclass(frozen=True, slots=True)
class Page:
    """Referrals, newest first, and where the next page begins; None where nothing is left."""

    referrals: Sequence[Referral]
    next: Position | None


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Codes that mean nothing to the taxonomy: (system, code, referrals), and what is not told one by one."""

    codes: Sequence[tuple[str, str, int]]
    rare_codes: int
    of_other_systems: int


def check(criteria: Criteria) -> None:
    """Raises Refusal INVALID criteria-invalid with every fault."""
    faults = []
    if criteria.status and criteria.status not in set(State):
        faults.append(Fault("status", "state-unknown", "There is no such state."))
    if criteria.urgency and criteria.urgency not in set(Urgency):
        faults.append(Fault("urgency", "urgency-unknown", "There is no such urgency."))
    if not 0 <= criteria.limit <= LONGEST_PAGE:
        faults.append(Fault("limit", "out-of-range", f"The limit is between 0 and {LONGEST_PAGE}."))
    begins, ends = criteria.submitted_from, criteria.submitted_before
    if begins and ends and ends <= begins:
        faults.append(Fault("submitted_before", "range-empty", "The end is not after the beginning."))
    if faults:
        raise Refusal("criteria-invalid", Kind.INVALID, faults=faults)
