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

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.clock import Clock
from chassis.identity import Caller

_NOTED_EVERY = timedelta(seconds=30)
_SPENT_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody before a browser.  `ends_at` is the moment nobody can prolong."""

    session_id: str
    caller: Caller
    started_at: datetime
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Limits:
    """How long a session may idle, and how long it may run; it is `known` that much longer, to say whose it was."""

    idle: timedelta
    longest: timedelta
    known: timedelta = timedelta()


class WebSessions:
    """The collections `<name>_sessions` and `<name>_tokens_spent`; MongoDB forgets what is over.

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
        self._sessions, self._spent = database[f"{name}_sessions"], database[f"{name}_tokens_spent"]
        self._clock, self._limits, self._purpose_of = clock, limits, purpose_of

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

    def start(self, caller: Caller, kept: Callable[[str], Mapping[str, Any]] = lambda _: {}) -> str:
        """A new session with a new secret, which only the browser keeps; `kept` makes of it what else is stored."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        ends_at = now + self._limits.longest
        self._sessions.insert_one(
            {
                "_id": _hashed(secret),
                "actor_id": caller.actor_id,
                "role": caller.role,
                "organization_id": caller.organization_id,
                "started_at": now,
                "seen_at": now,
                "ends_at": ends_at,
                "gone_at": ends_at + self._limits.known,
                **kept(secret),
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
        found = self.stored(secret)
        if "started_at" not in found:
            return None
        role = found["role"]
        caller = Caller(found["actor_id"], role, found["organization_id"], self._purpose_of(role))
        return Session(found["_id"], caller, found["started_at"], found["seen_at"], found["ends_at"])

    def stored(self, secret: str) -> Mapping[str, Any]:
        """All that is stored of the session; empty where there is none."""
        return (self._sessions.find_one({"_id": _hashed(secret)}) if secret else None) or {}

    def end(self, secret: str) -> None:
        """Signed out: the secret opens nothing any more."""
        self._sessions.delete_one({"_id": _hashed(secret)})


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
