"""A specialist's yes or no to an offer: exactly one yes wins (P3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chassis.errors import Kind, Refusal
from services.matching.domain.case import (
    ACCEPTED,
    ASSIGNED,
    DECLINE_REASONS,
    DECLINED,
    ENDED,
    EXPIRED,
    FOLLOWED,
    MOVE,
    OPEN,
    SEEKING,
    SOMEBODY_ACCEPTED,
    Case,
    Changed,
    Offer,
    closed_offers,
    with_offer,
    withdraw,
)
from services.matching.domain.events import CaseMoved, Event, OfferAccepted, OfferDeclined

_LONGEST_PROMISE = timedelta(days=7)


def accept(
    case: Case,
    offer_id: str,
    *,
    key: str,
    promised_arrival_at: datetime,
    modality: str,
    now: datetime,
    is_click: bool = False,
) -> Changed:
    """The offer has won and the others are withdrawn. No event where this same answer was already given.

    `is_click`: the answer came by a link, which counts minutes from the click, so a second click gets the first answer.
    A yes to take a case over moves it: the assignment that stood has ended.
    Raises Refusal CONFLICT offer-already-closed, offer-expired or idempotency-key-reused (this key said something
    else before), INVALID modality-not-offered, promise-not-in-time or leaves-before-arrival.
    """
    offer = case.offer(offer_id)
    if offer.state == ACCEPTED and offer.answer_key == key:
        is_same = (offer.modality, offer.promised_arrival_at) == (modality, promised_arrival_at)
        if not (is_same or is_click):
            raise Refusal(
                "idempotency-key-reused",
                Kind.CONFLICT,
                "This key accepted the offer with another way or time.",
                offer_id=offer_id,
            )
        return case, []
    _check_open(case, offer, now)
    check_promise(case, modality, offer.ways, promised_arrival_at, now)
    won = replace(
        offer,
        state=ACCEPTED,
        answered_at=now,
        answer_key=key,
        modality=modality,
        promised_arrival_at=promised_arrival_at,
    )
    return assigned(case, won, now)


def assigned(case: Case, won: Offer, now: datetime) -> Changed:
    """The case is with whom this offer names; every other open offer is withdrawn, an assignment that stood has ended.

    After the first meeting the follow-up goes on with them; before, the case waits for it.
    """
    carried = [offer for offer in case.offers if offer.state == ACCEPTED]
    from_id = carried[0].specialist_id if carried else ""
    losers = [other for other in case.open_offers if other.offer_id != won.offer_id]
    closed, withdrawn = withdraw(case, losers, SOMEBODY_ACCEPTED, now)
    closed = closed_offers(closed, carried, ENDED, now, "moved")
    closed = with_offer(closed, won)
    state = FOLLOWED if case.state == FOLLOWED or case.is_handed_off else ASSIGNED
    said: Event
    if state == FOLLOWED:
        reason = won.reason_code or "rematch"
        said = CaseMoved(won.offer_id, case.referral_id, from_id, won.specialist_id, reason)
    else:
        assert won.promised_arrival_at is not None
        said = OfferAccepted(
            won.offer_id,
            case.referral_id,
            won.specialist_id,
            won.promised_arrival_at,
            won.modality,
            won.programme_id,
        )
    after = replace(closed, state=state, assigned_specialist_id=won.specialist_id, is_overdue_told=False)
    return after, [said, *withdrawn]


def decline(case: Case, offer_id: str, *, key: str, reason_code: str, now: datetime) -> Changed:
    """The specialist has said no, at no cost to them. No event where this same answer was already given.

    Raises Refusal CONFLICT offer-already-closed or offer-expired, INVALID reason-unknown.
    """
    offer = case.offer(offer_id)
    if offer.state == DECLINED and offer.answer_key == key:
        return case, []
    _check_open(case, offer, now)
    if reason_code not in DECLINE_REASONS:
        raise Refusal("reason-unknown", Kind.INVALID, f"Say one of: {', '.join(DECLINE_REASONS)}.")
    said_no = replace(offer, state=DECLINED, answered_at=now, answer_key=key, reason_code=reason_code)
    event = OfferDeclined(offer_id, case.referral_id, offer.specialist_id, reason_code)
    return with_offer(case, said_no), [event]


def check_promise(
    case: Case, modality: str, ways: frozenset[str], promised_arrival_at: datetime, now: datetime
) -> None:
    """Raises Refusal INVALID where nobody could keep this promise, or the person would be gone."""
    if modality not in ways:
        told = ", ".join(sorted(ways)) or "none any more"
        raise Refusal("modality-not-offered", Kind.INVALID, f"The ways this offer allows: {told}.")
    if not now <= promised_arrival_at <= now + _LONGEST_PROMISE:
        raise Refusal("promise-not-in-time", Kind.INVALID, "Promise a time from now to seven days ahead.")
    leaves_at = case.need.expected_departure_at
    is_visit = modality == "bedside" and not case.is_handed_off
    if is_visit and leaves_at is not None and promised_arrival_at > leaves_at:
        text = "The person is expected to leave before then: come sooner, or ring."
        raise Refusal("leaves-before-arrival", Kind.INVALID, text)


def _check_open(case: Case, offer: Offer, now: datetime) -> None:
    if offer.state == EXPIRED or (offer.state == OPEN and offer.deadline_at <= now):
        raise Refusal(
            "offer-expired",
            Kind.CONFLICT,
            "The time to answer has passed; if nobody is found, the referral comes to the open pool.",
            offer_id=offer.offer_id,
        )
    states = (FOLLOWED,) if offer.kind == MOVE else (SEEKING,)
    if offer.state != OPEN or case.state not in states:
        raise Refusal("offer-already-closed", Kind.CONFLICT, _why_closed(offer), offer_id=offer.offer_id)
    if not case.need.is_consent_valid(now):
        raise Refusal("consent-expired", Kind.CONFLICT, "The consent has ended.", offer_id=offer.offer_id)


def _why_closed(offer: Offer) -> str:
    """What became of it and what one can do now, in words for whoever holds it."""
    if offer.state == ACCEPTED:
        return "You accepted this offer already: the referral is yours. Say how your way goes, or record the meeting."
    if offer.state == DECLINED:
        return "You declined this offer already; that stays, and costs nothing."
    if offer.state == ENDED:
        return "You had accepted this offer, and the assignment has ended since."
    if offer.reason_code == SOMEBODY_ACCEPTED:
        return "Somebody else said yes first: there is nothing left to do for you."
    return "This offer was taken back: there is nothing left to do for you."
