"""Invitations to say how one is written to: a word by chance, kept as its hash, for one person, once, not for long."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.database import Database

from chassis.clock import Clock

# Long enough to read a page slowly; whoever finds the phone in the evening finds nothing that works.
LASTS: Final = timedelta(minutes=30)
_KEPT: Final = timedelta(days=1)


@dataclass(frozen=True)
class Invitation:
    """Whom it is for; only the hash of its word leads here."""

    key: str
    person_id: str
    # The page speaks as the messages do.
    language: str
    until: datetime


class Invitations:
    """The collection `invitations`; whoever has the database alone can open none of them."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self._collection = database["invitations"]
        self._clock = clock

    def ensure_indexes(self) -> None:
        """A person's are found; old ones are forgotten."""
        self._collection.create_index([("person_id", ASCENDING)], name="by_person")
        self._collection.create_index([("gone_at", ASCENDING)], name="forgotten", expireAfterSeconds=0)

    def make(self, person_id: str, language: str) -> tuple[str, datetime]:
        """The word of a new invitation, which is nowhere else, and until when it works; older ones work no more."""
        self.forget(person_id)
        word, now = secrets.token_urlsafe(32), self._clock.now()
        told = {"person_id": person_id, "language": language, "until": now + LASTS, "gone_at": now + _KEPT}
        self._collection.insert_one({"_id": _key(word), **told})
        return word, now + LASTS

    def find(self, word: str) -> Invitation | None:
        """The invitation, None for one that is none, was used, or is over; looking changes nothing."""
        query = {"_id": _key(word), "used_at": {"$exists": False}, "until": {"$gt": self._clock.now()}}
        row = self._collection.find_one(query)
        return Invitation(row["_id"], row["person_id"], row["language"], row["until"]) if row else None

    def use(self, invitation: Invitation) -> None:
        """It works no more."""
        self._collection.update_one({"_id": invitation.key}, {"$set": {"used_at": self._clock.now()}})

    def forget(self, person_id: str) -> None:
        """None of the person's works any more."""
        query = {"person_id": person_id, "used_at": {"$exists": False}}
        self._collection.update_many(query, {"$set": {"used_at": self._clock.now()}})


def _key(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()
