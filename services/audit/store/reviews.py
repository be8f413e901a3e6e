"""Reviews in MongoDB: each with its events in one write; the words of a decision are sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pymongo import ASCENDING
from pymongo.database import Database

from chassis.access import provenance
from chassis.aggregates import Aggregates, AlreadyThere, Loaded
from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from kindred.audit.v1.events_pb2 import ReviewDecided, ReviewOpened
from services.audit.domain import review as reviewing
from services.audit.domain.review import Review, Step

COLLECTION = "reviews"
DETECTOR = Caller("system:audit", "system", "kindred", "HCOMPL")


class Reviews:
    """All reviews. One (rule, subject of the rule) has one review, however often it is found."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock, at_rest: AtRest) -> None:
        self._aggregates = Aggregates(database, COLLECTION, clock, "audit")
        self._clock = clock
        self._at_rest = at_rest

    def ensure_indexes(self) -> None:
        """The queue is read in the order of its due times."""
        self._aggregates.ensure_indexes()
        self._aggregates.collection.create_index([("state", ASCENDING), ("due_by", ASCENDING)], name="queue")

    def raise_one(
        self, rule: str, about: str, *, actor: str, numbers: Sequence[int], caller: Caller, cause: Cause
    ) -> bool:
        """There is a review of this; True where it is new, or was judged and waits again for what came since."""
        digest = hashlib.sha256(f"{rule}\n{about}".encode()).hexdigest()
        review_id, now = f"rev_{digest[:24]}", self._clock.now()
        kept = tuple(numbers[: reviewing.MOST_ENTRIES])
        due = reviewing.due_at(rule, now)
        review = Review(review_id, rule, actor, now, due, kept, len(numbers), last=max(numbers, default=-1))
        event = _opened(review, caller)
        try:
            self._aggregates.insert(review_id, self._body(review), cause=cause, says=[event])
        except AlreadyThere:
            return self._add(review_id, numbers, caller, cause)
        return True

    def decide(self, review_id: str, state: str, note: str, caller: Caller, cause: Cause) -> Review:
        """The review has its new state, and the log an entry of it; raises Refusal."""
        loaded = self._loaded(review_id)
        review = reviewing.decided(self._review(loaded), state, caller.actor_id, self._clock.now(), note)
        event = ReviewDecided(
            provenance=provenance(caller), review_id=review_id, rule=review.rule, decision=state
        )
        self._aggregates.save(loaded, self._body(review), cause=cause, says=[event])
        return review

    def find(self, review_id: str) -> Review:
        """The review; raises Refusal NOT_FOUND."""
        return self._review(self._loaded(review_id))

    def queue(self, state: str = "open", limit: int = 200) -> list[Review]:
        """Reviews of a state, the one due first before the others; all states where `state` is ""."""
        query = {"state": state} if state else {}
        found = self._aggregates.collection.find(query, {"_id": 1}).sort("due_by", ASCENDING).limit(limit)
        ids = [document["_id"] for document in found]
        loaded = self._aggregates.load_many(ids)
        return [self._review(loaded[review_id]) for review_id in ids if review_id in loaded]

    def counts(self, now: datetime) -> tuple[int, int]:
        """How many are open, and how many of them overdue."""
        collection = self._aggregates.collection
        overdue = {"state": "open", "due_by": {"$lt": now}}
        return collection.count_documents({"state": "open"}), collection.count_documents(overdue)

    def _add(self, review_id: str, numbers: Sequence[int], caller: Caller, cause: Cause) -> bool:
        loaded = self._loaded(review_id)
        before = self._review(loaded)
        after = reviewing.with_more(before, numbers, caller.actor_id, self._clock.now())
        is_open_again = after.state != before.state
        if after != before:
            says = [_opened(after, caller)] if is_open_again else []
            self._aggregates.save(loaded, self._body(after), cause=cause, says=says)
        return is_open_again

    def _loaded(self, review_id: str) -> Loaded:
        loaded = self._aggregates.load(review_id)
        if loaded is None:
            raise Refusal("no-such-review", Kind.NOT_FOUND, "There is no such review.")
        return loaded

    def _body(self, review: Review) -> dict[str, Any]:
        return {
            "rule": review.rule,
            "actor": review.actor,
            "opened_at": review.opened_at,
            "due_by": review.due_at,
            "numbers": list(review.numbers),
            "count": review.count,
            "last": review.last,
            "state": review.state,
            "reviewer": review.reviewer,
            "steps": [
                {
                    "state": step.state,
                    "by": step.by,
                    "at": step.at,
                    "note": self._at_rest.seal(step.note.encode(), review.review_id),
                }
                for step in review.steps
            ],
        }

    def _review(self, loaded: Loaded) -> Review:
        body, review_id = loaded.body, loaded.aggregate_id
        steps = tuple(
            Step(one["state"], one["by"], one["at"], self._at_rest.open(one["note"], review_id).decode())
            for one in body["steps"]
        )
        return Review(
            review_id,
            body["rule"],
            body["actor"],
            body["opened_at"],
            body["due_by"],
            tuple(body["numbers"]),
            body["count"],
            body["state"],
            body["reviewer"],
            steps,
            body.get("last", -1),
        )


def _opened(review: Review, caller: Caller) -> ReviewOpened:
    return ReviewOpened(
        provenance=provenance(caller),
        review_id=review.review_id,
        rule=review.rule,
        due_at=_stamp(review.due_at),
        entries=review.numbers,
    )


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
