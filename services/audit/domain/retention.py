"""How long audit entries are kept, and what comes before erasing them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chassis.errors import Kind, Refusal
from services.audit.domain.period import end_of, years_later

# 45 CFR 164.316(b)(2)(i): six years from creation; 164.528 asks for six years of disclosures.
DUTY_YEARS = 6


class RetentionTooShort(ValueError):  # noqa: N818
    """A policy may keep entries longer than the law asks for, never shorter."""


class LegalHold(Refusal):
    """Somebody has to preserve this: nothing of it is erased or pruned until the hold is released."""

    def __init__(self, hold_id: str) -> None:
        message = "There is a legal hold; release it first."
        super().__init__("legal-hold", Kind.CONFLICT, message, hold_id=hold_id)


def require_years(years: int) -> int:
    """The years, if they are enough; raises RetentionTooShort."""
    if years < DUTY_YEARS:
        raise RetentionTooShort(f"entries are kept for at least {DUTY_YEARS} years, not {years}")
    return years


def due_at(quarter: str, years: int) -> datetime:
    """When the entries of a quarter may go: so many years after its last day."""
    return years_later(end_of(quarter), years)


def split_by_duty(quarters: Iterable[str], now: datetime, years: int) -> tuple[list[str], list[str]]:
    """The quarters whose retention is over, and those that must be kept; both in order."""
    ordered = sorted(quarters)
    over = [quarter for quarter in ordered if due_at(quarter, years) <= now]
    return over, ordered[len(over) :]
