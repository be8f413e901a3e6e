"""Joint plans that were previewed, kept until they are applied or a day has passed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database

from chassis.aggregates import StaleVersion
from chassis.errors import Kind, Refusal
from chassis.identity import Caller

_KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True)
class KeptPlan:
    """Referral to (specialist, what the case looked like)."""

    marks: Mapping[str, tuple[str, str]]
    expires_at: datetime
    applied_key: str


class PlanStore:
    """One document for each preview; ids only."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._plans = database["plans"]

    def ensure_indexes(self) -> None:
        """MongoDB itself forgets old plans."""
        self._plans.create_index("forget_at", name="forget", expireAfterSeconds=0)

    def keep(
        self, plan_id: str, marks: Mapping[str, tuple[str, str]], expires_at: datetime, by: Caller
    ) -> None:
        """The plan can be applied until it expires."""
        self._plans.insert_one(
            {
                "_id": plan_id,
                "matches": [[referral_id, *told] for referral_id, told in marks.items()],
                "expires_at": expires_at,
                "forget_at": expires_at + _KEPT_FOR,
                "made_by": by.actor_id,
                "applied_key": "",
            }
        )

    def kept(self, plan_id: str) -> KeptPlan:
        """The plan; raises Refusal NOT_FOUND plan-unknown."""
        found = self._plans.find_one({"_id": plan_id})
        if found is None:
            raise Refusal("plan-unknown", Kind.NOT_FOUND, "There is no such plan, or it was forgotten.")
        marks = {referral_id: (specialist_id, mark) for referral_id, specialist_id, mark in found["matches"]}
        return KeptPlan(marks, found["expires_at"], found["applied_key"])

    def applied(self, plan_id: str, key: str) -> Callable[[ClientSession], None]:
        """What marks the plan as applied inside a transaction; raises StaleVersion where another was quicker."""

        def mark(session: ClientSession) -> None:
            query, update = {"_id": plan_id, "applied_key": ""}, {"$set": {"applied_key": key}}
            if self._plans.update_one(query, update, session=session).matched_count == 0:
                raise StaleVersion(plan_id)

        return mark
