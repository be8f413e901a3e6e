"""Breaking the glass at the desk: a reason and a fresh proof open one restricted referral for minutes, and all are told.

A medical emergency (42 CFR 2.51) is another path with facts of its own: emergency.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from chassis import telemetry
from chassis.errors import Refusal
from chassis.identity import Caller, require, require_fresh
from chassis.web_session import OpenGlass
from services.intake import handlers
from services.intake.doorway import BREAKERS, BREAKING, REASONS_TO_BREAK, with_a_reason
from services.intake.store.sessions import Session
from services.intake.web import cookies, pages
from services.intake.web.desk import SIGN_IN, Desk


def routes(desk: Desk, page: str) -> list[BaseRoute]:
    """The form, the breaking, and closing it before its time."""
    return [
        desk.route(f"{page}/glass", show),
        desk.route(f"{page}/glass", break_it, method="POST"),
        desk.route(f"{page}/glass/close", close, method="POST"),
    ]


def show(desk: Desk, request: Request) -> Response:
    """GET: what breaking it means; nothing of the referral is read or shown."""
    session = _breaker(desk, request)
    if opened(desk, request) is not None:
        return RedirectResponse(_path(request), 303)
    return _form(desk, request, session)


def break_it(desk: Desk, request: Request) -> Response:
    """POST: it is on record, and stands open in this session until the proof of who they are is over."""
    session, fields = _breaker(desk, request), request.state.fields
    require_fresh(session.caller, *desk.room.settings.step_up)
    faults = {name: "needed" for name in ("reason", "sure") if not fields.get(name)}
    if faults:
        return _form(desk, request, session, faults=faults, given=fields.get("reason", ""))
    why = with_a_reason(fields["reason"], "reason")
    referral_id = _id(request)
    handlers.break_glass(desk.room, session.caller, referral_id, why, telemetry.current_cause())
    secret = cookies.session_secret(request)
    desk.room.sessions.open_glass(secret, referral_id, why, _closes_at(desk, session))
    return RedirectResponse(_path(request), 303)


def close(desk: Desk, request: Request) -> Response:
    """POST: nobody needs it open any more."""
    _breaker(desk, request)
    desk.room.sessions.close_glass(cookies.session_secret(request), _id(request))
    return RedirectResponse(pages.HOME, 303)


def opened(desk: Desk, request: Request) -> OpenGlass | None:
    """How the referral of this address stands open in this session, if it does."""
    return desk.room.sessions.glass(cookies.session_secret(request), _id(request))


def reader(session: Session, broken: OpenGlass | None) -> Caller:
    """Whoever sits there, reading past the glass where they broke it."""
    return replace(session.caller, purpose_of_use=BREAKING) if broken else session.caller


def _form(
    desk: Desk, request: Request, session: Session, *, faults: dict[str, str] | None = None, given: str = ""
) -> Response:
    again = f"{SIGN_IN}/start?again=1&next={quote(_path(request) + '/glass')}"
    return desk.page(
        request,
        "glass.html",
        session,
        422 if faults else 200,
        path=_path(request),
        again="" if _is_fresh(desk, session) else again,
        minutes=int(desk.room.settings.step_up_minutes),
        reasons=REASONS_TO_BREAK,
        faults=faults or {},
        given=given,
    )


def _is_fresh(desk: Desk, session: Session) -> bool:
    try:
        require_fresh(session.caller, *desk.room.settings.step_up)
    except Refusal:
        return False
    return True


def _closes_at(desk: Desk, session: Session) -> datetime:
    proved_at = datetime.fromtimestamp(session.caller.authenticated_at, UTC)
    within, _ = desk.room.settings.step_up
    return proved_at + within


def _breaker(desk: Desk, request: Request) -> Session:
    session = desk.signed_in(request)
    require(session.caller, *BREAKERS)
    return session


def _id(request: Request) -> str:
    referral_id: str = request.path_params["id"]
    return referral_id


def _path(request: Request) -> str:
    return f"{pages.HOME}/referrals/{_id(request)}"
