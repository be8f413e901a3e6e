"""What somebody looks for among their own referrals: criteria without anything that tells who a person is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.intake.domain.states import State

SUBMITTED_AT = "submitted_at"
CHANGED_AT = "changed_at"
# How many matches are counted where nobody asked for more: to count a hundred thousand took longer than to show them.
COUNTED_UNASKED = 1_000
ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment on, and before another; None where it is open.  `is_outside` wants what is not in it."""

    start: datetime | None = None
    end: datetime | None = None
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class After:
    """Where the page before ended: the value it was sorted by, and the last id."""

    moment: datetime
    referral_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Every criterion must hold; None means any.  `people` and `orders` are marks: one set for each time it was asked."""

    referral_ids: frozenset[str] | None = None
    states: frozenset[State] | None = None
    peer_ids: frozenset[str] | None = None
    specialist_ids: frozenset[str] | None = None
    urgencies: frozenset[str] | None = None
    people: tuple[frozenset[str], ...] = ()
    orders: tuple[frozenset[str], ...] = ()
    spans: tuple[tuple[str, Span], ...] = ()  # (SUBMITTED_AT or CHANGED_AT, when)
    with_consent: bool = False
    is_consent_in_force: bool | None = None
    sort_by: str = SUBMITTED_AT
    is_descending: bool = True
    after: After | None = None
    limit: int = 50
    count_to: int = COUNTED_UNASKED  # more than so many are not told as a number; 0 counts nothing


def narrowed(known: frozenset[str] | None, more: frozenset[str]) -> frozenset[str]:
    """Both criteria hold."""
    return more if known is None else known & more
