"""The fairness and outcomes report of a programme, and the referrals behind one of its figures; both audited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching.domain import fairness
from services.matching.domain.case import Case
from services.matching.domain.fairness import Report, Story
from services.matching.handlers.boarding import lead_of_a_programme
from services.matching.handlers.looking import record_seen

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

MOST_COUNTED = 10_000
MOST_MONTHS = 12


@dataclass(frozen=True)
class Period:
    """Whole calendar months (UTC), the last of them the present one less `ago`; `urgency` is "" for all.

    Only whole months: with days to choose, two reports that differ by one day would tell of one person.
    """

    months: int = 1
    ago: int = 0
    urgency: str = ""

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """From the first moment of the first month up to the end of the last."""
        last = now.year * 12 + now.month - 1 - self.ago
        first, end = last - self.months + 1, last + 1
        return tuple(datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in (first, end))  # type: ignore[return-value]


def fairness_report(room: Room, period: Period, caller: Caller, cause: Cause) -> Report:
    """The counts of the referrals the programme was asked for, and of those that nobody could be asked for."""
    found = _counted(room, period, caller)
    since, until = period.span(room.clock.now())
    criteria = [f"from={since:%Y-%m-%d}", f"until={until:%Y-%m-%d}", f"urgency={period.urgency or 'all'}"]
    room.access.record_read(
        caller,
        record_type="Match",
        record_id=caller.organization_id,
        action="FairnessReport",
        criteria=criteria,
        cause=cause,
    )
    return found


def behind_figure(
    room: Room, period: Period, cell: tuple[str, str, str], caller: Caller, cause: Cause
) -> list[Story]:
    """The referrals one shown figure counts, by (dimension, group, figure); none where it is withheld."""
    found = _counted(room, period, caller).behind(*cell)
    record_seen(room, caller, "figure=" + "/".join(cell), (one.case for one in found), cause)
    return found


def _counted(room: Room, period: Period, caller: Caller) -> Report:
    lead_of_a_programme(room, caller)
    if not (1 <= period.months <= MOST_MONTHS and 0 <= period.ago <= MOST_MONTHS):
        raise Refusal("period-unknown", Kind.INVALID, "From 1 to 12 months, at most a year ago.")
    cases = room.boards.opened_between(*period.span(room.clock.now()), MOST_COUNTED)
    return fairness.report([case for case in cases if _is_counted(case, period, caller)])


def _is_counted(case: Case, period: Period, caller: Caller) -> bool:
    is_theirs = any(offer.programme_id == caller.organization_id for offer in case.offers)
    return (is_theirs or not case.offers) and period.urgency in ("", case.need.urgency)
