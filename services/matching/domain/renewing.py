"""When the world changes while offers are out: who may not take the referral any more is asked no longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from services.matching.domain.case import (
    ASK_AGAIN,
    CASELOAD_FULL,
    MOVE,
    NOT_DELIVERED,
    OPEN,
    SEEKING,
    Case,
    Changed,
    Offer,
    with_offer,
    withdraw,
)
from services.matching.domain.events import Event
from services.matching.domain.rank import Entry
from services.matching.domain.rules import CAPACITY, Question, excluded_by

NO_LONGER_FITS = "no-longer-fits"
_STEP = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)


def withdraw_unfit(case: Case, asked: Question, roster: Mapping[str, Entry], now: datetime) -> Changed:
    """Open offers of those whom a hard rule keeps out by now are withdrawn; `roster` has whoever is looked at.

    `asked` is the question of the wave the case is in, with nobody asked before.
    """
    events: list[Event] = []
    for offer in case.open_offers:
        reason = _reason(offer, asked, roster)
        if reason and case.state == SEEKING and offer.kind != MOVE:
            case, said = withdraw(case, [offer], reason, now)
            events += said
    return case, events


def unheard(case: Case, offer_id: str, now: datetime) -> Changed:
    """The time to answer of an offer that never reached its specialist ends now, and the clock asks somebody else.

    An offer that was answered or closed meanwhile stays as it is.
    """
    offer = case.offer(offer_id)
    if offer.state != OPEN or offer.is_unheard:
        return case, []
    return with_offer(case, replace(offer, is_unheard=True, deadline_at=min(now, offer.deadline_at))), []


def lost(case: Case, before: Case) -> int:
    """How many open offers the case lost to the world, and not to an answer, since `before`."""
    were_open = {offer.offer_id for offer in before.open_offers}
    return sum(
        offer.offer_id in were_open and offer.reason_code in ASK_AGAIN | {NO_LONGER_FITS, NOT_DELIVERED}
        for offer in case.offers
    )


def end_of_shift(is_on: Callable[[datetime], bool], now: datetime, until: datetime) -> datetime:
    """The minute before `until` in which somebody goes off shift, or `until`; they are on shift now.

    Looked for in quarters of an hour: a gap in a roster that is shorter is no end of a shift.
    """
    at = now
    while at < until:
        later = min(at + _STEP, until)
        if not is_on(later):
            return _first_off(is_on, at, later)
        at = later
    return until


def _first_off(is_on: Callable[[datetime], bool], on: datetime, off: datetime) -> datetime:
    while off - on > _MINUTE:
        middle = on + (off - on) / 2
        on, off = (middle, off) if is_on(middle) else (on, middle)
    return off.replace(second=0, microsecond=0) if off.replace(second=0, microsecond=0) > on else off


def _reason(offer: Offer, asked: Question, roster: Mapping[str, Entry]) -> str:
    entry = roster.get(offer.specialist_id)
    if entry is None:
        return ""
    rule = excluded_by(asked, *entry)
    if rule is None:
        return ""
    return CASELOAD_FULL if rule == CAPACITY else NO_LONGER_FITS
