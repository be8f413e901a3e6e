"""Who takes a referral without having won an offer: a supervisor decides, or a specialist claims it from the pool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import Kind, Refusal
from services.matching.domain.answering import assigned, check_promise
from services.matching.domain.case import (
    ACCEPTED,
    BY_HAND,
    CLAIM,
    OPEN,
    SEEKING,
    UNFILLED,
    Case,
    Changed,
    Offer,
)
from services.matching.domain.events import AssignmentChosen
from services.matching.domain.rank import Candidate

CLAIMED = "claimed"
HAND_REASONS = ("nobody-in-time", "peer-asked-for-them", "continuity", "local-knowledge", "other")


@dataclass(frozen=True)
class Taking:
    """What is promised with it; `how` is by-hand or claim, `key` makes a repeat harmless."""

    how: str
    key: str
    promised_arrival_at: datetime
    modality: str
    reason_code: str = CLAIMED


def repeated(case: Case, key: str, specialist_id: str) -> Offer | None:
    """The assignment of this specialist that this same key made before, None where it made none."""
    made = (one for one in case.offers if one.kind in (BY_HAND, CLAIM) and one.answer_key == key)
    return next((one for one in made if one.specialist_id == specialist_id), None)


def check_waiting(case: Case, taking: Taking, now: datetime) -> None:
    """Raises Refusal where nobody can take the referral now, or not in this way."""
    if case.state not in (SEEKING, UNFILLED):
        raise Refusal("not-waiting", Kind.CONFLICT, "Somebody has this referral, or it is closed.")
    if taking.how == CLAIM and case.state != UNFILLED:
        raise Refusal("not-in-the-pool", Kind.CONFLICT, "Others are being asked for this referral.")
    if not case.need.is_consent_valid(now):
        raise Refusal("consent-expired", Kind.CONFLICT, "The consent has ended.")
    if taking.how == BY_HAND and taking.reason_code not in HAND_REASONS:
        raise Refusal("reason-unknown", Kind.INVALID, f"Say one of: {', '.join(HAND_REASONS)}.")


def take(
    case: Case, candidate: Candidate, taking: Taking, *, offer_id: str, passed_over: int, now: datetime
) -> Changed:
    """The candidate, whom no hard rule keeps out, has the referral; whoever was asked hears that it is taken.

    No event where this same key did it before.  Raises Refusal CONFLICT not-waiting (somebody has it, or it is closed),
    not-in-the-pool (a claim while offers are out), consent-expired; INVALID reason-unknown, modality-not-offered,
    promise-not-in-time, leaves-before-arrival.
    """
    if repeated(case, taking.key, candidate.specialist_id) is not None:
        return case, []
    check_waiting(case, taking, now)
    check_promise(case, taking.modality, candidate.ways, taking.promised_arrival_at, now)
    won = _won(case, candidate, taking, offer_id, now)
    held = case if won.offer_id != offer_id else replace(case, offers=(*case.offers, won))
    after, events = assigned(held, won, now)
    chosen = AssignmentChosen(
        won.offer_id, case.referral_id, won.specialist_id, taking.how, taking.reason_code, passed_over
    )
    return after, [chosen, *events]


def _won(case: Case, candidate: Candidate, taking: Taking, offer_id: str, now: datetime) -> Offer:
    """Their open offer where they have one, else a new one: it was never open, and no link leads to it."""
    told = {
        "state": ACCEPTED,
        "answered_at": now,
        "answer_key": taking.key,
        "modality": taking.modality,
        "promised_arrival_at": taking.promised_arrival_at,
        "kind": taking.how,
        "reason_code": taking.reason_code if case.is_handed_off else "",
        "ways": candidate.ways,
    }
    mine = (one for one in case.offers if one.specialist_id == candidate.specialist_id and one.state == OPEN)
    offer = next(mine, None) or Offer(
        offer_id=offer_id,
        specialist_id=candidate.specialist_id,
        programme_id=candidate.programme_id,
        time_zone=candidate.time_zone,
        wave=case.wave,
        made_at=now,
        deadline_at=now,
        terms=candidate.terms,
        ways=candidate.ways,
        token_sha256=offer_id.encode(),  # no SHA-256, so no token leads here; the index wants it unique
    )
    return replace(offer, **told)  # type: ignore[arg-type]
