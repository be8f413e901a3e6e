"""Signing in and out: the sign-in service says who somebody is, and a session begins; both are entries."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.oidc.door import SignInDoor
from chassis.oidc.party import relying_party
from services.audit.reading_room import ReadingRoom
from services.audit.web import pages
from services.audit.web.console import DOOR, SIGN_IN, Console
from services.audit.web.sessions import COOKIES, Sessions
from services.audit.web.words import COOKIE, READERS, WORDS, reader_of

# An officer who proves anew who they are goes back to what they asked, which stands in the address.
_OURS = re.compile(rf"{pages.HOME}(/[A-Za-z0-9_/.-]{{0,200}})?(\?[A-Za-z0-9_.~%&=+:*-]{{0,1500}})?")
_A_YEAR_S = 31_536_000


def door_of(room: ReadingRoom, kept: Sessions) -> SignInDoor:
    """Where sessions of the console begin and end."""
    return SignInDoor(
        party=relying_party(room.settings, room.database, DOOR, f"{SIGN_IN}/done"),
        sessions=kept,
        cookies=COOKIES,
        access=room.access,
        name=DOOR,
        home=pages.HOME,
        origin=room.settings.pages_origin,
        roles=("compliance",),
        place="",
        ours=ours,
        noted="console_caller",
    )


def routes(console: Console) -> list[Route]:
    """The door of the console."""
    return [
        console.route(SIGN_IN, show),
        console.route(f"{SIGN_IN}/start", start),
        console.route(f"{SIGN_IN}/done", done),
        console.door.route_of_provider(),
        console.route(f"{pages.HOME}/sign-out", sign_out, method="POST"),
        console.route(f"{pages.HOME}/language", choose_language, method="POST"),
    ]


def show(console: Console, request: Request) -> Response:
    """GET: the page with the way to the sign-in service."""
    return _page(request, request.query_params.get("next", ""))


def start(console: Console, request: Request) -> Response:
    """GET: to the sign-in service."""
    return console.door.begin(request)


def done(console: Console, request: Request) -> Response:
    """GET: back from it, with a new session; what cannot be believed is told with its code, and is in the log."""
    try:
        return console.door.finish(request)
    except Refusal as refusal:
        if refusal.kind is not Kind.UNAUTHENTICATED:
            raise
        console.note(request, refusal)
        return _page(request, pages.HOME, refusal.code)


def sign_out(console: Console, request: Request) -> Response:
    """POST: the session is over, here and at the sign-in service, and the log says so."""
    return console.door.leave(request, console.signed_in(request))


def choose_language(console: Console, request: Request) -> Response:
    """POST: pages are in the chosen language from now on."""
    response = RedirectResponse(ours(request.state.fields.get("next", "")), 303)
    reader = request.state.fields.get("language", "")
    if reader in READERS:
        response.set_cookie(
            COOKIE, reader, max_age=_A_YEAR_S, path=pages.HOME, samesite="strict", httponly=True
        )
    return response


def ours(path: str, caller: Caller | None = None) -> str:
    """The path, if it is one of the console's; else its first page."""
    return path if _OURS.fullmatch(path) and not path.startswith(SIGN_IN) else pages.HOME


def _page(request: Request, next_path: str, trouble: str = "") -> Response:
    words = WORDS[reader_of(request)]
    told = words.get(f"sign_in_{trouble}", words["sign_in_failed"]) if trouble else ""
    shown = {"next_path": ours(next_path), "trouble": told, "code": trouble}
    status = 401 if trouble else 200
    return COOKIES.first_form(
        request, lambda token: pages.render(request, "sign_in.html", status, csrf=token, **shown)
    )
