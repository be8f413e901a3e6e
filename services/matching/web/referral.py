"""One waiting referral before a coordinator: who could be asked and why, why not somebody, what if, and by hand."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from chassis.errors import Kind, Refusal
from services.matching import handlers, wording
from services.matching.domain.case import DECLINE_REASONS, SEEKING, UNFILLED, Case, Offer
from services.matching.domain.specialist import MODALITIES
from services.matching.domain.taking import HAND_REASONS
from services.matching.handlers import Acceptance, ByHand, Declining, Difference, Outlook, Place
from services.matching.web import glass, telling
from services.matching.web.office import LEADS, Office, Visit
from services.matching.web.pages import BOARD

PAGE = f"{BOARD}/referrals/{{id}}"
# How far somebody may come, in minutes, where the usual limit is tried wider.
WIDER = (90, 120, 180)


def routes(office: Office) -> list[Route]:
    """The page, two questions that change nothing, a decision, and an answer that came by phone."""
    return [
        office.route(PAGE, show, *LEADS),
        office.route(f"{PAGE}/why-not", why_not, *LEADS, method="POST"),
        office.route(f"{PAGE}/what-if", what_if, *LEADS, method="POST"),
        office.route(f"{PAGE}/assign", assign, *LEADS, method="POST"),
        office.route(f"{PAGE}/answer", answer, *LEADS, method="POST"),
    ]


def show(visit: Visit) -> Response:
    """GET: how it stands and who could be asked now; written down before it is shown."""
    return _page(visit)


def why_not(visit: Visit) -> Response:
    """POST, because ids in addresses end up in logs: which rules keep one specialist out, or their place."""
    wanted = visit.fields.get("specialist", "").strip()
    found = handlers.why_not(visit.room, visit.path("id"), wanted, visit.caller, visit.cause)
    return _page(visit, place=found, asked_about=wanted)


def what_if(visit: Visit) -> Response:
    """POST: what would change; nothing does."""
    difference = Difference(
        dropped_codes=frozenset(name[5:] for name in visit.fields if name.startswith("drop_")),
        bedside_limit_minutes=_limit(visit.fields.get("limit", "")),
        added_modalities=frozenset(way for way in MODALITIES if visit.fields.get(f"add_{way}")),
        is_interpreter_agreed=bool(visit.fields.get("interpreter")),
    )
    return _page(visit, difference=difference)


def _limit(text: str) -> int:
    return int(text) if text in {str(minutes) for minutes in WIDER} else 0


def assign(visit: Visit) -> Response:
    """POST: somebody who agreed has the referral; every hard rule holds."""
    fields = visit.fields
    chosen = fields.get("other", "").strip() or fields.get("specialist", "")
    if not chosen:
        raise Refusal("specialist-not-named", Kind.INVALID, "Say who has agreed.")
    told = ByHand(
        visit.path("id"),
        chosen,
        visit.key,
        visit.promised(),
        fields.get("modality", ""),
        fields.get("reason", ""),
        fields.get("agreed") == "yes",
    )
    handlers.assign_by_hand(visit.room, told, visit.caller, visit.cause)
    return visit.then("assigned", BOARD)


def answer(visit: Visit) -> Response:
    """POST: what a specialist who was asked said to who leads them; it counts as theirs, and says who wrote it down."""
    fields = visit.fields
    if fields.get("told") != "yes":
        raise Refusal("specialist-not-asked", Kind.INVALID, "Ask the specialist first; they must agree.")
    if fields.get("says") == "accepted":
        way, offer_id = fields.get("modality", ""), fields.get("offer", "")
        # A second click of the same form counts its minutes anew, and is the same yes.
        yes = Acceptance(offer_id, visit.key, visit.promised(), way, is_click=True)
        handlers.accept(visit.room, yes, visit.caller, visit.cause)
        return visit.then("assigned", PAGE.format(id=visit.path("id")))
    no = Declining(fields.get("offer", ""), visit.key, fields.get("reason", ""))
    handlers.decline(visit.room, no, visit.caller, visit.cause)
    return visit.then("declined-for", PAGE.format(id=visit.path("id")))


def _page(
    visit: Visit,
    place: Place | None = None,
    asked_about: str = "",
    difference: Difference | None = None,
) -> Response:
    room, referral_id, words = visit.room, visit.path("id"), visit.words
    case, offers = handlers.read_case(room, referral_id, visit.caller, visit.cause)
    is_waiting = case.state in (SEEKING, UNFILLED)
    before = after = None
    if is_waiting:
        asked = difference or Difference()
        before, after = handlers.what_if(room, referral_id, asked, visit.caller, visit.cause)
    zone = case.need.source_place.time_zone if case.need.source_place else "UTC"
    return visit.page(
        "referral.html",
        case=case,
        short_id=telling.short(referral_id),
        state=telling.state_word(case),
        is_waiting=is_waiting,
        may_break=case.state in glass.STATES and bool(offers),
        opened=telling.clock(visit, case.opened_at, zone),
        leaves=telling.clock(visit, leaves, zone) if (leaves := case.need.expected_departure_at) else None,
        languages=telling.languages(case.need, visit.reader),
        wishes=telling.wishes(case.need, visit.reader),
        offers=[_offer(visit, case, one, zone) for one in offers],
        others=len(case.offers) - len(offers),
        outlook=_outlook(before, visit) if before else None,
        after=_outlook(after, visit) if after and difference else None,
        difference=difference,
        place=place,
        asked_about=asked_about,
        place_reasons=wording.reasons(place.candidate.terms, visit.reader)
        if place and place.candidate
        else [],
        choices=telling.choices(case.need.urgency, frozenset(MODALITIES), words),
        hand_reasons=HAND_REASONS,
        decline_reasons=DECLINE_REASONS,
        wider=WIDER,
        modalities=MODALITIES,
    )


def _offer(visit: Visit, case: Case, offer: Offer, zone: str) -> dict[str, Any]:
    moment = offer.answered_at or offer.deadline_at
    return {
        "offer": offer,
        "clock": telling.clock(visit, moment, zone)[0],
        "is_open": offer in case.open_offers,
        "choices": telling.choices(case.need.urgency, offer.ways, visit.words),
    }


def _outlook(found: Outlook, visit: Visit) -> dict[str, Any]:
    """Who could be asked, in words."""
    best = [
        (place, one.specialist_id, telling.points(one.score_milli), wording.reasons(one.terms, visit.reader))
        for place, one in found.best
    ]
    return {
        "eligible": found.eligible,
        "kept_out": telling.kept_out(found.exclusions, visit.words),
        "best": best,
    }
