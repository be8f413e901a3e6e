"""What an emergency room is waiting for: its open referrals, and what ended in the last hours, with what was sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pymongo import DESCENDING

from chassis.aggregates import Aggregates
from chassis.vault import Unreadable, Vault
from services.intake.domain.referral import Referral
from services.intake.domain.states import State
from services.intake.store.documents import Document, Kept, kept_of, referral_of

# Somebody at the desk still waits for something; after these the work is the specialist's.
WAITING = (
    State.SUBMITTED,
    State.NEEDS_INFORMATION,
    State.SEEKING,
    State.UNFILLED,
    State.ASSIGNED,
    State.CANCEL_REQUESTED,
)
MOST = 200
NEWEST = [("submitted_at", DESCENDING), ("_id", DESCENDING)]
_NOT_SHOWN = {"outbox": 0, "sealed": 0, "claims": 0, "answers": 0, "handled": 0, "notices": 0}
_SHOWN_FOR = timedelta(hours=12)
_SUBMITTED_WITHIN = timedelta(days=7)


class Worklist:
    """Reads the collection `referrals` for one organization, by the indexes of its listing."""

    def __init__(self, aggregates: Aggregates, vault: Vault) -> None:
        self._aggregates, self._vault = aggregates, vault

    def of(self, source_id: str, now: datetime) -> Sequence[Referral]:
        """What waits, and what moved on within twelve hours; newest first, without PHI."""
        found = [
            referral_of(document["_id"], document)
            for query in self.queries(source_id, now)
            for document in self._aggregates.collection.find(query, _NOT_SHOWN).sort(NEWEST).limit(MOST)
        ]
        return sorted(found, key=lambda one: one.submitted_at, reverse=True)

    def queries(self, source_id: str, now: datetime) -> tuple[Document, Document]:
        """What waits, and what moved on; tests ask the database to explain both."""
        names = [state.value for state in WAITING]
        over = [state.value for state in State if state not in WAITING]
        moved_on = {
            "source_id": source_id,
            "status": {"$in": over},
            "submitted_at": {"$gt": now - _SUBMITTED_WITHIN},
            "status_at": {"$gt": now - _SHOWN_FOR},
        }
        return {"source_id": source_id, "status": {"$in": names}}, moved_on

    def opened(self, referral_ids: Sequence[str]) -> dict[str, Kept]:
        """What was sealed with each; who was erased is left out."""
        found = {}
        for referral_id, loaded in self._aggregates.load_many(referral_ids).items():
            try:
                found[referral_id] = kept_of(self._vault.open(loaded.body["sealed"]), loaded.body)
            except Unreadable:
                continue
        return found
