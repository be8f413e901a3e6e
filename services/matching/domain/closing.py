"""What ends or overtakes a case from outside: the referral was stopped, or its facts have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.matching.domain.case import (
    ACCEPTED,
    ASSIGNED,
    CLOSED,
    ENDED,
    SEEKING,
    UNFILLED,
    Case,
    Changed,
    Offer,
    closed_offers,
    withdraw,
)
from services.matching.domain.events import AssignmentEnded, CaseClosed
from services.matching.domain.need import Need
from services.matching.domain.rank import Entry
from services.matching.domain.rules import CAPACITY, PREFERENCE, SAFETY, Question, excluded_by, ways

_REVISED = "referral-revised"


def tombstone(need: Need, stop_code: str, now: datetime) -> Changed:
    """The case of a referral that was stopped before it was heard of: closed from the start, whatever comes later."""
    case = Case(need, now, state=CLOSED, stop_code=stop_code)
    return case, [CaseClosed(case.referral_id, stop_code, "")]


def stop(case: Case, stop_code: str, now: datetime) -> Changed:
    """Every open offer is withdrawn, an assignment ends, the case is closed for good; a second time nothing happens."""
    if case.state == CLOSED:
        return case, []
    case, events = withdraw(case, case.open_offers, stop_code, now)
    case, ended = _end_assignment(case, stop_code, now)
    specialist_id = ended[0].specialist_id if ended else ""
    closed = replace(
        case, state=CLOSED, stop_code=stop_code
    )  # check-ins that were planned are not looked at again
    return closed, [*events, *ended, CaseClosed(case.referral_id, stop_code, specialist_id)]


def revise(case: Case, need: Need, revision: int, asked: Question, roster: Mapping[str, Entry]) -> Changed:
    """The new facts hold from now on.

    An offer that a hard rule now forbids is withdrawn (P8), the others keep the ways that are still possible.  An
    assignment ends only where a "must", an "avoid" or a safety exclusion forbids it: the rest is for people to judge.
    An unfilled referral is sought for again.  `asked` is the question of the new need, with nobody asked before;
    `roster` has whoever holds an open or accepted offer.  An older revision changes nothing.
    """
    if revision <= case.revision or case.state == CLOSED:
        return case, []
    is_more_urgent = need.urgency != case.need.urgency and need.urgency == "immediate"
    case = replace(case, need=need, revision=revision)
    forbidden = [offer for offer in case.open_offers if not _fits(offer, asked, roster)]
    case, events = withdraw(case, forbidden, _REVISED, asked.at)
    case = _with_ways(case, asked, roster)
    if case.state == ASSIGNED and _is_unsafe(case, asked, roster):
        case, ended = _end_assignment(case, _REVISED, asked.at)
        events += ended
        case = replace(case, state=SEEKING, assigned_specialist_id="")
    if case.state == UNFILLED:
        case = replace(case, state=SEEKING)
    if case.state == SEEKING and (is_more_urgent or not case.open_offers):
        case = replace(case, wave=0)
    return case, events


def _end_assignment(case: Case, reason: str, now: datetime) -> tuple[Case, list[AssignmentEnded]]:
    accepted = [offer for offer in case.offers if offer.state == ACCEPTED]
    events = [
        AssignmentEnded(offer.offer_id, case.referral_id, offer.specialist_id, reason) for offer in accepted
    ]
    return closed_offers(case, accepted, ENDED, now, reason), events


def _fits(offer: Offer, asked: Question, roster: Mapping[str, Entry]) -> bool:
    """Capacity is asked when they accept."""
    entry = roster.get(offer.specialist_id)
    return entry is not None and excluded_by(asked, *entry) in (None, CAPACITY)


def _is_unsafe(case: Case, asked: Question, roster: Mapping[str, Entry]) -> bool:
    entry = roster.get(case.assigned_specialist_id)
    return entry is not None and excluded_by(asked, *entry) in (SAFETY, PREFERENCE)


def _with_ways(case: Case, asked: Question, roster: Mapping[str, Entry]) -> Case:
    open_ids = {offer.offer_id for offer in case.open_offers}
    offers = tuple(
        replace(offer, ways=ways(asked, roster[offer.specialist_id][0]))
        if offer.offer_id in open_ids
        else offer
        for offer in case.offers
    )
    return replace(case, offers=offers)
