"""From a name or record number to an id: intake is asked in the officer's own name, both logs say so, nothing is kept."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from services.audit.web import pages, people
from services.audit.web.console import Console
from services.audit.web.sessions import COOKIES

_PATH = f"{pages.HOME}/look-up"


def routes(console: Console) -> list[Route]:
    """Finding somebody's id."""
    return [console.route(_PATH, show), console.route(_PATH, find, method="POST")]


def show(console: Console, request: Request) -> Response:
    """GET: the form; a name never stands in an address."""
    console.signed_in(request)
    return console.page(request, "look_up.html", given={}, found=None, is_there=console.people.is_there())


def find(console: Console, request: Request) -> Response:
    """POST: whoever answers to the description; that this officer looked is an entry here before intake is asked."""
    fields = request.state.fields
    caller = console.caller(request, fields.get("why", ""))
    if not console.people.is_there():
        raise Refusal("intake-unknown", Kind.UNAVAILABLE, "This console does not know where intake is.")
    given = {name: fields.get(name, "").strip() for name in people.FIELDS}
    token = console.sessions.token(COOKIES.secret(request), "access")
    console.room.access.record_read(
        caller,
        record_type="Person",
        record_id="",
        action="search",
        criteria=[name.replace("_", "-") for name, value in given.items() if value],
        cause=telemetry.current_cause(),
    )
    try:
        found = console.people.find(given, token, caller.purpose_of_use)
    except Refusal as refusal:
        if refusal.kind is Kind.UNAUTHENTICATED:
            message = "Looking for a name needs a fresh sign-in."
            raise Refusal("sign-in-again", Kind.FORBIDDEN, message) from None
        raise
    why = caller.purpose_of_use
    return console.page(request, "look_up.html", given=given, found=found, is_there=True, why=why)
