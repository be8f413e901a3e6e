"""Signing in and out: the hospital's sign-in service says who somebody is, and a session of this browser begins."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.oidc.door import SignInDoor
from chassis.oidc.party import relying_party
from services.intake.bootstrap import Room
from services.intake.web import cookies, pages
from services.intake.web.desk import DOOR, ROLES, SIGN_IN, Desk, SignInNeeded
from services.intake.web.words import COOKIE, READERS, WORDS, reader_of

_OURS = re.compile(rf"{pages.HOME}(/[A-Za-z0-9_/.-]{{0,200}})?")
_A_YEAR_S = 31_536_000


def door_of(room: Room) -> SignInDoor:
    """Where sessions of the desk begin and end."""
    return SignInDoor(
        party=relying_party(room.settings, room.database, DOOR, f"{SIGN_IN}/done"),
        sessions=room.sessions,
        cookies=cookies.COOKIES,
        access=room.access,
        name=DOOR,
        home=pages.HOME,
        origin=room.settings.pages_origin,
        roles=ROLES,
        place="organization",
        ours=ours,
        noted="desk_caller",
    )


def routes(desk: Desk) -> list[Route]:
    """The door of the desk."""
    return [
        desk.route(SIGN_IN, show),
        desk.route(f"{SIGN_IN}/start", start),
        desk.route(f"{SIGN_IN}/done", done),
        desk.door.route_of_provider(),
        desk.route(f"{pages.HOME}/sign-out", sign_out, method="POST"),
        desk.route(f"{pages.HOME}/language", choose_language, method="POST"),
        desk.route(f"{pages.HOME}/session", tell_session),
    ]


def show(desk: Desk, request: Request) -> Response:
    """GET: the page with the way to the sign-in service."""
    return _page(request, request.query_params.get("next", ""))


def start(desk: Desk, request: Request) -> Response:
    """GET: to the sign-in service."""
    return desk.door.begin(request)


def done(desk: Desk, request: Request) -> Response:
    """GET: back from it, with a new session; what cannot be believed is told with its code, and is in the log."""
    try:
        return desk.door.finish(request)
    except Refusal as refusal:
        if refusal.kind is not Kind.UNAUTHENTICATED:
            raise
        desk.note(request, refusal)
        return _page(request, pages.HOME, refusal.code)


def sign_out(desk: Desk, request: Request) -> Response:
    """POST: the session is over, here, in every other window and at the sign-in service, and the log says so."""
    return desk.door.leave(request, desk.former(request))


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


def ours(path: str, caller: Caller | None = None) -> str:
    """The path, if it is one of the desk's; else its first page."""
    return path if _OURS.fullmatch(path) and not path.startswith(SIGN_IN) else pages.HOME


def _page(request: Request, next_path: str, trouble: str = "") -> Response:
    words, then = WORDS[reader_of(request)], ours(next_path)
    told = words.get(f"sign_in_{trouble}", words["sign_in_failed"]) if trouble else ""
    shown = {"next_path": then, "trouble": told, "code": trouble, "has_more": then != pages.HOME}
    status = 401 if trouble else 200
    return cookies.COOKIES.first_form(
        request, lambda token: pages.render(request, "sign_in.html", status, csrf=token, **shown)
    )
