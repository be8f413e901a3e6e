"""Who is signed in to a service's pages: a random secret in the browser, its SHA-256 here, and when it ends.

What the browser keeps is in web_cookies.py, apart, because workers read this file and never HTTP.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from pymongo import ASCENDING
from pymongo.database import Database

from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.identity import Caller

_NOTED_EVERY = timedelta(seconds=30)
_NOTHING: Mapping[str, str] = {}
# Of a session that seems to begin after its end was told, for the clocks of two machines.
_CLOCKS_DIFFER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody before a browser.  `ends_at` is the moment nobody can prolong."""

    session_id: str
    caller: Caller
    started_at: datetime
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class OpenGlass:
    """A record that somebody reads past a policy in this session: why, as a code, and until when."""

    record_id: str
    reason_code: str
    until: datetime


@dataclass(frozen=True)
class Limits:
    """How long a session may idle, and how long it may run; it is `known` that much longer, to say whose it was."""

    idle: timedelta
    longest: timedelta
    known: timedelta = timedelta()


class WebSessions:
    """The collection `<name>_sessions`; MongoDB forgets what is over.

    `purpose_of` names the purpose of use of a role's page views (DOMAIN 5).
    """

    def __init__(
        self,
        database: Database[dict[str, Any]],
        clock: Clock,
        name: str,
        limits: Limits,
        purpose_of: Callable[[str], str],
    ) -> None:
        self._sessions, self._sign_ins = database[f"{name}_sessions"], database[f"{name}_sign_ins"]
        self._clock, self._limits, self._purpose_of = clock, limits, purpose_of

    def ensure_indexes(self) -> None:
        """What is over is forgotten, and a sign-in that nobody came back from (chassis/oidc/attempts.py)."""
        for collection in (self._sessions, self._sign_ins):
            collection.create_index([("gone_at", ASCENDING)], name="forgotten", expireAfterSeconds=0)
        for name in ("sub", "sid"):  # what `of_provider` asks for
            self._sessions.create_index(
                [(f"elsewhere.{name}", ASCENDING)], name=f"elsewhere_{name}", sparse=True
            )

    def start(
        self, caller: Caller, tokens: Mapping[str, str] = _NOTHING, elsewhere: Mapping[str, str] = _NOTHING
    ) -> str:
        """A new session with a new secret, which only the browser keeps and which alone opens the `tokens` again.

        `elsewhere` is what the provider calls the person ("sub") and its own session ("sid").
        """
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        ends_at = now + self._limits.longest
        self._sessions.insert_one(
            {
                "_id": _hashed(secret),
                "actor_id": caller.actor_id,
                "role": caller.role,
                "organization_id": caller.organization_id,
                "authenticated_at": caller.authenticated_at,
                "strength": caller.strength,
                "started_at": now,
                "seen_at": now,
                "ends_at": ends_at,
                "gone_at": ends_at + self._limits.known,
                "tokens": {name: _sealing(secret).seal(one.encode(), name) for name, one in tokens.items()},
                "elsewhere": {name: one for name, one in elsewhere.items() if one},
            }
        )
        return secret

    def find(self, secret: str, *, is_activity: bool = True) -> Session | None:
        """The running session; None where it never was, was ended, idled too long or ran too long.

        `is_activity` is False for what a page asks by itself, so that an empty chair is signed out in time.
        """
        session, now = self.known(secret), self._clock.now()
        if session is None or now >= session.ends_at or now - session.seen_at >= self._limits.idle:
            return None
        if is_activity and now - session.seen_at >= _NOTED_EVERY:
            self._sessions.update_one({"_id": session.session_id}, {"$max": {"seen_at": now}})
        return session

    def ended_by_time(self, secret: str) -> tuple[Session, str] | None:
        """The session that nobody ended, and why it is over ("idle", "too-long"); to one caller, once."""
        session = self.known(secret)
        if session is None:
            return None
        first = {"_id": session.session_id, "is_end_told": {"$ne": True}}
        if not self._sessions.update_one(first, {"$set": {"is_end_told": True}}).modified_count:
            return None
        return session, "too-long" if self._clock.now() >= session.ends_at else "idle"

    def known(self, secret: str) -> Session | None:
        """The session, also one that is over by time; None after a sign-out, and for one of an older form."""
        return self._session(self.stored(secret))

    def replaced(self, session_id: str) -> Session | None:
        """The session of this id ends now, because another takes its place; None where there was none."""
        found = self._sessions.find_one_and_delete({"_id": session_id}) if session_id else None
        return self._session(found or {})

    def of_provider(self, ended: Mapping[str, str], said_at: datetime) -> list[Session]:
        """The sessions that the provider calls so ("sub", "sid", "" for any) and that began before it said so."""
        query: dict[str, Any] = {f"elsewhere.{name}": one for name, one in ended.items() if one}
        query["started_at"] = {"$lte": said_at + _CLOCKS_DIFFER}
        found = (self._session(one) for one in self._sessions.find(query))
        return [one for one in found if one is not None]

    def _session(self, found: Mapping[str, Any]) -> Session | None:
        if "started_at" not in found:
            return None
        role = found["role"]
        caller = Caller(
            found["actor_id"],
            role,
            found["organization_id"],
            self._purpose_of(role),
            authenticated_at=found.get("authenticated_at", 0.0),
            strength=found.get("strength", ""),
        )
        return Session(found["_id"], caller, found["started_at"], found["seen_at"], found["ends_at"])

    def stored(self, secret: str) -> Mapping[str, Any]:
        """All that is stored of the session; empty where there is none."""
        return (self._sessions.find_one({"_id": _hashed(secret)}) if secret else None) or {}

    def token(self, secret: str, name: str) -> str:
        """A token the session was opened with ("access", "id"); "" where there is none, or it was sealed otherwise."""
        try:
            return _sealing(secret).open(self.stored(secret)["tokens"][name], name).decode()
        except (KeyError, InvalidTag):
            return ""

    def open_glass(self, secret: str, record_id: str, reason_code: str, until: datetime) -> None:
        """The record stands open in this session until then; that it does MUST be on record first."""
        opened = {"record_id": record_id, "reason_code": reason_code, "until": until}
        self.close_glass(secret, record_id)
        self._sessions.update_one({"_id": _hashed(secret)}, {"$push": {"glass": opened}})

    def glass(self, secret: str, record_id: str) -> OpenGlass | None:
        """How the record stands open in this session; None where it does not, or not any more."""
        now = self._clock.now()
        opened = (OpenGlass(**one) for one in self.stored(secret).get("glass", ()))
        return next((one for one in opened if one.record_id == record_id and now < one.until), None)

    def close_glass(self, secret: str, record_id: str) -> None:
        """The record is closed again in this session."""
        self._sessions.update_one({"_id": _hashed(secret)}, {"$pull": {"glass": {"record_id": record_id}}})

    def end(self, secret: str) -> None:
        """Signed out: the secret opens nothing any more."""
        self._sessions.delete_one({"_id": _hashed(secret)})


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _sealing(secret: str) -> AtRest:
    return AtRest(secret.encode("utf-8", "surrogatepass"))
