"""The programmes' own ladders in MongoDB, and what this process knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.access import provenance
from chassis.aggregates import Aggregates, AlreadyThere, StaleVersion
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.spelling import spelled
from kindred.matching.v1 import events_pb2
from services.matching.domain.events import LadderChanged
from services.matching.domain.ladders import Change, Ladders, ProgrammeLadder, Steps, gathered
from services.matching.domain.policy import Policy

COLLECTION = "programmes"


class LadderStore:
    """One document for each programme that has a ladder of its own, or serves a source."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock, policy: Policy) -> None:
        self.aggregates = Aggregates(database, COLLECTION, clock, "matching")
        self._policy = policy
        self.current = Ladders(policy)

    def ensure_indexes(self) -> None:
        """No source is served by two programmes."""
        self.aggregates.ensure_indexes()
        self.aggregates.collection.create_index(
            "source_ids", name="source", unique=True, partialFilterExpression={"source_ids": {"$gt": ""}}
        )

    def refresh(self) -> None:
        """`current` is what was stored before this call; programmes are few, so all are read."""
        found = self.aggregates.collection.find({}, {"outbox": 0})
        self.current = gathered(self._policy, [_to_ladder(row["_id"], row) for row in found])

    def of(self, programme_id: str) -> ProgrammeLadder:
        """A programme's own ladder; version 0 where it has none."""
        loaded = self.aggregates.load(programme_id)
        return _to_ladder(programme_id, loaded.body) if loaded else ProgrammeLadder(programme_id)

    def save(self, after: ProgrammeLadder, event: LadderChanged, by: Caller, cause: Cause) -> None:
        """The next version is stored with what it says.

        Raises Refusal CONFLICT ladder-changed-meanwhile or source-served-by-another.
        """
        body, loaded = _from_ladder(after), self.aggregates.load(after.programme_id)
        says = spelled(event, events_pb2, provenance(by))
        try:
            if loaded is not None and loaded.body["ladder_version"] == after.version - 1:
                self.aggregates.save(loaded, body, cause=cause, says=[says])
            elif loaded is None and after.version == 1:
                self.aggregates.insert(after.programme_id, body, cause=cause, says=[says])
            else:
                raise StaleVersion(after.programme_id)
        except (AlreadyThere, DuplicateKeyError):
            text = "Another programme serves one of these sources."
            raise Refusal("source-served-by-another", Kind.CONFLICT, text) from None
        except StaleVersion:
            text = "Somebody changed this ladder since you read it; read it again."
            raise Refusal("ladder-changed-meanwhile", Kind.CONFLICT, text) from None


def _from_ladder(ladder: ProgrammeLadder) -> dict[str, Any]:
    return {
        "ladder_version": ladder.version,
        "source_ids": list(ladder.source_ids),
        "steps": {
            urgency: {
                "sizes": list(one.sizes),
                "seconds": list(one.seconds),
                "preference_milli": list(one.preference_milli),
            }
            for urgency, one in ladder.steps.items()
        },
        "changes": [
            {"version": c.version, "at": c.changed_at, "by": c.changed_by, "reason": c.reason}
            for c in ladder.changes
        ],
    }


def _to_ladder(programme_id: str, body: Mapping[str, Any]) -> ProgrammeLadder:
    return ProgrammeLadder(
        programme_id,
        body["ladder_version"],
        {urgency: Steps(*(tuple(one[name]) for name in _STEPS)) for urgency, one in body["steps"].items()},
        tuple(body["source_ids"]),
        tuple(Change(c["version"], c["at"], c["by"], c["reason"]) for c in body["changes"]),
    )


_STEPS = ("sizes", "seconds", "preference_milli")
