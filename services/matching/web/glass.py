"""Breaking the glass for who leads: who and where somebody is, told once, for minutes, with a reason, and everybody told.

The way of a supervisor whose specialist cannot be reached.  What intake tells is on this one page and nowhere else here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from chassis import tls
from chassis.errors import Kind, Refusal
from chassis.identity import require_fresh
from services.matching import handlers
from services.matching.domain.case import ASSIGNED, FOLLOWED
from services.matching.people import REASONS, People
from services.matching.web import telling
from services.matching.web.office import LEADS, SIGN_IN, Office, Visit
from services.matching.web.pages import BOARD, COOKIES

PAGE = f"{BOARD}/referrals/{{id}}/glass"
# Only who has somebody with them can be told of by that somebody's programme.
STATES = (ASSIGNED, FOLLOWED)


def routes(office: Office) -> list[Route]:
    """What breaking it means, and the breaking."""
    return [
        office.route(PAGE, show, *LEADS),
        office.route(PAGE, break_it, *LEADS, method="POST"),
    ]


def show(visit: Visit) -> Response:
    """GET: what will be on record; nothing is asked of intake."""
    return _form(visit)


def break_it(visit: Visit) -> Response:
    """POST: who and where they are; it is on record before intake tells, and a reload is a second look."""
    require_fresh(visit.caller, *visit.room.settings.step_up)
    why, fields = visit.fields.get("reason", ""), visit.fields
    faults = [name for name in ("reason", "sure") if not fields.get(name)]
    if faults:
        return _form(visit, faults)
    if why not in REASONS:
        raise Refusal("justification-missing", Kind.FORBIDDEN, "Who breaks the glass says why.")
    referral_id = visit.path("id")
    handlers.read_case(visit.room, referral_id, visit.caller, visit.cause)
    token = visit.room.sessions.token(COOKIES.secret(visit.request), "access")
    told = _people(visit).break_glass(referral_id, why, token)
    until = datetime.fromtimestamp(visit.caller.authenticated_at, UTC) + visit.room.settings.step_up[0]
    return visit.page(
        "glass_told.html",
        told=told,
        why=why,
        until=until,
        until_text=visit.when(until),
        home=_home(visit),
        short_id=telling.short(referral_id),
    )


def _form(visit: Visit, faults: list[str] | None = None) -> Response:
    home = _home(visit)
    return visit.page(
        "glass.html",
        422 if faults else 200,
        home=home,
        short_id=telling.short(visit.path("id")),
        again="" if _is_fresh(visit) else f"{SIGN_IN}/start?again=1&next={quote(home + '/glass')}",
        minutes=int(visit.room.settings.step_up_minutes),
        why_codes=REASONS,
        faults=faults or [],
        given=visit.fields.get("reason", ""),
    )


def _is_fresh(visit: Visit) -> bool:
    try:
        require_fresh(visit.caller, *visit.room.settings.step_up)
    except Refusal:
        return False
    return True


def _people(visit: Visit) -> People:
    settings = visit.room.settings
    return People(settings.intake_grpc, tls.files(settings.grpc_tls_cert, settings.grpc_tls_ca))


def _home(visit: Visit) -> str:
    return f"{BOARD}/referrals/{visit.path('id')}"
