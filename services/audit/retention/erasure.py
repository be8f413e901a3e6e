"""Erasing a person's entries by destroying their keys, and what forbids it: retention and legal holds.

Leaves, proofs and index rows stay; bodies and the tie between rows and person are gone. For each destroyed key a
stone stays that names the entry it was destroyed under, sealed with the master key, so that nobody else can lay one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import BulkWriteError

from chassis.clock import Clock
from chassis.ids import new_id
from services.audit.domain.retention import LegalHold, due_at, split_by_duty
from services.audit.sealing.keyring import Keyring
from services.audit.search.index import SearchIndex
from services.audit.store.duplicates import only_duplicates

Document = dict[str, Any]
_EVERYBODY = b""


@dataclass(frozen=True)
class Erased:
    """What an erasure did: quarters destroyed and kept, and when the last of those is due."""

    erased: list[str]
    kept: list[str]
    last_due: datetime | None


@dataclass(frozen=True)
class Hold:
    """One legal hold. Whom it protects is a blind mark, empty for everybody."""

    hold_id: str
    mark: bytes
    reason: str
    placed_by: str
    placed_at: datetime


class Erasures:
    """Requests, stones and holds, in the keys' own database."""

    def __init__(
        self, database: Database[Document], keyring: Keyring, clock: Clock, years: int, *, search: SearchIndex
    ) -> None:
        self._requests = database["erasure_requests"]
        self._stones = database["erased_keys"]
        self._holds = database["legal_holds"]
        self._keyring = keyring
        self._clock = clock
        self._years = years
        self._search = search

    # -- erasing

    def what_may_go(self, subject_id: str) -> Erased:
        """What erasing this person now would destroy and keep; raises LegalHold."""
        return self._split(self._keyring.mark_of(subject_id))

    def request(self, subject_id: str, reason: str, by: str) -> str:
        """That the person's keys are to go, now or when their time comes, is durable; returns the request's id."""
        request_id = new_id("era")
        mark = self._keyring.mark_of(subject_id)
        asked = {"subject": mark, "reason": reason, "by": by, "at": self._clock.now(), "is_open": True}
        self._requests.insert_one({"_id": request_id, **asked})
        return request_id

    def was_requested(self, subject_id: str) -> bool:
        """Whether erasing this person was asked for before."""
        return self._requests.find_one({"subject": self._keyring.mark_of(subject_id)}, {"_id": 1}) is not None

    def open_requests(self) -> list[tuple[str, bytes]]:
        """Requests of which something may still be kept: id and mark."""
        return [(each["_id"], each["subject"]) for each in self._requests.find({"is_open": True})]

    def due(self, mark: bytes) -> list[str]:
        """The quarters of a requested erasure whose time has come; none under a legal hold."""
        if self.hold_on(mark) is not None:
            return []
        return split_by_duty(self._keyring.periods_of(mark), self._clock.now(), self._years)[0]

    def carry_out(self, request_id: str, mark: bytes, event_id: str) -> list[str]:
        """The keys whose time has come are destroyed under the entry `event_id`; which quarters. Safe to repeat."""
        periods = self._keyring.periods_of(mark)
        going, staying = split_by_duty(periods, self._clock.now(), self._years)
        self.destroy({periods[quarter]: quarter for quarter in going}, event_id)
        if not staying:
            self._requests.update_one({"_id": request_id}, {"$set": {"is_open": False}})
        return going

    def destroy(self, keys: dict[bytes, str], event_id: str) -> None:
        """Stones first, then the keys: a key is never gone without one."""
        stones = [
            {
                "_id": key_id,
                "period": period,
                "at": self._clock.now(),
                "under": event_id,
                "seal": self._seal(key_id, event_id),
            }
            for key_id, period in keys.items()
        ]
        if not stones:
            return
        try:
            self._stones.insert_many(stones, ordered=False)
        except BulkWriteError as exc:
            only_duplicates(exc)
        self._keyring.destroy(keys)
        self._search.make_again(keys)

    def _split(self, mark: bytes) -> Erased:
        if (hold := self.hold_on(mark)) is not None:
            raise LegalHold(hold.hold_id)
        going, staying = split_by_duty(self._keyring.periods_of(mark), self._clock.now(), self._years)
        return Erased(going, staying, due_at(staying[-1], self._years) if staying else None)

    # -- what was erased

    def erased_under(self, key_ids: Iterable[bytes]) -> dict[bytes, str]:
        """Of these keys those that were destroyed, with the event id of the entry that says so."""
        found = self._stones.find({"_id": {"$in": list(set(key_ids))}})
        return {each["_id"]: each["under"] for each in found if self._is_true(each)}

    def forged(self) -> list[Document]:
        """Stones that we did not lay."""
        return [each for each in self._stones.find() if not self._is_true(each)]

    def _is_true(self, stone: Document) -> bool:
        key_id, under, seal = stone["_id"], stone.get("under"), stone.get("seal")
        if not (isinstance(key_id, bytes) and isinstance(under, str) and isinstance(seal, bytes)):
            return False
        return hmac.compare_digest(seal, self._seal(key_id, under))

    def _seal(self, key_id: bytes, event_id: str) -> bytes:
        return self._keyring.blind("erased-key", f"{key_id.hex()} {event_id}")

    # -- legal holds

    def place_hold(self, subject_id: str, reason: str, by: str) -> str:
        """Nothing of this person ("" for nobody's) is erased or pruned until the hold is released; its id."""
        hold_id = new_id("hold")
        mark = self._keyring.mark_of(subject_id) if subject_id else _EVERYBODY
        placed = {"subject": mark, "reason": reason, "by": by, "at": self._clock.now(), "is_placed": True}
        self._holds.insert_one({"_id": hold_id, **placed})
        return hold_id

    def release_hold(self, hold_id: str, reason: str, by: str) -> bool:
        """The hold is over; False where there was none of this id."""
        over = {"is_placed": False, "released_because": reason, "released_by": by}
        found = self._holds.update_one({"_id": hold_id, "is_placed": True}, {"$set": over})
        return found.matched_count == 1

    def holds(self) -> list[Hold]:
        """Every hold that is placed, oldest first."""
        return [_hold(each) for each in self._holds.find({"is_placed": True}).sort("at", 1)]

    def hold_on(self, mark: bytes) -> Hold | None:
        """The hold that protects this person, if there is one."""
        found = self._holds.find_one({"is_placed": True, "subject": {"$in": [mark, _EVERYBODY]}})
        return _hold(found) if found else None


def _hold(document: Document) -> Hold:
    return Hold(document["_id"], document["subject"], document["reason"], document["by"], document["at"])
