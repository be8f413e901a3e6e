"""Signing in and out: a personal token, taken from a link's fragment or typed, becomes a session of this browser."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.web_cookies import new_secret
from services.matching.web import pages
from services.matching.web.office import ROLES, SIGN_IN, Office, ours
from services.matching.web.pages import COOKIES, HOME
from services.matching.web.words import COOKIE, PAGE_WORDS, READERS, page_reader_of

_A_YEAR_S = 31_536_000
# As the audit log names it (docs/events.md, session.began.v1).
DOOR = "work"


def routes(office: Office) -> list[Route]:
    """The door of the pages."""
    return [
        office.open_route(SIGN_IN, show),
        office.open_route(SIGN_IN, partial(sign_in, office), method="POST"),
        office.open_route(f"{HOME}/sign-out", partial(sign_out, office), method="POST"),
        office.open_route(f"{HOME}/language", choose_language, method="POST"),
    ]


def show(request: Request) -> Response:
    """GET: the page; a link's token is in its fragment, which no server ever sees."""
    return _page(request, request.query_params.get("next", ""))


def sign_in(office: Office, request: Request) -> Response:
    """POST: a token that was never used opens a session with a new secret; the log knows before anything is shown."""
    fields = COOKIES.posted(request)
    try:
        caller = _caller(office, request, fields.get("token", "").strip())
    except Refusal as refusal:
        if refusal.kind is not Kind.UNAUTHENTICATED:
            raise
        office.note(request, refusal)
        return _page(request, fields.get("next", ""), refusal.code)
    office.room.access.record_session_began(caller, DOOR, telemetry.current_cause())
    office.room.sessions.end(COOKIES.secret(request))
    sent = fields.get("next", "")
    response = RedirectResponse(ours("" if sent == HOME else sent, caller), 303)
    COOKIES.keep_session(request, response, office.room.sessions.start(caller))
    return response


def sign_out(office: Office, request: Request) -> Response:
    """POST: the session is over, here and in every other window of this browser, and the log says so."""
    COOKIES.posted(request)
    if session := office.room.sessions.find(COOKIES.secret(request)):
        cause = telemetry.current_cause()
        office.room.access.record_session_ended(session.caller, DOOR, "signed-out", cause)
    office.room.sessions.end(COOKIES.secret(request))
    response = RedirectResponse(SIGN_IN, 303)
    COOKIES.drop_session(request, response)
    return response


def choose_language(request: Request) -> Response:
    """POST: pages are in the chosen language from now on."""
    fields = COOKIES.posted(request)
    path = fields.get("next", "")
    response = RedirectResponse(SIGN_IN if path == SIGN_IN else ours(path, None), 303)
    reader = fields.get("language", "")
    if reader in READERS:
        response.set_cookie(COOKIE, reader, max_age=_A_YEAR_S, path=HOME, samesite="strict", httponly=True)
    return response


def _caller(office: Office, request: Request, token: str) -> Caller:
    """Whom the token speaks for; raises Refusal UNAUTHENTICATED for a bad token, FORBIDDEN for the wrong person."""
    caller = office.room.tokens.read(token)
    request.state.work_caller = caller
    if caller.role not in ROLES:
        raise Refusal(
            "role-not-allowed", Kind.FORBIDDEN, "These pages are for specialists and who leads them."
        )
    if not caller.organization_id:
        raise Refusal("organization-missing", Kind.FORBIDDEN, "The token names no programme.")
    if not office.room.sessions.spend(token):
        raise Refusal("token-used", Kind.UNAUTHENTICATED, "This link was used before.")
    return caller


def _page(request: Request, next_path: str, trouble: str = "") -> Response:
    csrf, door = COOKIES.form_token(request), ""
    if not csrf:
        door = new_secret()
        csrf = COOKIES.token_of(door)
    words = PAGE_WORDS[page_reader_of(request)]
    told = words.get(f"sign_in_{trouble}", words["sign_in_token-invalid"]) if trouble else ""
    status = 401 if trouble else 200
    shown = {"csrf": csrf, "next_path": ours(next_path, None), "trouble": told}
    response = pages.render(request, "work_sign_in.html", status, **shown)
    if door:
        COOKIES.keep_door(request, response, door)
    return response
