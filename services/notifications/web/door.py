"""Signing in, the session's cookie, and the token that every form carries; a GET never changes anything."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import policy, telemetry
from chassis.errors import Kind, Refusal
from chassis.http_server import form
from chassis.identity import Caller
from services.notifications.bootstrap import Room
from services.notifications.web import pages

HOME = "/notices"
SIGN_IN = f"{HOME}/sign-in"
_COOKIE, _DOOR = "kindred-notices", "kindred-notices-door"
_DOOR_NAME = "inbox"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "testserver"})
_OPERATORS = ("coordinator", "supervisor", "engineer")
READERS = ("specialist", "supervisor", "coordinator", "nurse", "clinician", "engineer")


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in."""

    room: Room
    request: Request
    caller: Caller
    fields: dict[str, str]

    @property
    def is_operator(self) -> bool:
        """True where they may see how everybody's notices stand."""
        return self.caller.role in _OPERATORS

    def page(self, template: str, status: int = 200, **shown: object) -> Response:
        """A page with who is signed in."""
        csrf = _token_of(self.request.cookies.get(_cookie(self.request, _COOKIE), ""))
        more = {"caller": self.caller, "csrf": csrf, "is_operator": self.is_operator}
        return pages.render(self.request, template, status, **{**more, **shown})


Page = Callable[[Visit], Response]


def routes(room: Room) -> list[Route]:
    """Signing in and out."""
    return [
        Route(SIGN_IN, partial(_show, room), methods=["GET"]),
        Route(SIGN_IN, partial(_sign_in, room), methods=["POST"]),
        Route(f"{HOME}/sign-out", signed_in(room, _sign_out), methods=["POST"]),
    ]


def signed_in(room: Room, page: Page, *, is_for_operators: bool = False) -> Callable[[Request], Response]:
    """The page for who is signed in; everybody else is asked to. Raises Refusal FORBIDDEN for a form of another site."""

    def serve(request: Request) -> Response:
        secret = request.cookies.get(_cookie(request, _COOKIE), "")
        session = room.sessions.find(secret)
        if session is None:
            return RedirectResponse(SIGN_IN, 303)
        caller = session.caller
        policy.admit(caller)
        fields = _checked(request, secret) if request.method == "POST" else {}
        visit = Visit(room, request, caller, fields)
        if is_for_operators:
            if not visit.is_operator:
                raise Refusal("role-not-allowed", Kind.FORBIDDEN, "Your role may not see this.")
            visit = replace(visit, caller=replace(caller, purpose_of_use="HOPERAT"))
        return page(visit)

    return serve


def _show(room: Room, request: Request) -> Response:
    return _form(request)


def _sign_in(room: Room, request: Request) -> Response:
    """A token that was never used opens a session; that somebody signed in is an entry before they see anything."""
    fields = _checked(request, request.cookies.get(_cookie(request, _DOOR), ""))
    try:
        caller = room.tokens.read(fields.get("token", "").strip())
    except Refusal as refusal:
        if refusal.kind is not Kind.UNAUTHENTICATED:
            raise
        return _form(request, 401)
    if caller.role not in READERS or not room.sessions.spend(fields["token"].strip()):
        return _form(request, 401)
    room.access.record_session_began(caller, _DOOR_NAME, telemetry.current_cause())
    response = RedirectResponse(HOME, 303)
    _keep(request, response, _COOKIE, room.sessions.start(caller))
    return response


def _sign_out(visit: Visit) -> Response:
    cause = telemetry.current_cause()
    visit.room.access.record_session_ended(visit.caller, _DOOR_NAME, "signed-out", cause)
    visit.room.sessions.end(visit.request.cookies.get(_cookie(visit.request, _COOKIE), ""))
    response = RedirectResponse(SIGN_IN, 303)
    response.delete_cookie(_cookie(visit.request, _COOKIE), path="/")
    return response


def _form(request: Request, status: int = 200) -> Response:
    secret = request.cookies.get(_cookie(request, _DOOR), "") or secrets.token_urlsafe(32)
    shown = {"caller": None, "csrf": _token_of(secret), "is_operator": False, "is_wrong": status == 401}
    response = pages.render(request, "sign_in.html", status, **shown)
    _keep(request, response, _DOOR, secret)
    return response


def _checked(request: Request, secret: str) -> dict[str, str]:
    fields = form(request)
    sent = fields.pop("csrf", "")
    is_ours = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    if not (secret and is_ours and hmac.compare_digest(sent.encode(), _token_of(secret).encode())):
        raise Refusal("form-token-wrong", Kind.FORBIDDEN, "This form was not opened in this session.")
    return fields


def _token_of(secret: str) -> str:
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"notices form", hashlib.sha256).hexdigest()


def _cookie(request: Request, name: str) -> str:
    return name if request.url.hostname in _LOOPBACK else f"__Host-{name}"


def _keep(request: Request, response: Response, name: str, value: str) -> None:
    is_secure = request.url.hostname not in _LOOPBACK
    response.set_cookie(
        _cookie(request, name), value, path="/", secure=is_secure, httponly=True, samesite="strict"
    )
