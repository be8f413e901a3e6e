"""Signing in and out: a personal token, taken from a link's fragment or typed, becomes a session; both are entries."""

from __future__ import annotations

import re
import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller, require
from services.audit.web import pages, sessions
from services.audit.web.console import DOOR, SIGN_IN, Console
from services.audit.web.words import COOKIE, READERS, WORDS, reader_of

_OURS = re.compile(rf"{pages.HOME}(/[A-Za-z0-9_/.-]{{0,200}})?")
_A_YEAR_S = 31_536_000


def routes(console: Console) -> list[Route]:
    """The door of the console."""
    return [
        console.route(SIGN_IN, show),
        console.route(SIGN_IN, sign_in, method="POST"),
        console.route(f"{pages.HOME}/sign-out", sign_out, method="POST"),
        console.route(f"{pages.HOME}/language", choose_language, method="POST"),
    ]


def show(console: Console, request: Request) -> Response:
    """GET: the page; a link's token is in its fragment, which no server ever sees."""
    return _page(request, request.query_params.get("next", ""))


def sign_in(console: Console, request: Request) -> Response:
    """POST: a token that was never used opens a session; that somebody signed in is an entry before they see anything."""
    fields = request.state.fields
    next_path = ours(fields.get("next", ""))
    try:
        caller = _caller(console, request, fields.get("token", "").strip())
    except Refusal as refusal:
        if refusal.kind is not Kind.UNAUTHENTICATED:
            raise
        console.note(request, refusal)
        return _page(request, next_path, refusal.code)
    console.room.access.record_session_began(caller, DOOR, telemetry.current_cause())
    console.sessions.end(sessions.secret_of(request))
    response = RedirectResponse(next_path, 303)
    secret = console.sessions.start_with(caller, fields.get("token", "").strip())
    sessions.keep(request, response, secret)
    return response


def sign_out(console: Console, request: Request) -> Response:
    """POST: the session is over, and the log says so."""
    caller = console.signed_in(request).caller
    console.room.access.record_session_ended(caller, DOOR, "signed-out", telemetry.current_cause())
    console.sessions.end(sessions.secret_of(request))
    response = RedirectResponse(SIGN_IN, 303)
    sessions.drop(request, response)
    return response


def choose_language(console: Console, request: Request) -> Response:
    """POST: pages are in the chosen language from now on."""
    response = RedirectResponse(ours(request.state.fields.get("next", "")), 303)
    reader = request.state.fields.get("language", "")
    if reader in READERS:
        response.set_cookie(
            COOKIE, reader, max_age=_A_YEAR_S, path=pages.HOME, samesite="strict", httponly=True
        )
    return response


def ours(path: str) -> str:
    """The path, if it is one of the console's; else its first page."""
    return path if _OURS.fullmatch(path) and not path.startswith(SIGN_IN) else pages.HOME


def _caller(console: Console, request: Request, token: str) -> Caller:
    """Whom the token speaks for; raises Refusal UNAUTHENTICATED for a bad token, FORBIDDEN for the wrong person."""
    caller = console.room.tokens.read(token)
    request.state.console_caller = caller
    require(caller, "compliance")
    if not console.sessions.spend(token):
        raise Refusal("token-used", Kind.UNAUTHENTICATED, "This link was used before.")
    return caller


def _page(request: Request, next_path: str, trouble: str = "") -> Response:
    csrf, door = sessions.form_token(request), ""
    if not csrf:
        door = secrets.token_urlsafe(32)
        csrf = sessions.token_of(door)
    words = WORDS[reader_of(request)]
    told = words.get(f"sign_in_{trouble}", words["sign_in_token-invalid"]) if trouble else ""
    status = 401 if trouble else 200
    response = pages.render(
        request, "sign_in.html", status, csrf=csrf, next_path=ours(next_path), trouble=told
    )
    if door:
        sessions.keep(request, response, door, is_door=True)
    return response
