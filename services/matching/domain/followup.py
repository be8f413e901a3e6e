"""After the acceptance: the handoff, the check-ins that follow it, and an end with an outcome (DOMAIN 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.errors import Kind, Refusal
from services.matching.domain.case import (
    ASSIGNED,
    CLOSED,
    ENDED,
    FOLLOWED,
    Case,
    Changed,
    Checkin,
    Handoff,
    closed_offers,
    withdraw,
)
from services.matching.domain.events import (
    CaseCompleted,
    CheckinDue,
    CheckinMissed,
    CheckinRecorded,
    Event,
    HandoffRecorded,
)
from services.matching.domain.plan import Plan

HANDOFF_OUTCOMES = ("met", "left-before-seen", "unreachable")
CHECKIN_OUTCOMES = ("reached", "no-answer", "asked-to-stop")
OUTCOMES = ("engaged", "connected-to-treatment", "declined-further", "lost-contact", "moved-away", "died")
PLANNED, DUE, RECORDED, MISSED = "planned", "due", "recorded", "missed"
COMPLETED = "completed"
_CLOCK_SKEW = timedelta(minutes=10)


def record_handoff(case: Case, handoff: Handoff, plan: Plan, now: datetime) -> Changed:
    """The first meeting is on record, and the check-ins are planned from it.

    A peer who left before, or could not be reached, is followed by phone on the same plan; a meeting later replaces
    that record.  No event where this same key recorded it.  Raises Refusal CONFLICT not-assigned or
    handoff-already-recorded, INVALID outcome-unknown or time-not-possible.
    """
    known = case.handoff
    if known is not None and known.key == handoff.key:
        return case, []
    _known(handoff.outcome, HANDOFF_OUTCOMES)
    _happened(handoff.occurred_at, now)
    is_late_meeting = known is not None and known.outcome != "met" and handoff.outcome == "met"
    if case.state not in (ASSIGNED, FOLLOWED):
        raise not_assigned()
    if known is not None and not is_late_meeting:
        raise Refusal("handoff-already-recorded", Kind.CONFLICT, "The handoff is on record already.")
    checkins = case.checkins or tuple(
        Checkin(number, handoff.occurred_at + after) for number, after in enumerate(plan.after, start=1)
    )
    said = HandoffRecorded(
        referral_id=case.referral_id,
        offer_id=case.accepted_offer.offer_id,
        specialist_id=case.assigned_specialist_id,
        outcome=handoff.outcome,
        modality=handoff.modality,
        occurred_at=handoff.occurred_at,
    )
    return replace(case, state=FOLLOWED, handoff=handoff, checkins=checkins), [said]


def record_checkin(
    case: Case, number: int, outcome: str, *, key: str, at: datetime, now: datetime
) -> Changed:
    """The follow-up contact is on record; a missed one may still be recorded late.

    No event where this same key recorded it.  Raises Refusal CONFLICT no-handoff-yet, checkin-already-recorded,
    NOT_FOUND checkin-unknown, INVALID outcome-unknown or time-not-possible.
    """
    if any(one.key == key for one in case.checkins):
        return case, []
    if case.state != FOLLOWED:
        text = "Record the first meeting, or why there was none, before a check-in."
        raise Refusal("no-handoff-yet", Kind.CONFLICT, text)
    _known(outcome, CHECKIN_OUTCOMES)
    _happened(at, now)
    wanted = number or next((one.number for one in case.checkins if one.state != RECORDED), 0)
    found = next((one for one in case.checkins if one.number == wanted), None)
    if found is None:
        raise Refusal("checkin-unknown", Kind.NOT_FOUND, "There is no such check-in left.")
    if found.state == RECORDED:
        raise Refusal("checkin-already-recorded", Kind.CONFLICT, "This check-in is on record already.")
    done = replace(found, state=RECORDED, outcome=outcome, occurred_at=at, key=key)
    said = CheckinRecorded(case.referral_id, case.assigned_specialist_id, wanted, outcome, at)
    return _with_checkins(case, [done]), [said]


def complete(case: Case, outcome: str, now: datetime) -> Changed:
    """The work has ended with an outcome; the specialist carries less again.  A second time nothing happens.

    Raises Refusal CONFLICT no-handoff-yet, INVALID outcome-unknown.
    """
    if case.state == CLOSED and case.stop_code == COMPLETED:
        return case, []
    if case.state != FOLLOWED:
        raise Refusal(
            "no-handoff-yet",
            Kind.CONFLICT,
            "Record the first meeting, or why there was none, before the end.",
        )
    _known(outcome, OUTCOMES)
    offer = case.accepted_offer
    case, withdrawn = withdraw(case, case.open_offers, COMPLETED, now)  # somebody was asked to take it over
    case = closed_offers(case, [offer], ENDED, now, COMPLETED)
    closed = replace(case, state=CLOSED, stop_code=COMPLETED, outcome=outcome)
    return closed, [CaseCompleted(case.referral_id, offer.specialist_id, outcome), *withdrawn]


def advance(case: Case, plan: Plan, supervisor_id: str, now: datetime) -> Changed:
    """Check-ins whose time has come are due, those nobody recorded in time are missed; each is said once."""
    if case.state != FOLLOWED:
        return case, []
    events: list[Event] = []
    changed = []
    for one in case.checkins:
        missed_at = one.due_at + plan.grace[one.number - 1]
        if one.state == PLANNED and one.due_at <= now < missed_at:
            changed.append(replace(one, state=DUE, missed_at=missed_at))
            events.append(
                CheckinDue(case.referral_id, case.assigned_specialist_id, one.number, one.due_at, missed_at)
            )
        elif one.state in (PLANNED, DUE) and missed_at <= now:
            changed.append(replace(one, state=MISSED, missed_at=missed_at))
            events.append(
                CheckinMissed(case.referral_id, case.assigned_specialist_id, one.number, supervisor_id)
            )
    return _with_checkins(case, changed), events


def _with_checkins(case: Case, changed: Sequence[Checkin]) -> Case:
    newer = {one.number: one for one in changed}
    return replace(case, checkins=tuple(newer.get(one.number, one) for one in case.checkins))


def not_assigned() -> Refusal:
    """Nobody has said yes to the referral yet."""
    text = "Nobody has this referral yet: accept the offer first, then record the meeting."
    return Refusal("not-assigned", Kind.CONFLICT, text)


def _known(outcome: str, outcomes: Sequence[str]) -> None:
    if outcome not in outcomes:
        text = f"Say one of: {', '.join(outcomes)}."
        raise Refusal("outcome-unknown", Kind.INVALID, text, field="outcome")


def _happened(at: datetime, now: datetime) -> None:
    if at > now + _CLOCK_SKEW:
        text = "This has not happened yet: say when it did."
        raise Refusal("time-not-possible", Kind.INVALID, text, field="occurred_at")
