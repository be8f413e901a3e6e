"""Routine mail is ended with one click (RFC 8058): opening the link only asks, the POST does it."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.notifications import handlers
from services.notifications.bootstrap import Room
from services.notifications.leaving import PATH
from services.notifications.web import pages

_MOST_TRIES = 3


def routes(room: Room) -> list[Route]:
    """The question, and its yes."""
    return [
        Route(f"{PATH}/{{token}}", partial(_ask, room), methods=["GET"]),
        Route(f"{PATH}/{{token}}", partial(_leave, room), methods=["POST"]),
    ]


def _ask(room: Room, request: Request) -> Response:
    """GET: a button; whatever opens links for somebody changes nothing."""
    _person(room, request)
    return _page(request, is_done=False)


def _leave(room: Room, request: Request) -> Response:
    """POST, by a mail program or the button: from now on routine news are in the inbox alone; may be repeated."""
    person_id = _person(room, request)
    caller = Caller(person_id, "recipient", "", "PATRQT")
    for _ in range(_MOST_TRIES):
        version = room.wishes.load(person_id).version
        try:
            handlers.change_contact(
                room,
                caller,
                person_id,
                {"is_routine_only_here": True},
                version=version,
                cause=telemetry.current_cause(),
            )
            break
        except Refusal as refusal:
            if refusal.code == "person-erased":
                break  # nobody writes to them any more
            if refusal.kind is not Kind.CONFLICT:
                raise
    return _page(request, is_done=True)


def _page(request: Request, *, is_done: bool) -> Response:
    return pages.render(request, "leave.html", caller=None, csrf="", is_operator=False, is_done=is_done)


def _person(room: Room, request: Request) -> str:
    person_id = room.leaving.person_of(request.path_params["token"])
    if not person_id:
        raise Refusal("link-not-valid", Kind.NOT_FOUND, "This link does not work any more.")
    return person_id
