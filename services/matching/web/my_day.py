"""A specialist's phone: what they are asked, where they are expected, who is to be rung, and what they carry."""

from __future__ import annotations

from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.matching import handlers
from services.matching.domain.case import ASSIGNED, DECLINE_REASONS
from services.matching.domain.followup import CHECKIN_OUTCOMES
from services.matching.handlers import Acceptance, Declining
from services.matching.web import pages, telling
from services.matching.web.office import LEADS, ROLES, SPECIALIST, Office, Visit
from services.matching.web.pages import BOARD, HOME

# On a phone; the soonest to answer first.
_MOST_OFFERS = 8


def routes(office: Office) -> list[Route]:
    """The first page, and the answers to offers."""
    return [
        office.route(HOME, show, *ROLES),
        office.route(f"{HOME}/offers/{{id}}/accept", accept, *SPECIALIST, method="POST"),
        office.route(f"{HOME}/offers/{{id}}/decline", decline, *SPECIALIST, method="POST"),
    ]


def show(visit: Visit) -> Response:
    """GET: the day of whoever is signed in; who leads has a board instead."""
    if visit.caller.role in LEADS:
        return RedirectResponse(BOARD, 303)
    return visit.page("my_day.html", **shown(visit), mark=mark(visit))


def shown(visit: Visit) -> dict[str, Any]:
    """What the page shows; each look is in the audit trail first."""
    room, now = visit.room, visit.room.clock.now()
    asked = handlers.list_offers(room, "", "", True, visit.caller, cause=visit.cause)
    carried, standing = handlers.caseload(room, "", False, visit.caller, visit.cause)
    lines = [telling.line(visit, one.case) for one in carried]
    offers = [(case, offer) for case, offer in asked if offer.deadline_at > now]
    offers.sort(key=lambda one: one[1].deadline_at)
    return {
        "offers": [telling.offered(visit, case, offer) for case, offer in offers[:_MOST_OFFERS]],
        "more_offers": max(len(offers) - _MOST_OFFERS, 0),
        "coming": [line for line in lines if line.case.state == ASSIGNED],
        "followed": [line for line in lines if line.case.state != ASSIGNED],
        "due": [(line, one, visit.when(one.due_at)) for line in lines for one in line.due],
        "carried": telling.points(standing.carried_milli(now)),
        "capacity": telling.points(standing.capacity_milli),
        "share": min(standing.carried_milli(now) / max(standing.capacity_milli, 1), 1.0),
        "rests_text": visit.when(standing.rests_until) if standing.is_resting(now) else "",
        "decline_reasons": DECLINE_REASONS,
        "checkin_outcomes": CHECKIN_OUTCOMES,
        "now": now,
    }


def fragment(visit: Visit, csrf: str) -> str:
    """The same for a page that is open."""
    told = {"csrf": csrf, "here": HOME, "site_name": visit.room.sites.name, **shown(visit)}
    return pages.fragment("my_day_live.html", visit.reader, **told)


def mark(visit: Visit) -> str:
    """Differs as soon as the page would; a deadline that passes is seen by the page's own clock."""
    return visit.room.boards.mark_of_person(visit.caller.actor_id)


def accept(visit: Visit) -> Response:
    """POST: a yes with a promise; the first yes wins."""
    way = visit.fields.get("modality", "")
    # A second click of the same form counts its minutes anew, and is the same yes.
    yes = Acceptance(visit.path("id"), visit.key, visit.promised(), way, is_click=True)
    case = handlers.accept(visit.room, yes, visit.caller, visit.cause)
    return visit.then("accepted", f"{HOME}/people/{case.referral_id}")


def decline(visit: Visit) -> Response:
    """POST: a no, at no cost."""
    no = Declining(visit.path("id"), visit.key, visit.fields.get("reason", ""))
    handlers.decline(visit.room, no, visit.caller, visit.cause)
    return visit.then("declined", HOME)
