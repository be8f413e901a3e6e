"""Who is signed in to the pages: a random id in the browser, its SHA-256 here, and when it ends."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.clock import Clock
from chassis.identity import Caller

_LONGEST = timedelta(hours=12)
_SPENT_FOR = timedelta(days=30)
PURPOSE = "PATRQT"


class Sessions:
    """The collections `page_sessions` and `page_tokens_spent`; MongoDB forgets what is over."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self._sessions, self._spent = database["page_sessions"], database["page_tokens_spent"]
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

    def start(self, caller: Caller) -> str:
        """A new session; returns the secret that only the browser keeps."""
        secret = secrets.token_urlsafe(32)
        who = {"actor_id": caller.actor_id, "role": caller.role, "organization_id": caller.organization_id}
        gone_at = self._clock.now() + _LONGEST
        self._sessions.insert_one({"_id": _hashed(secret), "gone_at": gone_at, **who})
        return secret

    def find(self, secret: str) -> Caller | None:
        """Who is signed in; None where nobody is, or it has ended."""
        found = self._sessions.find_one({"_id": _hashed(secret)}) if secret else None
        if found is None or found["gone_at"] <= self._clock.now():
            return None
        return Caller(found["actor_id"], found["role"], found["organization_id"], PURPOSE)

    def end(self, secret: str) -> None:
        """Signed out."""
        self._sessions.delete_one({"_id": _hashed(secret)})


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
