"""A referral's case: waves of offers, one winner, never silently dropped (DOMAIN 1 and 2; P3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.errors import Kind, Refusal
from services.matching.domain.events import (
    Event,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferWithdrawn,
    ReferralEscalated,
)
from services.matching.domain.need import Need
from services.matching.domain.policy import Wave
from services.matching.domain.rank import Candidate
from services.matching.domain.score import Term

SEEKING, ASSIGNED, FOLLOWED, UNFILLED, CLOSED = "seeking", "assigned", "followed", "unfilled", "closed"
OPEN, ACCEPTED, DECLINED, EXPIRED, WITHDRAWN = "open", "accepted", "declined", "expired", "withdrawn"
ENDED = "ended"  # accepted once, and the assignment ended before it was carried out
DECLINE_REASONS = ("busy", "too-far", "unwell", "know-each-other", "not-a-good-fit", "other")
LONGEST_PROMISE = timedelta(days=7)


@dataclass(frozen=True)
class Offer:
    """A match put to one specialist until `deadline_at`. Only the SHA-256 of its link's token is kept."""

    offer_id: str
    specialist_id: str
    programme_id: str
    time_zone: str
    wave: int
    made_at: datetime
    deadline_at: datetime
    terms: tuple[Term, ...]
    ways: frozenset[str]
    token_sha256: bytes
    state: str = OPEN
    answered_at: datetime | None = None
    answer_key: str = ""
    reason_code: str = ""
    modality: str = ""
    promised_arrival_at: datetime | None = None


@dataclass(frozen=True)
class Handoff:
    """The first meeting, or why there was none: met, left-before-seen, unreachable."""

    outcome: str
    modality: str
    occurred_at: datetime
    key: str


@dataclass(frozen=True)
class Checkin:
    """One follow-up contact: planned, due, recorded or missed."""

    number: int
    due_at: datetime
    state: str = "planned"
    missed_at: datetime | None = None
    outcome: str = ""
    occurred_at: datetime | None = None
    key: str = ""


@dataclass(frozen=True)
class Case:
    """One referral on its way to one specialist."""

    need: Need
    opened_at: datetime
    state: str = SEEKING
    wave: int = 0
    offers: tuple[Offer, ...] = ()
    assigned_specialist_id: str = ""
    exclusions: Mapping[str, int] = field(default_factory=dict)
    revision: int = 1  # of the referral's facts
    stop_code: str = ""
    assigned_weight_milli: int = 0  # what the assignment weighs in the specialist's load
    handoff: Handoff | None = None
    checkins: tuple[Checkin, ...] = ()
    outcome: str = ""

    @property
    def referral_id(self) -> str:
        """The case has its referral's id."""
        return self.need.referral_id

    @property
    def open_offers(self) -> tuple[Offer, ...]:
        """The offers that still wait for an answer."""
        return tuple(offer for offer in self.offers if offer.state == OPEN)

    @property
    def accepted_offer(self) -> Offer:
        """The offer that was accepted and stands; there is one while the case is assigned or followed."""
        return next(offer for offer in self.offers if offer.state == ACCEPTED)

    @property
    def last_assignment(self) -> Offer | None:
        """The offer that was accepted last, also where its assignment has ended."""
        accepted = [offer for offer in self.offers if offer.state in (ACCEPTED, ENDED)]
        return max(accepted, key=lambda offer: offer.answered_at or offer.made_at, default=None)

    @property
    def asked_ids(self) -> frozenset[str]:
        """Everybody who was asked already; nobody is asked twice."""
        return frozenset(offer.specialist_id for offer in self.offers)

    def due_at(self, now: datetime) -> datetime | None:
        """When to look again: at the first deadline, at once where nobody is left to answer, at the next check-in."""
        if self.state == FOLLOWED:
            times = [one.due_at if one.state == "planned" else one.missed_at for one in self.checkins]
            waiting = zip(self.checkins, times, strict=True)
            return min((at for one, at in waiting if at and one.state in ("planned", "due")), default=None)
        if self.state != SEEKING:
            return None
        return min((offer.deadline_at for offer in self.open_offers), default=now)

    def offer(self, offer_id: str) -> Offer:
        """The offer with this id; raises Refusal NOT_FOUND."""
        for offer in self.offers:
            if offer.offer_id == offer_id:
                return offer
        raise Refusal("offer-unknown", Kind.NOT_FOUND)


@dataclass(frozen=True)
class Link:
    """A fresh offer's id and its single-use token, which is random and never stored."""

    offer_id: str
    token: str = field(repr=False)
    token_sha256: bytes


Changed = tuple[Case, list[Event]]


def make_offers(
    case: Case, wave: Wave, best: Sequence[Candidate], links: Sequence[Link], now: datetime
) -> Changed:
    """The wave's candidates have an offer each, until its deadline or the end of the consent if that is sooner."""
    deadline = now + timedelta(seconds=wave.seconds)
    if case.need.consent_expires_at is not None:
        deadline = min(deadline, case.need.consent_expires_at)
    offers = tuple(
        Offer(
            offer_id=link.offer_id,
            specialist_id=candidate.specialist_id,
            programme_id=candidate.programme_id,
            time_zone=candidate.time_zone,
            wave=wave.number,
            made_at=now,
            deadline_at=deadline,
            terms=candidate.terms,
            ways=candidate.ways,
            token_sha256=link.token_sha256,
        )
        for candidate, link in zip(best, links, strict=True)
    )
    events: list[Event] = []
    if wave.number > 1:
        reason = "wave-unanswered" if case.offers else "nobody-eligible"
        events.append(ReferralEscalated(case.referral_id, wave.number, False, reason))
    for offer, link in zip(offers, links, strict=True):
        made = OfferMade(
            offer.offer_id,
            case.referral_id,
            offer.specialist_id,
            wave.number,
            deadline,
            case.need.urgency,
            link.token,
        )
        events.append(made)
    return replace(case, wave=wave.number, offers=case.offers + offers), events


def give_up(case: Case, reason_code: str, supervisor_id: str, exclusions: Mapping[str, int]) -> Changed:
    """The referral is unfilled: with the supervisor, in the open pool, with the count of who was kept out by what."""
    event = ReferralEscalated(case.referral_id, 0, True, reason_code, supervisor_id)
    return replace(case, state=UNFILLED, exclusions=dict(exclusions)), [event]


def expire(case: Case, now: datetime) -> Changed:
    """Open offers whose deadline has passed are expired."""
    late = [offer for offer in case.open_offers if offer.deadline_at <= now]
    events: list[Event] = [OfferExpired(o.offer_id, case.referral_id, o.specialist_id) for o in late]
    return closed_offers(case, late, EXPIRED, now), events


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
    Raises Refusal CONFLICT offer-already-closed, offer-expired or idempotency-key-reused (this key said something
    else before), INVALID modality-not-offered or promise-not-in-time.
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
    if modality not in offer.ways:
        raise Refusal("modality-not-offered", Kind.INVALID, "Choose one of the ways this offer allows.")
    if not now <= promised_arrival_at <= now + LONGEST_PROMISE:
        raise Refusal("promise-not-in-time", Kind.INVALID, "Promise a time from now to seven days ahead.")
    won = replace(
        offer,
        state=ACCEPTED,
        answered_at=now,
        answer_key=key,
        modality=modality,
        promised_arrival_at=promised_arrival_at,
    )
    losers = [other for other in case.open_offers if other.offer_id != offer_id]
    reason = "somebody-accepted"
    events: list[Event] = [
        OfferAccepted(
            offer_id,
            case.referral_id,
            offer.specialist_id,
            promised_arrival_at,
            modality,
            offer.programme_id,
        )
    ]
    events += [OfferWithdrawn(o.offer_id, case.referral_id, o.specialist_id, reason) for o in losers]
    closed = _with_offer(closed_offers(case, losers, WITHDRAWN, now, reason), won)
    return replace(closed, state=ASSIGNED, assigned_specialist_id=offer.specialist_id), events


def decline(case: Case, offer_id: str, *, key: str, reason_code: str, now: datetime) -> Changed:
    """The specialist has said no, at no cost to them. No event where this same answer was already given.

    Raises Refusal CONFLICT offer-already-closed or offer-expired, INVALID reason-unknown.
    """
    offer = case.offer(offer_id)
    if offer.state == DECLINED and offer.answer_key == key:
        return case, []
    _check_open(case, offer, now)
    if reason_code not in DECLINE_REASONS:
        raise Refusal("reason-unknown", Kind.INVALID, "Choose one of the reasons the service knows.")
    said_no = replace(offer, state=DECLINED, answered_at=now, answer_key=key, reason_code=reason_code)
    event = OfferDeclined(offer_id, case.referral_id, offer.specialist_id, reason_code)
    return _with_offer(case, said_no), [event]


def _check_open(case: Case, offer: Offer, now: datetime) -> None:
    if offer.state == EXPIRED or (offer.state == OPEN and offer.deadline_at <= now):
        raise Refusal(
            "offer-expired", Kind.CONFLICT, "The time to answer has passed.", offer_id=offer.offer_id
        )
    if offer.state != OPEN or case.state != SEEKING:
        raise Refusal("offer-already-closed", Kind.CONFLICT, "This offer is closed.", offer_id=offer.offer_id)
    if not case.need.is_consent_valid(now):
        raise Refusal("consent-expired", Kind.CONFLICT, "The consent has ended.", offer_id=offer.offer_id)


def closed_offers(
    case: Case, closing: Sequence[Offer], state: str, now: datetime, reason_code: str = ""
) -> Case:
    """The case with these offers in another state."""
    ids = {offer.offer_id for offer in closing}
    offers = tuple(
        replace(offer, state=state, answered_at=now, reason_code=reason_code)
        if offer.offer_id in ids
        else offer
        for offer in case.offers
    )
    return replace(case, offers=offers)


def _with_offer(case: Case, changed: Offer) -> Case:
    offers = tuple(changed if offer.offer_id == changed.offer_id else offer for offer in case.offers)
    return replace(case, offers=offers)
