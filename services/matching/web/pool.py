"""The open pool on a phone: what nobody was found for, and this specialist could take."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from services.matching import handlers, wording
from services.matching.domain.case import CLAIM
from services.matching.domain.taking import Taking
from services.matching.web import telling
from services.matching.web.office import SPECIALIST, Office, Visit
from services.matching.web.pages import HOME

PAGE = f"{HOME}/pool"
_MOST_SHOWN = 30


def routes(office: Office) -> list[Route]:
    """The list, and a claim."""
    return [
        office.route(PAGE, show, *SPECIALIST),
        office.route(f"{PAGE}/{{id}}/claim", claim, *SPECIALIST, method="POST"),
    ]


def show(visit: Visit) -> Response:
    """GET: only what no hard rule keeps from them, with why it fits."""
    found = handlers.pool(visit.room, _MOST_SHOWN, visit.caller, visit.cause)
    cards = [
        telling.card(visit, one.case, wording.reasons(best.terms, visit.reader), best.ways)
        for one in found
        if (best := one.candidate) is not None
    ]
    return visit.page("pool.html", cards=cards, elsewhere=found.elsewhere)


def claim(visit: Visit) -> Response:
    """POST: the first claim wins."""
    referral_id = visit.path("id")
    told = Taking(CLAIM, visit.key, visit.promised(), visit.fields.get("modality", ""))
    handlers.claim(visit.room, referral_id, told, visit.caller, visit.cause)
    return visit.then("accepted", f"{HOME}/people/{referral_id}")
