"""Forms of the ER desk that are not sent yet: sealed, for the one who types, and gone after a day."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson.binary import Binary
from cryptography.exceptions import InvalidTag
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.identity import Caller
from services.intake.store.blind import BlindIndex

_MOST_UNFINISHED = 20
# What somebody types of themselves in every form is kept beside their drafts, under this key.
REMEMBERED = "remembered"
_TELLS_APART = ("unit", "bed", "given", "family")


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as far as it was typed; `about` is the referral it corrects, or empty."""

    key: str
    about: str
    saved_at: datetime
    fields: Mapping[str, str]


class Drafts:
    """The collection `desk_drafts`.  A draft is found by who types it and its form's key, both only as keyed hashes."""

    def __init__(
        self, database: Database[dict[str, Any]], clock: Clock, master_key: bytes, kept_for: timedelta
    ) -> None:
        self._drafts = database["desk_drafts"]
        self._clock, self._kept_for = clock, kept_for
        self._blind, self._at_rest = BlindIndex(master_key), AtRest(master_key)

    def ensure_indexes(self) -> None:
        """Whose they are; and what is a day old is forgotten."""
        self._drafts.create_index([("owner", ASCENDING), ("saved_at", DESCENDING)], name="of_owner")
        self._drafts.create_index([("gone_at", ASCENDING)], name="forgotten", expireAfterSeconds=0)

    def keep(self, owner: Caller, key: str, about: str, fields: Mapping[str, str]) -> bool:
        """The form is kept as typed so far; False where it was sent or thrown away before."""
        draft_id, now = self._id(owner, key), self._clock.now()
        sealed = self._at_rest.seal(json.dumps(dict(fields)).encode(), _context(draft_id))
        kept = {
            "owner": self._owner(owner),
            "key": key,
            "about": about,
            "sealed": Binary(sealed),
            "saved_at": now,
            "gone_at": now + self._kept_for,
        }
        try:
            self._drafts.update_one(
                {"_id": draft_id, "is_closed": {"$exists": False}}, {"$set": kept}, upsert=True
            )
        except DuplicateKeyError:
            return False
        return True

    def open(self, owner: Caller, key: str) -> Draft | None:
        """The form as it was kept, for who typed it; None where there is none."""
        draft_id = self._id(owner, key)
        found = self._drafts.find_one({"_id": draft_id, "is_closed": {"$exists": False}})
        if found is None or found["gone_at"] <= self._clock.now():
            return None
        try:
            typed = self._at_rest.open(bytes(found["sealed"]), _context(draft_id))
        except InvalidTag:
            return None
        return Draft(key, found["about"], found["saved_at"], json.loads(typed))

    def unfinished(self, owner: Caller) -> list[Draft]:
        """Whatever this person has not sent, newest first, with what tells one from the other and nothing more."""
        mine = {"owner": self._owner(owner), "gone_at": {"$gt": self._clock.now()}}
        query = mine | {"is_closed": {"$exists": False}, "key": {"$ne": REMEMBERED}}
        found = self._drafts.find(query).sort("saved_at", -1).limit(_MOST_UNFINISHED)
        return [Draft(one["key"], one["about"], one["saved_at"], self._told_apart(one)) for one in found]

    def _told_apart(self, found: dict[str, Any]) -> dict[str, str]:
        try:
            typed = json.loads(self._at_rest.open(bytes(found["sealed"]), _context(found["_id"])))
        except InvalidTag:
            return {}
        return {name: typed[name] for name in _TELLS_APART if typed.get(name)}

    def close(self, owner: Caller, key: str, sent_as: str = "") -> None:
        """What was typed is gone; a save that is still on its way brings it back no more.

        `sent_as` is the referral it became.
        """
        gone_at = self._clock.now() + self._kept_for
        change = {
            "$set": {"is_closed": True, "about": sent_as, "gone_at": gone_at},
            "$unset": {"sealed": 1, "owner": 1},
        }
        self._drafts.update_one({"_id": self._id(owner, key)}, change, upsert=True)

    def sent_as(self, owner: Caller, key: str) -> str:
        """The referral this form became; empty where it was not sent, or a day ago."""
        found = self._drafts.find_one({"_id": self._id(owner, key), "is_closed": True}, {"about": 1})
        return str(found.get("about", "")) if found else ""

    def first_sent(self, owner: Caller, key: str) -> datetime:
        """When this form was sent for the first time: the same for every later try, so that each says the same."""
        now = self._clock.now()
        told = {"$setOnInsert": {"sent_at": now, "gone_at": now + self._kept_for}}
        query, after = {"_id": f"{self._id(owner, key)}:sent"}, ReturnDocument.AFTER
        found = self._drafts.find_one_and_update(query, told, upsert=True, return_document=after)
        assert found is not None
        sent_at: datetime = found["sent_at"]
        return sent_at

    def _id(self, owner: Caller, key: str) -> str:
        return self._blind.mark("desk-draft", owner.actor_id, owner.organization_id, key)

    def _owner(self, owner: Caller) -> str:
        return self._blind.mark("desk-owner", owner.actor_id, owner.organization_id)


def _context(draft_id: str) -> str:
    return f"desk-draft:{draft_id}"
