"""Signing in and out: a personal token, taken from a link's fragment or typed, becomes a session of this browser.

Where the token comes from is the issuer's matter; OpenID Connect ends in the same session.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.intake.web import cookies, pages
from services.intake.web.desk import DOOR, ROLES, SIGN_IN, Desk, SignInNeeded
from services.intake.web.words import COOKIE, READERS, WORDS, reader_of

_OURS = re.compile(rf"{pages.HOME}(/[A-Za-z0-9_/.-]{{0,200}})?")
_A_YEAR_S = 31_536_000


def routes(desk: Desk) -> list[Route]:
    """The door of the desk."""
    return [
        desk.route(SIGN_IN, show),
        desk.route(SIGN_IN, sign_in, method="POST"),
        desk.route(f"{pages.HOME}/sign-out", sign_out, method="POST"),
        desk.route(f"{pages.HOME}/language", choose_language, method="POST"),
        desk.route(f"{pages.HOME}/session", tell_session),
    ]


def show(desk: Desk, request: Request) -> Response:
    """GET: the page; a link's token is in its fragment, which no server ever sees."""
    return _page(request, request.query_params.get("next", ""))


def sign_in(desk: Desk, request: Request) -> Response:
    """POST: a token that was never used opens a session with a new id; any earlier one of this browser ends."""
    fields = request.state.fields
    next_path = ours(fields.get("next", ""))
    try:
        caller = _caller(desk, request, fields.get("token", "").strip())
    except Refusal as refusal:
        if refusal.kind is not Kind.UNAUTHENTICATED:
            raise
        desk.note(request, refusal)
        return _page(request, next_path, refusal.code)
    desk.room.access.record_session_began(caller, DOOR, telemetry.current_cause())
    desk.room.sessions.end(cookies.session_secret(request))
    response = RedirectResponse(next_path, 303)
    cookies.keep_session(request, response, desk.room.sessions.start(caller))
    return response


def _caller(desk: Desk, request: Request, token: str) -> Caller:
    """Whom the token speaks for; raises Refusal UNAUTHENTICATED for a bad token, FORBIDDEN for the wrong person."""
    caller = desk.room.tokens.read(token)
    request.state.desk_caller = caller
    if caller.role not in ROLES:
        raise Refusal("role-not-allowed", Kind.FORBIDDEN, "The desk is for an emergency room's staff.")
    if not caller.organization_id:
        raise Refusal("organization-missing", Kind.FORBIDDEN, "The token names no organization.")
    if not desk.room.sessions.spend(token):
        raise Refusal("token-used", Kind.UNAUTHENTICATED, "This link was used before.")
    return caller


def sign_out(desk: Desk, request: Request) -> Response:
    """POST: the session is over, here and in every other window of this browser, and the log says so."""
    if (session := desk.former(request)) is not None:
        desk.room.access.record_session_ended(session.caller, DOOR, "signed-out", telemetry.current_cause())
    desk.room.sessions.end(cookies.session_secret(request))
    response = RedirectResponse(SIGN_IN, 303)
    cookies.drop_session(request, response)
    return response


def choose_language(desk: Desk, request: Request) -> Response:
    """POST: pages are in the chosen language from now on."""
    response = RedirectResponse(ours(request.state.fields.get("next", "")), 303)
    keep_language(request, response)
    return response


def keep_language(request: Request, response: Response) -> None:
    """The browser remembers the language of the posted form, where it is one of ours."""
    reader = request.state.fields.get("language", "")
    if reader in READERS:
        response.set_cookie(
            COOKIE, reader, max_age=_A_YEAR_S, path=pages.HOME, samesite="strict", httponly=True
        )


def tell_session(desk: Desk, request: Request) -> Response:
    """GET: the form token of the session that runs now, for a page that outlived another one; 401 where none runs."""
    try:
        session = desk.signed_in(request, is_activity=False)
    except SignInNeeded:
        return JSONResponse({"is_signed_in": False}, 401)
    told = {"is_signed_in": True, "actor": session.caller.actor_id, "csrf": cookies.form_token(request)}
    return JSONResponse(told, headers={"cache-control": "no-store"})


def ours(path: str) -> str:
    """The path, if it is one of the desk's; else its first page."""
    return path if _OURS.fullmatch(path) and not path.startswith(SIGN_IN) else pages.HOME


def _page(request: Request, next_path: str, trouble: str = "") -> Response:
    csrf, door = cookies.form_token(request), ""
    if not csrf:
        door = cookies.new_secret()
        csrf = cookies.token_of(door)
    words = WORDS[reader_of(request)]
    told = words.get(f"sign_in_{trouble}", words["sign_in_token-invalid"]) if trouble else ""
    status = 401 if trouble else 200
    has_more = ours(next_path) != pages.HOME
    response = pages.render(
        request, "sign_in.html", status, csrf=csrf, next_path=ours(next_path), trouble=told, has_more=has_more
    )
    if door:
        cookies.keep_door(request, response, door)
    return response
