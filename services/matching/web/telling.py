"""Cases and offers as the pages tell them: words, clocks and choices, never more than the reader may know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.matching import taxonomy, tongues, wording
from services.matching.domain import followup
from services.matching.domain.case import ASSIGNED, FOLLOWED, MOVE, SEEKING, Case, Checkin, Offer
from services.matching.domain.need import Need
from services.matching.domain.specialist import MODALITIES
from services.matching.web import pages
from services.matching.web.office import Visit

# What somebody may promise, in minutes; the second is chosen before anybody touches it.
PROMISES: Mapping[str, tuple[tuple[int, ...], int]] = {
    "immediate": ((5, 10, 15, 20, 25, 30, 40, 50, 60, 90), 20),
    "urgent": ((15, 30, 60, 120, 180, 240, 360, 480), 120),
    "routine": ((60, 120, 240, 480, 1440, 2880, 4320), 1440),
}
_SHORT = 6


@dataclass(frozen=True)
class Choices:
    """The ways somebody may be with the person, and when."""

    ways: tuple[str, ...]
    minutes: tuple[tuple[int, str], ...]
    usual: int


@dataclass(frozen=True)
class Card:
    """A referral somebody is asked for, or may take."""

    referral_id: str
    offer_id: str
    urgency: str
    until: datetime | None
    until_text: str
    since_text: str
    leaves_text: str
    languages: str
    is_interpreter_agreed: bool
    reasons: tuple[str, ...]
    choices: Choices
    is_move: bool


@dataclass(frozen=True)
class Line:
    """A case somebody carries, in one line; `promise` is what they said, `next_text` when the next check-in is due."""

    case: Case
    short_id: str
    promise: datetime | None
    promise_text: str
    modality: str
    step: str
    is_late: bool
    leaves_text: str
    due: tuple[Checkin, ...]
    next_text: str


def choices(urgency: str, ways: frozenset[str], words: dict[str, str]) -> Choices:
    """What can be promised for a referral of this urgency."""
    minutes, usual = PROMISES[urgency]
    told = tuple((number, in_minutes(number, words)) for number in minutes)
    return Choices(tuple(way for way in MODALITIES if way in ways), told, usual)


def in_minutes(number: int, words: dict[str, str]) -> str:
    """ "20 min", "2 h", "2 days"."""
    if number < 100:
        return words["span_minutes"].format(n=number)
    if number < 1440:
        return words["span_hours"].format(n=number // 60)
    return words["span_one_day"] if number == 1440 else words["span_days"].format(n=number // 1440)


def card(
    visit: Visit, case: Case, reasons: Sequence[str], ways: frozenset[str], offer: Offer | None = None
) -> Card:
    """A referral that waits for somebody's yes."""
    until = offer.deadline_at if offer else None
    return Card(
        referral_id=case.referral_id,
        offer_id=offer.offer_id if offer else "",
        urgency=case.need.urgency,
        until=until,
        until_text=visit.when(until),
        since_text=visit.when(case.opened_at),
        leaves_text=visit.when(case.need.expected_departure_at),
        languages=languages(case.need, visit.reader),
        is_interpreter_agreed=case.need.is_interpreter_agreed,
        reasons=tuple(reasons),
        choices=choices(case.need.urgency, ways, visit.words),
        is_move=offer is not None and offer.kind == MOVE,
    )


def offered(visit: Visit, case: Case, offer: Offer) -> Card:
    """An open offer with its reasons."""
    return card(visit, case, wording.reasons(offer.terms, visit.reader), offer.ways, offer)


def line(visit: Visit, case: Case) -> Line:
    """A case somebody carries."""
    now, offer = visit.room.clock.now(), case.accepted_offer
    waiting = [one for one in case.checkins if one.state in (followup.PLANNED, followup.DUE)]
    late = case.overdue_at if case.state == ASSIGNED else None
    return Line(
        case=case,
        short_id=short(case.referral_id),
        promise=offer.promised_arrival_at if case.state == ASSIGNED else None,
        promise_text=visit.when(offer.promised_arrival_at) if case.state == ASSIGNED else "",
        modality=offer.modality,
        step=offer.step,
        is_late=late is not None and late <= now,
        leaves_text=visit.when(case.need.expected_departure_at) if case.state == ASSIGNED else "",
        due=tuple(one for one in case.checkins if one.state in (followup.DUE, followup.MISSED)),
        next_text=visit.when(min((one.due_at for one in waiting), default=None)),
    )


def short(referral_id: str) -> str:
    """Enough of an id to tell two apart on a phone."""
    return referral_id[-_SHORT:]


def languages(need: Need, reader: str) -> str:
    """The languages by name, best first."""
    return ", ".join(tongues.name(tag, reader) for tag in need.languages)


def wishes(need: Need, reader: str) -> list[tuple[str, str, str]]:
    """What was wished for: code, label, strength.  What is to be avoided is nobody's to read here."""
    known = taxonomy.read()
    return [
        (code, known.label(code, reader) if code in known else code, strength)
        for code, strength in need.preferences.items()
        if strength in ("must", "strong", "some")
    ]


def kept_out(counts: Mapping[str, int], words: dict[str, str]) -> list[tuple[str, int]]:
    """How many each hard rule kept out, most first."""
    told = [(words.get(f"rule_{rule}", rule), count) for rule, count in counts.items() if count]
    return sorted(told, key=lambda one: -one[1])


def state_word(case: Case) -> str:
    """The key of the word for how a case stands."""
    if case.state == SEEKING and not case.open_offers:
        return "state_starting"
    if case.state == FOLLOWED and case.handoff is not None and case.handoff.outcome != "met":
        return "state_not_met"
    return f"state_{case.state}"


def points(milli: int) -> str:
    """Thousandths of a point as points, without what is not there: "57.25"."""
    return f"{milli / 1000:.3f}".rstrip("0").rstrip(".")


def clock(visit: Visit, moment: datetime, zone: str) -> tuple[str, str]:
    """A time at the facility, and how far it is from now."""
    now = visit.room.clock.now()
    gap = pages.span(abs(moment - now), visit.words)
    key = "ago" if moment <= now else "ahead"
    return visit.when(moment, zone), visit.words[key].format(span=gap)
