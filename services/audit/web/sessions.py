"""Who is signed in at the console: a random id in the browser, its SHA-256 here, and the token of every form."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any

from pymongo.database import Database
from starlette.requests import Request
from starlette.responses import Response

from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.errors import Kind, Refusal
from chassis.http_server import form
from chassis.identity import Caller
from chassis.web_session import Limits, Session, WebSessions

__all__ = ["Session", "Sessions"]
IDLE, LONGEST = timedelta(minutes=15), timedelta(hours=9)
# So that somebody who comes back to an ended session has its end put down.
_KNOWN_LONGER = timedelta(hours=24)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SESSION, _DOOR = "kindred-console", "kindred-console-door"
FIELD = "csrf"
_SEALED_FOR = "console sign-in"


class Sessions(WebSessions):
    """The collections `console_sessions` and `console_tokens_spent`."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        limits = Limits(IDLE, LONGEST, _KNOWN_LONGER)
        super().__init__(database, clock, "console", limits, lambda _: "HCOMPL")

    def start_with(self, caller: Caller, token: str) -> str:
        """A new session; with its secret alone the token it was opened with can be opened."""
        return self.start(
            caller, lambda secret: {"token": AtRest(secret.encode()).seal(token.encode(), _SEALED_FOR)}
        )

    def token(self, secret: str) -> str:
        """The token the session was opened with, to ask another service in the officer's name while it is valid."""
        found = self.stored(secret)
        return AtRest(secret.encode()).open(found["token"], _SEALED_FOR).decode() if "token" in found else ""


def secret_of(request: Request) -> str:
    """The session's secret as the browser sent it, or empty."""
    return request.cookies.get(_name(request, _SESSION), "")


def form_token(request: Request) -> str:
    """What every form of this browser carries; empty where it has no cookie of ours yet."""
    secret = secret_of(request) or request.cookies.get(_name(request, _DOOR), "")
    return token_of(secret) if secret else ""


def token_of(secret: str) -> str:
    """The form token that goes with a cookie's secret (OWASP, "signed double-submit cookie")."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"kindred console form", "sha256").hexdigest()


def posted(request: Request) -> dict[str, str]:
    """The posted fields; raises Refusal FORBIDDEN where no page of this session can have sent them."""
    fields = form(request)
    sent, wanted = fields.pop(FIELD, ""), form_token(request)
    site = request.headers.get("sec-fetch-site", "same-origin")
    is_ours = site in ("same-origin", "none") and bool(wanted)
    if not is_ours or not hmac.compare_digest(sent.encode(), wanted.encode()):
        raise Refusal("form-token-wrong", Kind.FORBIDDEN, "This form was not opened in this session.")
    return fields


def keep(request: Request, response: Response, secret: str, *, is_door: bool = False) -> None:
    """The browser sends the secret from now on."""
    name = _name(request, _DOOR if is_door else _SESSION)
    secure = _is_secure(request)
    response.set_cookie(name, secret, path="/", secure=secure, httponly=True, samesite="strict")


def drop(request: Request, response: Response) -> None:
    """The browser forgets the session."""
    response.delete_cookie(
        _name(request, _SESSION), path="/", secure=_is_secure(request), httponly=True, samesite="strict"
    )


def _name(request: Request, name: str) -> str:
    return f"__Host-{name}" if _is_secure(request) else name  # RFC 6265bis 4.1.3.2


def _is_secure(request: Request) -> bool:
    """On one machine there is no TLS; anywhere else the cookie needs it, also where a proxy ends it."""
    return request.url.hostname not in _LOOPBACK
