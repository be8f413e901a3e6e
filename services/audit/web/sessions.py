"""Who is signed in at the console: a random id in the browser, its SHA-256 here, and the token of every form."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from starlette.requests import Request
from starlette.responses import Response

from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.errors import Kind, Refusal
from chassis.http_server import form
from chassis.identity import Caller

IDLE, LONGEST = timedelta(minutes=15), timedelta(hours=9)
_SPENT_FOR = timedelta(days=30)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SESSION, _DOOR = "kindred-console", "kindred-console-door"
FIELD = "csrf"
_SEALED_FOR = "console sign-in"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at the console."""

    session_id: str
    caller: Caller
    ends_at: datetime


class Sessions:
    """The collections `console_sessions` and `console_tokens_spent`; MongoDB forgets what is over."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self._sessions, self._spent = database["console_sessions"], database["console_tokens_spent"]
        self._clock = clock

    def ensure_indexes(self) -> None:
        """What is over is forgotten."""
        for collection in (self._sessions, self._spent):
            collection.create_index([("gone_at", ASCENDING)], name="forgotten", expireAfterSeconds=0)

    def spend(self, token: str) -> bool:
        """True the first time: a sign-in token opens one session."""
        try:
            gone_at = self._clock.now() + _SPENT_FOR
            self._spent.insert_one({"_id": _hashed(token), "gone_at": gone_at})
        except DuplicateKeyError:
            return False
        return True

    def start(self, caller: Caller, token: str = "") -> str:
        """A new session; returns the secret that only the browser keeps, and with it alone the token can be opened."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        self._sessions.insert_one(
            {
                "_id": _hashed(secret),
                "actor_id": caller.actor_id,
                "role": caller.role,
                "organization_id": caller.organization_id,
                "token": AtRest(secret.encode()).seal(token.encode(), _SEALED_FOR),
                "seen_at": now,
                "ends_at": now + LONGEST,
                "gone_at": now + LONGEST,
            }
        )
        return secret

    def find(self, secret: str) -> Session | None:
        """The running session; None where it never was, was ended, idled too long or ran too long."""
        found, now = self._sessions.find_one({"_id": _hashed(secret)}) if secret else None, self._clock.now()
        if found is None or now >= found["ends_at"] or now - found["seen_at"] >= IDLE:
            return None
        self._sessions.update_one({"_id": found["_id"]}, {"$max": {"seen_at": now}})
        caller = Caller(found["actor_id"], found["role"], found["organization_id"], "HCOMPL")
        return Session(found["_id"], caller, found["ends_at"])

    def token(self, secret: str) -> str:
        """The token the session was opened with, to ask another service in the officer's name while it is valid."""
        found = self._sessions.find_one({"_id": _hashed(secret)}, {"token": 1}) or {}
        return AtRest(secret.encode()).open(found["token"], _SEALED_FOR).decode() if "token" in found else ""

    def ended_by_time(self, secret: str) -> tuple[Caller, str] | None:
        """Whose session this was that nobody ended, and why it is over ("idle", "too-long"); it is forgotten here."""
        found = self._sessions.find_one_and_delete({"_id": _hashed(secret)}) if secret else None
        if found is None:
            return None
        caller = Caller(found["actor_id"], found["role"], found["organization_id"], "HCOMPL")
        return caller, "too-long" if self._clock.now() >= found["ends_at"] else "idle"

    def end(self, secret: str) -> None:
        """Signed out: the secret opens nothing any more."""
        self._sessions.delete_one({"_id": _hashed(secret)})


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


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
