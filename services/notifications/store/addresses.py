"""What is known of addresses and referrals without knowing whose they are: keyed marks, ids and counts only."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pymongo import ASCENDING, ReturnDocument
from pymongo.database import Database

from services.notifications.domain.intents import Channel
from services.notifications.domain.standing import CLOSED, Standing

_INFO = b"kindred address marks v1"


class Marker:
    """Turns an address into a mark that only this service can make (HMAC-SHA256 under a derived key)."""

    def __init__(self, master_key: bytes) -> None:
        self._key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(master_key)

    def mark(self, channel: Channel, address: str) -> str:
        """The same for the same address, whoever has it; says nothing to anybody else."""
        said = f"{channel.value}\x1f{address.strip().lower()}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()[:32]


class Addresses:
    """The collection `addresses`: what far sides, and whoever answers there, taught about an address."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["addresses"]

    def learn(self, mark: str, standing: Standing, now: datetime) -> None:
        """Known to a majority before it returns: no send that begins later ignores it."""
        told = {"standing": standing.value, "since": now, "failures": 0}
        self._collection.update_one({"_id": mark}, {"$set": told}, upsert=True)

    def verify(self, mark: str, now: datetime) -> None:
        """Something arrived there, or somebody answered from there; what closes the address stays known."""
        known = {
            "standing": {"$ifNull": ["$standing", Standing.VERIFIED.value]},
            "since": {"$ifNull": ["$since", now]},
        }
        self._collection.update_one({"_id": mark}, [{"$set": known}], upsert=True)

    def forget(self, mark: str) -> None:
        """A new start: the address is tried again."""
        self._collection.delete_one({"_id": mark})

    def count_failure(self, mark: str, now: datetime, most: int) -> bool:
        """One more failure in a row; True where that makes `most`, and the address is disabled by it."""
        found = self._collection.find_one_and_update(
            {"_id": mark},
            {"$inc": {"failures": 1}, "$setOnInsert": {"since": now}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        if found["failures"] < most:
            return False
        self.learn(mark, Standing.DISABLED, now)
        return True

    def count_success(self, mark: str) -> None:
        """No failure stands against it any more."""
        self._collection.update_one({"_id": mark, "failures": {"$gt": 0}}, {"$set": {"failures": 0}})

    def standings(self, marks: Sequence[str]) -> dict[str, Standing]:
        """What is known, by mark."""
        found = self._collection.find({"_id": {"$in": list(marks)}, "standing": {"$exists": True}})
        return {row["_id"]: Standing(row["standing"]) for row in found}

    def closed(self, marks: Mapping[str, Any]) -> set[str]:
        """Those of the marks that must be left alone."""
        return {mark for mark, standing in self.standings(list(marks)).items() if standing in CLOSED}


class Stops:
    """The collection `stops`: referrals of which nothing more may be said; ids only."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["stops"]

    def mark(self, referral_id: str, stop_code: str, now: datetime) -> None:
        """Known to a majority before it returns: no send that begins later goes out (P7)."""
        told = {"stop_code": stop_code, "stopped_at": now}
        self._collection.update_one({"_id": referral_id}, {"$setOnInsert": told}, upsert=True)

    def among(self, referral_ids: Sequence[str]) -> set[str]:
        """Those of the referrals that were stopped."""
        found = self._collection.find({"_id": {"$in": list(referral_ids)}}, {"_id": 1})
        return {row["_id"] for row in found}


class Rates:
    """The collection `rates`: how many notices a recipient got in the hour that runs, and each account's next turn."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["rates"]

    def ensure_indexes(self) -> None:
        """Hours that are over are forgotten."""
        self._collection.create_index([("gone_at", ASCENDING)], name="forgotten", expireAfterSeconds=0)

    def take(self, recipient_id: str, channel: Channel, now: datetime, most: int) -> datetime | None:
        """None where one more is within `most` an hour, and is counted; else from when on there is room again."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        found = self._collection.find_one_and_update(
            {"_id": f"{recipient_id}/{channel.value}/{hour:%Y%m%d%H}"},
            {"$inc": {"count": 1}, "$setOnInsert": {"gone_at": hour + timedelta(hours=2)}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return None if found["count"] <= most else hour + timedelta(hours=1)

    def queue(self, channel: Channel, earliest: datetime, apart: timedelta) -> datetime:
        """The next turn on an account, not before `earliest`; the one after it is `apart` from it. Nobody has it too."""
        after = {"$add": ["$turn_at", int(apart / timedelta(milliseconds=1))]}
        found = self._collection.find_one_and_update(
            {"_id": f"account/{channel.value}"},
            [{"$set": {"turn_at": {"$max": ["$next_at", earliest]}}}, {"$set": {"next_at": after}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        turn_at: datetime = found["turn_at"]
        return turn_at
