"""A source's referrals page by page, each page by an index and from where the last one ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.cursor import Cursor
from pymongo.database import Database

from services.intake.domain.listing import USUAL_PAGE, Criteria, Page, Position
from services.intake.domain.states import State
from services.intake.store.documents import Document, referral_of

# A bound where none was given, so that every page is one range of one index.
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 12, 31, tzinfo=UTC)
_NEWEST = [("submitted_at", DESCENDING), ("_id", DESCENDING)]
_UNHEARD = {"status": State.SUBMITTED.value}
_NOT_SHOWN = {"outbox": 0, "sealed": 0, "claims": 0, "answers": 0, "handled": 0}


class Listing:
    """Pages of `referrals`: newest first, ties by id; what is submitted later comes before the first page."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["referrals"]

    def ensure_indexes(self) -> None:
        """A page never looks at what it does not show, except for another urgency, which is told by the index."""
        urgency = ("urgency", ASCENDING)
        self._collection.create_index([("source_id", ASCENDING), *_NEWEST, urgency], name="listed")
        self._collection.create_index(
            [("source_id", ASCENDING), ("status", ASCENDING), *_NEWEST, urgency], name="listed_by_status"
        )
        waiting = [("status", ASCENDING), ("submitted_at", ASCENDING)]
        self._collection.create_index(waiting, name="unheard", partialFilterExpression=_UNHEARD)

    def unheard_since(self) -> datetime | None:
        """When the oldest referral was submitted of which matching has said nothing; None where there is none."""
        found = self._collection.find(_UNHEARD, {"submitted_at": 1}).sort("submitted_at", ASCENDING).limit(1)
        return next((document["submitted_at"] for document in found), None)

    def page(self, source_id: str, criteria: Criteria) -> Page:
        """One page and where the next one begins."""
        limit = criteria.limit or USUAL_PAGE
        found = list(self.cursor(source_id, criteria, limit + 1))
        referrals = [referral_of(document["_id"], document) for document in found[:limit]]
        is_more = len(found) > limit
        last = referrals[-1] if is_more else None
        return Page(referrals, Position(last.submitted_at, last.referral_id) if last else None)

    def cursor(self, source_id: str, criteria: Criteria, limit: int) -> Cursor[Document]:
        """The page's documents; tests ask it to explain itself."""
        index = "listed_by_status" if criteria.status else "listed"
        found = self._collection.find(_query(source_id, criteria), _NOT_SHOWN)
        return found.sort(_NEWEST).limit(limit).hint(index)


def _query(source_id: str, criteria: Criteria) -> Document:
    after = criteria.after
    between = {
        "$gte": criteria.submitted_from or _EVER,
        "$lt": criteria.submitted_before or _NEVER,
    }
    query: Document = {"source_id": source_id, "submitted_at": between}
    if criteria.status:
        query["status"] = criteria.status
    if criteria.urgency:
        query["urgency"] = criteria.urgency
    if after is not None:
        between["$lte"] = after.submitted_at
        query["$or"] = [{"submitted_at": {"$lt": after.submitted_at}}, {"_id": {"$lt": after.referral_id}}]
    return query
