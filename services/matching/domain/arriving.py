"""Between the yes and the first meeting: on the way, late, there, or a call instead; and when nobody hears of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chassis.errors import Kind, Refusal
from services.matching.domain.case import ASSIGNED, Case, Changed, Offer, with_offer
from services.matching.domain.events import ArrivalOverdue, ArrivalUpdated, Event

EN_ROUTE, DELAYED, ARRIVED, BY_PHONE = "en-route", "delayed", "arrived", "by-phone"
STEPS = (EN_ROUTE, DELAYED, ARRIVED, BY_PHONE)
LEAVES_FIRST, NOT_HEARD_OF = "leaves-before-arrival", "not-heard-of"
_LONGEST_DELAY = timedelta(days=1)


def report(case: Case, step: str, *, key: str, promised_at: datetime | None, now: datetime) -> Changed:
    """What the assigned specialist says of their way is on record, with what they promise now.

    A delay and a call instead need a new time.  No event where this same key said it.  Raises Refusal CONFLICT
    not-assigned or already-arrived, INVALID step-unknown, promise-missing or promise-not-in-time.
    """
    if case.state != ASSIGNED:
        raise Refusal("not-assigned", Kind.CONFLICT, "Nobody is on their way to this referral.")
    offer = case.accepted_offer
    if offer.step_key == key:
        return case, []
    if step not in STEPS:
        raise Refusal("step-unknown", Kind.INVALID, f"Say one of: {', '.join(STEPS)}.")
    if offer.step == ARRIVED:
        raise Refusal("already-arrived", Kind.CONFLICT, "The arrival is on record: record the meeting.")
    if step in (DELAYED, BY_PHONE) and promised_at is None:
        raise Refusal("promise-missing", Kind.INVALID, "Say when you will be there, or ring.")
    if promised_at is not None and not now <= promised_at <= now + _LONGEST_DELAY:
        raise Refusal("promise-not-in-time", Kind.INVALID, "Promise a time from now to a day ahead.")
    modality = "phone" if step == BY_PHONE else offer.modality
    moved = replace(
        offer,
        step=step,
        step_key=key,
        modality=modality,
        promised_arrival_at=promised_at or offer.promised_arrival_at,
    )
    return replace(with_offer(case, moved), is_overdue_told=False), [_updated(case, moved)]


def overdue(case: Case, supervisor_id: str, now: datetime) -> Changed:
    """The supervisor is told once that nobody heard of an arrival that was promised."""
    due = case.overdue_at if case.state == ASSIGNED else None
    if due is None or due > now or case.is_overdue_told:
        return case, []
    return replace(case, is_overdue_told=True), [_overdue(case, NOT_HEARD_OF, supervisor_id)]


def adapt_to_departure(case: Case, ways: frozenset[str], supervisor_id: str) -> Changed:
    """A visit that would come after the person left is a call instead, where both sides can; else a supervisor is told.

    `ways` are those still possible.  What was promised stays the specialist's own time.
    """
    leaves_at = case.need.expected_departure_at
    if case.state != ASSIGNED or leaves_at is None:
        return case, []
    offer = case.accepted_offer
    is_late = offer.promised_arrival_at is not None and offer.promised_arrival_at > leaves_at
    if offer.modality != "bedside" or offer.step == ARRIVED or not is_late:
        return case, []
    if "phone" not in ways:
        return replace(case, is_overdue_told=True), [_overdue(case, LEAVES_FIRST, supervisor_id)]
    called = replace(offer, modality="phone", step=BY_PHONE)
    return with_offer(case, called), [_updated(case, called, LEAVES_FIRST)]


def _updated(case: Case, offer: Offer, reason_code: str = "") -> Event:
    assert offer.promised_arrival_at is not None
    return ArrivalUpdated(
        offer.offer_id,
        case.referral_id,
        offer.specialist_id,
        offer.step,
        offer.promised_arrival_at,
        offer.modality,
        reason_code,
    )


def _overdue(case: Case, reason_code: str, supervisor_id: str) -> Event:
    offer = case.accepted_offer
    assert offer.promised_arrival_at is not None
    return ArrivalOverdue(
        offer.offer_id,
        case.referral_id,
        offer.specialist_id,
        offer.promised_arrival_at,
        reason_code,
        supervisor_id,
    )
