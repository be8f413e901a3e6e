"""A referral's case: waves of offers, one winner, never silently dropped (DOMAIN 1 and 2; P3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from chassis.errors import Kind, Refusal
from services.matching.domain.events import (
    Event,
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
KNOW_EACH_OTHER = "know-each-other"  # and the two are kept apart from then on
DECLINE_REASONS = ("busy", "too-far", "unwell", KNOW_EACH_OTHER, "not-a-good-fit", "other")
# How somebody came to be asked: by the ladder, as one of a joint plan, to take a case over; or took the referral
# without an offer before.
LADDER, JOINT, MOVE, BY_HAND, CLAIM = "ladder", "joint", "move", "by-hand", "claim"
SHIFT_ENDED, CASELOAD_FULL, SOMEBODY_ACCEPTED = "shift-ended", "caseload-full", "somebody-accepted"
NOT_DELIVERED = "not-delivered"  # its notice was given up: they never heard of it
# Whoever did not answer because of these may be asked again.
ASK_AGAIN = frozenset({SHIFT_ENDED, CASELOAD_FULL, SOMEBODY_ACCEPTED})
# How soon a referral that nobody is found for is looked at again: somebody may have come on shift, or be free.
_LOOK_AGAIN = {"immediate": timedelta(seconds=20), "urgent": timedelta(minutes=1)}
_LOOK_AGAIN_LATER = timedelta(minutes=5)
# Who waits long is looked at less often: a thirtieth of their wait, and every ten minutes at the least.
_LOOK_AGAIN_AT_LEAST = timedelta(minutes=10)
# How long after the promise somebody has to say that they came.
_ARRIVAL_GRACE = {"immediate": timedelta(minutes=15), "urgent": timedelta(hours=1)}
_ARRIVAL_GRACE_LATER = timedelta(hours=4)
UNKNOWN = {
    "offer-unknown": "No offer has this id; list your offers, and use an id of that list.",
    "case-unknown": "Matching knows no referral of this id.",
}


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
    kind: str = LADDER
    ends_with_shift: bool = False  # the deadline is the end of their shift
    step: str = ""  # en-route, delayed, arrived, by-phone
    step_key: str = ""
    is_unheard: bool = False  # its notice was given up; the clock closes it


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
    is_overdue_told: bool = False  # the supervisor knows that nobody heard of the arrival
    rematch_key: str = ""

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
        latest = sorted(accepted, key=lambda o: (o.state == ACCEPTED, o.answered_at or o.made_at))
        return latest[-1] if latest else None

    @property
    def asked_ids(self) -> frozenset[str]:
        """Everybody who was asked already; nobody is asked twice, but who had no time to answer."""
        return frozenset(o.specialist_id for o in self.offers if o.reason_code not in ASK_AGAIN)

    @property
    def is_handed_off(self) -> bool:
        """True from when the peer was met: whoever carries on carries on the follow-up."""
        return self.handoff is not None and self.handoff.outcome == "met"

    def due_at(self, now: datetime) -> datetime | None:
        """When to look again; None where only somebody's word moves the case.

        At the first deadline, at once where nobody is left to answer, at the next check-in, when an arrival is overdue,
        and again and again while nobody is found.
        """
        deadlines = [offer.deadline_at for offer in self.open_offers]
        if self.state == SEEKING:
            return min(deadlines, default=now)
        if self.state == UNFILLED:
            soon = _LOOK_AGAIN.get(self.need.urgency, _LOOK_AGAIN_LATER)
            again = now + max(soon, min((now - self.opened_at) / 30, _LOOK_AGAIN_AT_LEAST))
            return again if self.need.is_consent_valid(again) else None
        if self.state == ASSIGNED:
            return None if self.is_overdue_told else self.overdue_at
        if self.state == FOLLOWED:
            times = [one.due_at if one.state == "planned" else one.missed_at for one in self.checkins]
            waiting = zip(self.checkins, times, strict=True)
            ahead = [at for one, at in waiting if at and one.state in ("planned", "due")]
            return min([*ahead, *deadlines], default=None)
        return None

    @property
    def overdue_at(self) -> datetime | None:
        """From when on an assigned specialist of whom nobody heard is overdue; None once they were there."""
        offer = self.accepted_offer
        if offer.step == "arrived" or offer.promised_arrival_at is None:
            return None
        return offer.promised_arrival_at + _ARRIVAL_GRACE.get(self.need.urgency, _ARRIVAL_GRACE_LATER)

    def offer(self, offer_id: str) -> Offer:
        """The offer with this id; raises Refusal NOT_FOUND."""
        for offer in self.offers:
            if offer.offer_id == offer_id:
                return offer
        raise Refusal("offer-unknown", Kind.NOT_FOUND, UNKNOWN["offer-unknown"])


@dataclass(frozen=True)
class Link:
    """A fresh offer's id and its single-use token, which is random and never stored."""

    offer_id: str
    token: str = field(repr=False)
    token_sha256: bytes


Changed = tuple[Case, list[Event]]


def make_offers(
    case: Case,
    wave: Wave,
    best: Sequence[Candidate],
    links: Sequence[Link],
    now: datetime,
    *,
    shift_ends: Mapping[str, datetime] = MappingProxyType({}),
    until: datetime | None = None,
    kind: str = LADDER,
) -> Changed:
    """The candidates have an offer each, until the wave's deadline or the end of the consent or of their own shift.

    `shift_ends` says when a candidate goes off shift, `until` replaces the wave's own deadline.  A wave that the case
    was not in yet is an escalation, which is said.
    """
    deadline = until or now + timedelta(seconds=wave.seconds)
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
            deadline_at=min(deadline, shift_ends.get(candidate.specialist_id, deadline)),
            terms=candidate.terms,
            ways=candidate.ways,
            token_sha256=link.token_sha256,
            kind=kind,
            ends_with_shift=shift_ends.get(candidate.specialist_id, deadline) < deadline,
        )
        for candidate, link in zip(best, links, strict=True)
    )
    events: list[Event] = []
    if wave.number > max(case.wave, 1):
        reason = "wave-unanswered" if case.offers else "nobody-eligible"
        events.append(ReferralEscalated(case.referral_id, wave.number, False, reason))
    events += [_made(case, offer, link) for offer, link in zip(offers, links, strict=True)]
    state = SEEKING if case.state == UNFILLED else case.state
    number = case.wave if kind == MOVE else wave.number
    return replace(case, state=state, wave=number, offers=case.offers + offers), events


def _made(case: Case, offer: Offer, link: Link) -> OfferMade:
    return OfferMade(
        offer.offer_id,
        case.referral_id,
        offer.specialist_id,
        offer.wave,
        offer.deadline_at,
        case.need.urgency,
        link.token,
    )


def give_up(case: Case, reason_code: str, supervisor_id: str, exclusions: Mapping[str, int]) -> Changed:
    """The referral is unfilled: with the supervisor, in the open pool, with the count of who was kept out by what."""
    event = ReferralEscalated(case.referral_id, 0, True, reason_code, supervisor_id)
    return replace(case, state=UNFILLED, exclusions=dict(exclusions)), [event]


def expire(case: Case, now: datetime) -> Changed:
    """Open offers whose deadline has passed are expired; who went off shift meanwhile may be asked again."""
    late = [offer for offer in case.open_offers if offer.deadline_at <= now]
    events: list[Event] = [OfferExpired(o.offer_id, case.referral_id, o.specialist_id) for o in late]
    for offer in late:
        why = NOT_DELIVERED if offer.is_unheard else SHIFT_ENDED if offer.ends_with_shift else ""
        case = closed_offers(case, [offer], EXPIRED, now, why)
    return case, events


def withdraw(case: Case, offers: Sequence[Offer], reason_code: str, now: datetime) -> Changed:
    """These offers need no answer any more."""
    events: list[Event] = [
        OfferWithdrawn(offer.offer_id, case.referral_id, offer.specialist_id, reason_code) for offer in offers
    ]
    return closed_offers(case, offers, WITHDRAWN, now, reason_code), events


def closed_offers(
    case: Case, closing: Sequence[Offer], state: str, now: datetime, reason_code: str = ""
) -> Case:
    """The case with these offers in another state; one that was answered keeps the moment of its answer."""
    ids = {offer.offer_id for offer in closing}
    offers = tuple(
        replace(offer, state=state, answered_at=offer.answered_at or now, reason_code=reason_code)
        if offer.offer_id in ids
        else offer
        for offer in case.offers
    )
    return replace(case, offers=offers)


def with_offer(case: Case, changed: Offer) -> Case:
    """The case with this offer in place of the one with its id."""
    offers = tuple(changed if offer.offer_id == changed.offer_id else offer for offer in case.offers)
    return replace(case, offers=offers)
