"""Signing in and out: the programme's sign-in service says who somebody is, and a session of this browser begins."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.oidc.door import SignInDoor
from chassis.oidc.party import relying_party
from services.matching.web import pages
from services.matching.web.office import ROLES, SIGN_IN, Office, ours
from services.matching.web.pages import COOKIES, HOME
from services.matching.web.words import COOKIE, PAGE_WORDS, READERS, page_reader_of

_A_YEAR_S = 31_536_000
# As the audit log names it (docs/events.md, session.began.v1).
DOOR = "work"


def routes(office: Office) -> list[Route]:
    """The door of the pages."""
    room = office.room
    door = SignInDoor(
        party=relying_party(room.settings, room.database, DOOR, f"{SIGN_IN}/done"),
        sessions=room.sessions,
        cookies=COOKIES,
        access=room.access,
        name=DOOR,
        home=HOME,
        origin=room.settings.pages_origin,
        roles=ROLES,
        place="programme",
        ours=_first_page,
        noted="work_caller",
    )
    return [
        office.open_route(SIGN_IN, show),
        office.open_route(f"{SIGN_IN}/start", door.begin),
        office.open_route(f"{SIGN_IN}/done", partial(done, office, door)),
        door.route_of_provider(),
        office.open_route(f"{HOME}/sign-out", partial(sign_out, office, door), method="POST"),
        office.open_route(f"{HOME}/language", choose_language, method="POST"),
    ]


def show(request: Request) -> Response:
    """GET: the page with the way to the sign-in service."""
    return _page(request, request.query_params.get("next", ""))


def done(office: Office, door: SignInDoor, request: Request) -> Response:
    """GET: back from it, with a new session; what cannot be believed is told with its code, and is in the log."""
    try:
        return door.finish(request)
    except Refusal as refusal:
        if refusal.kind is not Kind.UNAUTHENTICATED:
            raise
        office.note(request, refusal)
        return _page(request, "", refusal.code)


def sign_out(office: Office, door: SignInDoor, request: Request) -> Response:
    """POST: the session is over, here, in every other window and at the sign-in service, and the log says so."""
    COOKIES.posted(request)
    return door.leave(request, office.room.sessions.find(COOKIES.secret(request)))


def choose_language(request: Request) -> Response:
    """POST: pages are in the chosen language from now on."""
    fields = COOKIES.posted(request)
    path = fields.get("next", "")
    response = RedirectResponse(SIGN_IN if path == SIGN_IN else ours(path, None), 303)
    reader = fields.get("language", "")
    if reader in READERS:
        response.set_cookie(COOKIE, reader, max_age=_A_YEAR_S, path=HOME, samesite="strict", httponly=True)
    return response


def _first_page(path: str, caller: Caller | None) -> str:
    """Where they wanted to go; who leads, and only came to the door, begins at the board."""
    return ours("" if path == HOME else path, caller)


def _page(request: Request, next_path: str, trouble: str = "") -> Response:
    words = PAGE_WORDS[page_reader_of(request)]
    told = words.get(f"sign_in_{trouble}", words["sign_in_failed"]) if trouble else ""
    shown = {"next_path": ours(next_path, None), "trouble": told, "code": trouble}
    status = 401 if trouble else 200
    return COOKIES.first_form(
        request, lambda token: pages.render(request, "work_sign_in.html", status, csrf=token, **shown)
    )
