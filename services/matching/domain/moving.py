"""Somebody else carries on: at the wish of either side without blame, or because a specialist goes on leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.errors import Kind, Refusal
from services.matching.domain.case import (
    ACCEPTED,
    ASSIGNED,
    DECLINED,
    ENDED,
    EXPIRED,
    FOLLOWED,
    MOVE,
    SEEKING,
    Case,
    Changed,
    Link,
    Offer,
    closed_offers,
    make_offers,
    with_offer,
    withdraw,
)
from services.matching.domain.events import AssignmentEnded, RematchRequested
from services.matching.domain.policy import Wave
from services.matching.domain.rank import Candidate

SIDES = ("peer", "specialist")
REMATCH_REASONS = (
    "better-fit",
    "schedule",
    "distance",
    "language",
    "know-each-other",
    "prefer-not-to-say",
)
MOVE_REASONS = ("vacation", "leave", "leaving-the-programme", "caseload", "other")
REMATCHED = "rematch"
TIME_TO_ANSWER_A_MOVE = timedelta(days=2)


def request_rematch(case: Case, side: str, reason_code: str, *, key: str, now: datetime) -> Changed:
    """The assignment has ended at the wish of one side, and somebody else is sought from the first wave on.

    Nobody is blamed: nothing of it enters a score, and the other side hears only that somebody else comes.  The two are
    never matched again.  Follow-up that was planned goes on with whoever comes.  No event where this same key asked
    before.  Raises Refusal CONFLICT not-assigned, INVALID side-unknown or reason-unknown.
    """
    if case.rematch_key == key:
        return case, []
    if case.state not in (ASSIGNED, FOLLOWED):
        raise Refusal("not-assigned", Kind.CONFLICT, "Nobody is assigned to this referral.")
    if side not in SIDES:
        raise Refusal("side-unknown", Kind.INVALID, "Say whose wish it is: peer or specialist.")
    if reason_code not in REMATCH_REASONS:
        raise Refusal("reason-unknown", Kind.INVALID, f"Say one of: {', '.join(REMATCH_REASONS)}.")
    offer = case.accepted_offer
    asked = RematchRequested(offer.offer_id, case.referral_id, offer.specialist_id, side, reason_code)
    ended = AssignmentEnded(offer.offer_id, case.referral_id, offer.specialist_id, REMATCHED)
    case, withdrawn = withdraw(case, case.open_offers, REMATCHED, now)
    case = closed_offers(case, [offer], ENDED, now, f"{REMATCHED}-{side}")
    is_met = case.is_handed_off
    seeking = replace(
        case,
        state=SEEKING,
        wave=0,
        assigned_specialist_id="",
        handoff=case.handoff if is_met else None,
        checkins=case.checkins if is_met else (),
        is_overdue_told=False,
        rematch_key=key,
    )
    return seeking, [asked, ended, *withdrawn]


def propose_move(
    case: Case,
    candidate: Candidate,
    link: Link,
    reason_code: str,
    *,
    key: str,
    is_peer_willing: bool,
    now: datetime,
) -> Changed:
    """Somebody is asked to take a followed case over; whoever carries it goes on until they say yes.

    No event where this same key asked before.  Raises Refusal CONFLICT not-followed, move-already-asked or
    consent-expired, INVALID peer-not-asked or reason-unknown.
    """
    if repeated(case, key) is not None:
        return case, []
    if case.state != FOLLOWED:
        text = "Only a case after its first meeting moves; before, ask for somebody else."
        raise Refusal("not-followed", Kind.CONFLICT, text)
    if not is_peer_willing:
        raise Refusal("peer-not-asked", Kind.INVALID, "Ask the peer first: a case moves with their consent.")
    if reason_code not in MOVE_REASONS:
        raise Refusal("reason-unknown", Kind.INVALID, f"Say one of: {', '.join(MOVE_REASONS)}.")
    if case.open_offers:
        raise Refusal(
            "move-already-asked", Kind.CONFLICT, "Somebody was asked already and has time to answer."
        )
    if not case.need.is_consent_valid(now):
        raise Refusal("consent-expired", Kind.CONFLICT, "The consent has ended.")
    wave = Wave(max(case.wave, 1), 1, int(TIME_TO_ANSWER_A_MOVE.total_seconds()))
    case, events = make_offers(case, wave, [candidate], [link], now, kind=MOVE)
    asked = replace(case.offer(link.offer_id), step_key=key, reason_code=reason_code)
    return with_offer(case, asked), events


def repeated(case: Case, key: str) -> Offer | None:
    """The request to take over that this same key made, None where it made none."""
    return next((one for one in case.offers if one.kind == MOVE and one.step_key == key), None)


def unwilling(case: Case) -> frozenset[str]:
    """Who was asked to take the case over and did not."""
    asked = (one for one in case.offers if one.kind == MOVE and one.state in (DECLINED, EXPIRED))
    return frozenset(one.specialist_id for one in asked)


def ended_at_a_wish(cases: Sequence[Case]) -> frozenset[str]:
    """Whose assignment to this person ended at either side's wish, in any of their cases: a hard rule from then on."""
    return frozenset(
        one.specialist_id
        for case in cases
        for one in case.offers
        if one.state == ENDED and one.reason_code.startswith(REMATCHED)
    )


def carried_by(case: Case) -> str:
    """Who carries the case now, "" where nobody does."""
    return next((one.specialist_id for one in case.offers if one.state == ACCEPTED), "")
