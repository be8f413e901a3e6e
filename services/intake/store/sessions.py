"""Who is signed in at the ER desk: a random id in the browser, its SHA-256 here, and when it ends."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.clock import Clock
from chassis.identity import Caller

_NOTED_EVERY = timedelta(seconds=30)
# A form that meets an ended session is kept for whoever typed it, so an ended session is known a day longer.
_KNOWN_LONGER = timedelta(hours=24)
_SPENT_FOR = timedelta(days=30)
PURPOSE = "TREAT"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at the desk.  `ends_at` is the moment nobody can prolong."""

    session_id: str
    caller: Caller
    started_at: datetime
    seen_at: datetime
    ends_at: datetime


class Sessions:
    """The collections `desk_sessions` and `desk_tokens_spent`; MongoDB forgets what is long over."""

    def __init__(
        self, database: Database[dict[str, Any]], clock: Clock, idle: timedelta, longest: timedelta
    ) -> None:
        self._sessions, self._spent = database["desk_sessions"], database["desk_tokens_spent"]
        self._clock, self._idle, self._longest = clock, idle, longest

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

    def start(self, caller: Caller) -> str:
        """A new session; returns the id that only the browser keeps."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        ends_at = now + self._longest
        self._sessions.insert_one(
            {
                "_id": _hashed(secret),
                "actor_id": caller.actor_id,
                "role": caller.role,
                "organization_id": caller.organization_id,
                "started_at": now,
                "seen_at": now,
                "ends_at": ends_at,
                "gone_at": ends_at + _KNOWN_LONGER,
            }
        )
        return secret

    def find(self, secret: str, *, is_activity: bool = True) -> Session | None:
        """The running session; None where it never was, was ended, idled too long or ran too long.

        `is_activity` is False for what a page asks by itself: that keeps no session alive.
        """
        session, now = self.known(secret), self._clock.now()
        if session is None or now >= session.ends_at or now - session.seen_at >= self._idle:
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
        """The session, also one that is over by time; None after a sign-out."""
        found = self._sessions.find_one({"_id": _hashed(secret)}) if secret else None
        if found is None:
            return None
        caller = Caller(found["actor_id"], found["role"], found["organization_id"], PURPOSE)
        return Session(found["_id"], caller, found["started_at"], found["seen_at"], found["ends_at"])

    def end(self, secret: str) -> None:
        """Signed out: the id opens nothing any more."""
        self._sessions.delete_one({"_id": _hashed(secret)})


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
