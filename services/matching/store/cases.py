"""Cases in MongoDB: a case, its offers, what it says and when it is due are one document and one write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database

from chassis.aggregates import Aggregates, Change, Loaded, New, StaleVersion
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching.announcing import ITSELF, Announcer
from services.matching.domain.case import ASSIGNED, FOLLOWED, OPEN, SEEKING, UNFILLED, UNKNOWN, Case, Changed
from services.matching.domain.moving import carried_by, ended_at_a_wish
from services.matching.store import documents
from services.matching.store.roster import OVERLAP

COLLECTION = "cases"
_MOST_TRIES = 25
_LEASE_S = 30.0
_REMEMBERED = 50  # acceptances and deaths of one specialist


@dataclass(frozen=True)
class Due:
    """A case whose time has come, as it was read."""

    case: Case
    loaded: Loaded


class CaseStore:
    """`weight_of` tells how heavy a referral of this urgency is, in thousandths."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        clock: Clock,
        announcer: Announcer,
        weight_of: Callable[[str], int],
    ) -> None:
        self.aggregates = Aggregates(database, COLLECTION, clock, "matching")
        self._caseloads = database["caseloads"]
        self._client = database.client
        self._clock = clock
        self._announcer = announcer
        self._weight_of = weight_of

    def ensure_indexes(self) -> None:
        """Every query below is answered from an index (tests/store/test_matching_queries.py)."""
        self.aggregates.ensure_indexes()
        cases = self.aggregates.collection
        cases.create_index("offers.offer_id", name="offer", unique=True, sparse=True)
        cases.create_index("changed_at", name="changed")
        cases.create_index("state", name="seeking", partialFilterExpression={"state": SEEKING})
        cases.create_index("offers.token_sha256", name="token", unique=True, sparse=True)
        cases.create_index(
            [("offers.specialist_id", ASCENDING), ("opened_at", DESCENDING)], name="offers_of_specialist"
        )
        cases.create_index(
            [("state", ASCENDING), ("opened_at", ASCENDING)],
            name="pool",
            partialFilterExpression={"state": UNFILLED},
        )
        cases.create_index(
            "assigned_specialist_id",
            name="carried",
            partialFilterExpression={"assigned_specialist_id": {"$gt": ""}},
        )
        cases.create_index("need.peer_id", name="parted", partialFilterExpression={"is_parted": True})

    def open_offers(self, since: datetime | None) -> dict[str, tuple[str, ...]]:
        """Who has an open offer of each case that changed since a little before; of every seeking case for None."""
        query = {"state": SEEKING} if since is None else {"changed_at": {"$gte": since - OVERLAP}}
        found = self.aggregates.collection.find(query, {"offers.specialist_id": 1, "offers.state": 1})
        return {
            document["_id"]: tuple(o["specialist_id"] for o in document["offers"] if o["state"] == OPEN)
            for document in found
        }

    def open(self, opened: Sequence[tuple[Changed, Cause]]) -> set[str]:
        """Each case that was not there yet is stored with what it says; returns the ids of those that were."""
        now = self._clock.now()
        return self.aggregates.insert_many(
            [
                New(
                    case.referral_id,
                    documents.from_case(case, now),
                    cause,
                    self._announcer.says(events, case.need, ITSELF),
                    case.due_at(now),
                )
                for (case, events), cause in opened
            ]
        )

    def existing(self, referral_ids: Sequence[str]) -> set[str]:
        """Those of the referrals that have a case."""
        found = self.aggregates.collection.find({"_id": {"$in": list(referral_ids)}}, {"_id": 1})
        return {document["_id"] for document in found}

    def case(self, referral_id: str) -> Case:
        """The case; raises Refusal NOT_FOUND."""
        loaded = self.aggregates.load(referral_id)
        if loaded is None:
            raise Refusal("case-unknown", Kind.NOT_FOUND, UNKNOWN["case-unknown"])
        return documents.to_case(referral_id, loaded.body)

    def with_offer(self, offer_id: str) -> Case:
        """The case this offer belongs to; raises Refusal NOT_FOUND."""
        return self._read(self._find({"offers.offer_id": offer_id}, "offer-unknown"))

    def with_token(self, token_sha256: bytes) -> tuple[Case, str]:
        """The case and the id of the offer whose link this is; raises Refusal NOT_FOUND."""
        case = self._read(self._find({"offers.token_sha256": token_sha256}, "link-not-open"))
        return case, next(o.offer_id for o in case.offers if o.token_sha256 == token_sha256)

    def of_specialist(self, specialist_id: str, limit: int) -> list[Case]:
        """The latest cases with an offer to this specialist, newest first."""
        found = self.aggregates.collection.find({"offers.specialist_id": specialist_id}, {"outbox": 0})
        latest = found.sort("opened_at", DESCENDING).limit(limit)
        return [documents.to_case(document["_id"], document) for document in latest]

    def waiting(self, limit: int) -> list[Case]:
        """The unfilled cases, who waits longest first."""
        found = self.aggregates.collection.find({"state": UNFILLED}, {"outbox": 0})
        longest = found.sort("opened_at", ASCENDING).limit(limit)
        return [documents.to_case(document["_id"], document) for document in longest]

    def carried(self, specialist_id: str) -> list[Case]:
        """The cases somebody carries, the oldest first."""
        query = {"assigned_specialist_id": {"$eq": specialist_id, "$gt": ""}}
        found = self.aggregates.collection.find(query, {"outbox": 0})
        held = (documents.to_case(document["_id"], document) for document in found)
        standing = [case for case in held if case.state in (ASSIGNED, FOLLOWED)]
        return sorted(standing, key=lambda case: case.opened_at)

    def parted(self, peer_ids: Sequence[str]) -> dict[str, frozenset[str]]:
        """For each of these people who parted from a specialist at either side's wish: from whom."""
        query = {"need.peer_id": {"$in": list(peer_ids)}, "is_parted": True}
        found: dict[str, list[Case]] = {}
        for document in self.aggregates.collection.find(query, {"outbox": 0}):
            case = documents.to_case(document["_id"], document)
            found.setdefault(case.need.peer_id, []).append(case)
        return {peer_id: ended_at_a_wish(cases) for peer_id, cases in found.items()}

    def offered_to(self, specialist_ids: Sequence[str]) -> list[Case]:
        """The seeking cases in which somebody of these has been asked."""
        query = {"offers.specialist_id": {"$in": list(specialist_ids)}, "state": SEEKING}
        found = self.aggregates.collection.find(query, {"outbox": 0})
        return [documents.to_case(document["_id"], document) for document in found]

    def load_many(self, referral_ids: Sequence[str]) -> list[Due]:
        """Those of the cases that exist, as they are read now."""
        found = self.aggregates.load_many(referral_ids)
        return [Due(self._read(loaded), loaded) for loaded in found.values()]

    def move_together(
        self,
        moves: Sequence[tuple[Due, Changed]],
        cause: Cause,
        by: Caller,
        also: Callable[[ClientSession], None],
    ) -> None:
        """All are as decided and `also` is done, or none; raises StaleVersion where one was changed since it was read."""
        now = self._clock.now()
        changes = [self._change(due.loaded, changed, cause, by, now) for due, changed in moves]

        def all_of_them(session: ClientSession) -> None:
            also(session)
            for change in changes:
                self._save(change, session)

        with self._client.start_session() as session:
            session.with_transaction(all_of_them)

    def claim_due(self, limit: int, regions: frozenset[str] = frozenset()) -> list[Due]:
        """Cases of these regions whose time has come, for half a minute each given to one worker."""
        only = {"where": documents.in_regions(regions)} if regions else {}
        return [Due(self._read(one), one) for one in self.aggregates.claim_due(limit, _LEASE_S, **only)]

    def move(self, moves: Sequence[tuple[Due, Changed]], cause: Cause) -> None:
        """Each case is as decided; one answered meanwhile stays as it is and comes again when it is due."""
        now = self._clock.now()
        self.aggregates.save_many(
            [self._change(due.loaded, changed, cause, ITSELF, now) for due, changed in moves]
        )

    def answer(self, offer_id: str, decide: Callable[[Case], Changed], by: Caller, cause: Cause) -> Case:
        """The case as decided, decided again for as long as somebody else was quicker.

        An acceptance and the specialist's load are one transaction: a case is assigned at most once and nobody
        carries more than their capacity (P3). Raises Refusal CONFLICT at-capacity and whatever `decide` raises.
        """
        for _ in range(_MOST_TRIES):
            loaded = self._find({"offers.offer_id": offer_id}, "offer-unknown")
            before = self._read(loaded)
            changed = decide(before)
            if not changed[1] or self._is_saved(loaded, before, changed, by, cause):
                return changed[0]
        raise Refusal("too-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1, offer_id=offer_id)

    def change(
        self, referral_id: str, decide: Callable[[Case], Changed], cause: Cause, by: Caller = ITSELF
    ) -> Case:
        """What was heard or recorded takes effect once, decided again for as long as somebody else was quicker.

        An assignment that ends and the load it gives back are one transaction.  Raises Refusal NOT_FOUND.
        """
        for _ in range(_MOST_TRIES):
            loaded = self._find({"_id": referral_id}, "case-unknown")
            before = self._read(loaded)
            if cause.event_id and cause.event_id in loaded.handled:
                return before
            changed = decide(before)
            if changed == (before, []) or self._is_saved(loaded, before, changed, by, cause):
                return changed[0]
        raise Refusal("too-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)

    def _is_saved(self, loaded: Loaded, before: Case, changed: Changed, by: Caller, cause: Cause) -> bool:
        """True where nobody was quicker; who carries the case and what they carry change in one transaction."""
        case, happened = changed
        let_go, taken_by = carried_by(before), carried_by(case)
        if let_go != taken_by:
            weight = self._weight_of(case.need.urgency) if taken_by else 0
            case = replace(case, assigned_weight_milli=weight)
        change = self._change(loaded, (case, happened), cause, by, self._clock.now())
        try:
            if let_go == taken_by:
                self._save(change)
            else:
                self._hand_over(change, let_go, before.assigned_weight_milli, taken_by)
        except StaleVersion:
            return False
        return True

    def _hand_over(self, change: Change, let_go: str, weight_milli: int, taken_by: str) -> None:
        def together(session: ClientSession) -> None:
            self._save(change, session)
            if let_go:
                self._release(let_go, weight_milli, session, is_death=change.body["outcome"] == "died")
            if taken_by:
                self._reserve(taken_by, change.body["assigned_weight_milli"], session)

        with self._client.start_session() as session:
            session.with_transaction(together)

    def _release(
        self, specialist_id: str, weight_milli: int, session: ClientSession, *, is_death: bool
    ) -> None:
        now = self._clock.now()
        update: dict[str, Any] = {"$inc": {"load_milli": -weight_milli}, "$set": {"updated_at": now}}
        if is_death:
            update["$push"] = {"deaths_at": {"$each": [now], "$slice": -_REMEMBERED}}
        self._caseloads.update_one({"_id": specialist_id}, update, session=session)

    def _reserve(self, specialist_id: str, weight_milli: int, session: ClientSession) -> None:
        fits = {"$lte": [{"$add": ["$load_milli", weight_milli]}, "$capacity_milli"]}
        now = self._clock.now()
        update = {
            "$inc": {"load_milli": weight_milli},
            "$set": {"waiting_since": now, "updated_at": now},
            "$push": {"accepted_at": {"$each": [now], "$slice": -_REMEMBERED}},
        }
        reserved = self._caseloads.update_one({"_id": specialist_id, "$expr": fits}, update, session=session)
        if reserved.matched_count == 0:
            raise Refusal("at-capacity", Kind.CONFLICT, "Your caseload is full.", specialist_id=specialist_id)

    def _save(self, change: Change, session: ClientSession | None = None) -> None:
        self.aggregates.save(
            change.loaded,
            change.body,
            says=change.says,
            cause=change.cause,
            due_at=change.due_at,
            session=session,
        )

    def _change(self, loaded: Loaded, changed: Changed, cause: Cause, by: Caller, now: datetime) -> Change:
        case, happened = changed
        says = self._announcer.says(happened, case.need, by)
        return Change(loaded, documents.from_case(case, now), cause, says, case.due_at(now))

    def _find(self, query: dict[str, Any], code: str) -> Loaded:
        found = self.aggregates.collection.find_one(query, {"_id": 1})
        loaded = self.aggregates.load(found["_id"]) if found else None
        if loaded is None:
            raise Refusal(code, Kind.NOT_FOUND, UNKNOWN.get(code, ""))
        return loaded

    @staticmethod
    def _read(loaded: Loaded) -> Case:
        return documents.to_case(loaded.aggregate_id, loaded.body)
