"""Pairs of pseudonyms: the review list, and merges that can be undone, each stored with what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Any

from google.protobuf.message import Message
from pymongo import ASCENDING, DESCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure

from chassis.aggregates import Aggregates, AlreadyThere, Loaded, StaleVersion
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.intake.domain.events import Event
from services.intake.domain.pairs import (
    Decided,
    NotMerged,
    Pair,
    PairState,
    PairUnknown,
    new_pair,
    pair_id_of,
)
from services.intake.domain.person import is_same_visit
from services.intake.domain.states import CLOSED
from services.intake.store.documents import visit_of
from services.intake.store.pair_documents import body_of, pair_of

COLLECTION = "links"
WAITING = (PairState.OPEN.value, PairState.LATER.value)
_MOST_TRIES = 8
_MOST_SHOWN = 200
_LONGEST_CHAIN = 64
_CLOSED = sorted(state.value for state in CLOSED)
_SIGHT = {"visit": 1, "arrived_at": 1, "source_id": 1}
Document = dict[str, Any]
Spell = Callable[[Event, Caller], Message]


class Links:
    """The collection `links`: one document per pair of pseudonyms, and the aliases in `people` it decides on.

    An alias is `merged_into` in the document of the pseudonym that was merged; nothing else of it changes, so undoing
    a merge restores it exactly.  Whoever has no `merged_into` is a root, and only roots are merged: there is no circle.
    """

    def __init__(self, database: Database[Document], clock: Clock, producer: str, spell: Spell) -> None:
        self._aggregates = Aggregates(database, COLLECTION, clock, producer)
        self._people, self._referrals = database["people"], database["referrals"]
        self._clock = clock
        self._spell = spell

    def ensure_indexes(self) -> None:
        """The relay's; a reviewer's list in its order, and what was joined; a pseudonym's pairs."""
        self._aggregates.ensure_indexes()
        pairs = self._aggregates.collection
        order = [("reviewers", ASCENDING), ("state", ASCENDING), ("asked_at", ASCENDING)]
        pairs.create_index(order, name="review_list")
        joined = [("reviewers", ASCENDING), ("decided_at", DESCENDING)]
        is_joined = {"state": PairState.SAME.value}
        pairs.create_index(joined, name="joined_lately", partialFilterExpression=is_joined)
        pairs.create_index([("peer_ids", ASCENDING)], name="pairs_of_person")

    def documents(self, found: Sequence[tuple[Pair, Sequence[str]]]) -> list[Document]:
        """New pairs with those who may review them, as they are stored; says nothing: nothing was decided."""
        return [
            {
                "_id": pair.pair_id,
                "version": 1,
                "schema": 1,
                "event_seq": 0,
                "handled": [],
                "outbox": [],
                **body_of(pair),
                "reviewers": list(reviewers),
                "asked_at": pair.found_at,
            }
            for pair, reviewers in found
        ]

    def seen_at(self, peer_ids: Sequence[str], source_id: str) -> None:
        """A source met somebody for the first time: pairs whose other side it knows too may be reviewed there."""
        query = {"peer_ids": {"$in": list(peer_ids)}, "state": {"$in": list(WAITING)}}
        for document in list(self._aggregates.collection.find(query, {"peer_ids": 1})):
            others = [one for one in document["peer_ids"] if one not in peer_ids]
            members = [one for other in others for one in self.members(self.root(other))]
            if self._people.find_one({"_id": {"$in": members}, "sources": source_id}, {"_id": 1}):
                update = {"$addToSet": {"reviewers": source_id}, "$inc": {"version": 1}}
                self._aggregates.collection.update_one({"_id": document["_id"]}, update)

    def waiting(self, source_id: str, limit: int = _MOST_SHOWN) -> list[Pair]:
        """Pairs this source may review, the longest waiting first; those set aside come last."""
        query = {"reviewers": source_id, "state": {"$in": list(WAITING)}}
        found = self._aggregates.collection.find(query).sort([("state", -1), ("asked_at", 1)]).limit(limit)
        return [pair_of(document) for document in found]

    def joined(self, source_id: str, limit: int) -> list[Pair]:
        """Merged pairs of this source, by whomever, the last one first."""
        query = {"reviewers": source_id, "state": PairState.SAME.value}
        found = self._aggregates.collection.find(query).sort("decided_at", DESCENDING).limit(limit)
        return [pair_of(document) for document in found]

    def doubled(self, source_id: str, limit: int = _MOST_SHOWN) -> list[Pair]:
        """Merged pairs that brought two referrals of one visit together."""
        query = {"reviewers": source_id, "state": PairState.SAME.value, "doubled.0": {"$exists": True}}
        return [pair_of(document) for document in self._aggregates.collection.find(query).limit(limit)]

    def reviewers(self, pair_id: str) -> frozenset[str]:
        """Sources that know both sides."""
        document = self._aggregates.collection.find_one({"_id": pair_id}, {"reviewers": 1})
        return frozenset(document["reviewers"]) if document else frozenset()

    def load(self, pair_id: str) -> Pair:
        """The pair; raises PairUnknown."""
        document = self._aggregates.collection.find_one({"_id": pair_id}, {"outbox": 0})
        if document is None:
            raise PairUnknown
        return pair_of(document)

    def root(self, peer_id: str, session: ClientSession | None = None) -> str:
        """The pseudonym an alias leads to; itself where it is none."""
        for _ in range(_LONGEST_CHAIN):
            known = self._people.find_one({"_id": peer_id}, {"merged_into": 1}, session=session)
            into = (known or {}).get("merged_into")
            if not into:
                return peer_id
            peer_id = into
        raise RuntimeError("an alias that leads nowhere")

    def members(self, root_id: str, session: ClientSession | None = None) -> list[str]:
        """The root and every pseudonym that leads to it."""
        found, fresh = [root_id], [root_id]
        while fresh:
            rows = self._people.find({"merged_into": {"$in": fresh}}, {"_id": 1}, session=session)
            fresh = [row["_id"] for row in rows if row["_id"] not in found]
            found += fresh
        return found

    def merge(
        self,
        surviving_id: str,
        merged_id: str,
        decide: Callable[[Pair, str, str], Decided],
        said: tuple[Caller, Cause],
    ) -> Pair | None:
        """The second leads to the first from now on; None where they were one person already.

        Alias, pair and what is said are one transaction; of two opposite merges at once, the second finds one person.
        """

        def both(session: ClientSession) -> Pair | None:
            top, below = self.root(surviving_id, session), self.root(merged_id, session)
            if top == below:
                return None
            loaded, pair = self._of_pair(top, below, session)
            decided, events = decide(pair, top, below)
            mine, theirs = self.members(top, session), self.members(below, session)
            # Both documents are written, so that two merges that touch one of them are a write conflict.
            self._people.update_one({"_id": top}, {"$addToSet": {"absorbed": below}}, session=session)
            self._people.update_one({"_id": below}, {"$set": {"merged_into": top}}, session=session)
            decided = replace(decided, doubled=self._doubled(mine, theirs, session))
            reviewers = self._sources(mine, session) & self._sources(theirs, session)
            self._store(loaded, decided, events, said, session=session, reviewers=reviewers)
            return decided

        return self._in_transaction(both)

    def unmerge(
        self,
        surviving_id: str,
        merged_id: str,
        decide: Callable[[Pair], Decided],
        said: tuple[Caller, Cause],
    ) -> Pair | None:
        """The second is somebody again, as before; None where the two are two people already.  Raises NotMerged."""

        def both(session: ClientSession) -> Pair | None:
            if self.root(surviving_id, session) != self.root(merged_id, session):
                return None
            edge = self._edge(surviving_id, merged_id, session)
            loaded, pair = self._of_pair(*edge, session)
            decided, events = decide(pair)
            top, below = pair.surviving_id, pair.merged_id
            self._people.update_one({"_id": top}, {"$pull": {"absorbed": below}}, session=session)
            self._people.update_one(
                {"_id": top, "absorbed": []}, {"$unset": {"absorbed": ""}}, session=session
            )
            self._people.update_one({"_id": below}, {"$unset": {"merged_into": ""}}, session=session)
            self._store(loaded, decided, events, said, session=session)
            return decided

        return self._in_transaction(both)

    def change(
        self,
        pair_id: str,
        decide: Callable[[Pair], Pair],
        asked_at: datetime | None,
        said: tuple[Caller, Cause],
    ) -> Pair:
        """The pair as decided, with nothing to say; `asked_at` moves it in the list.  Raises PairUnknown."""
        for _ in range(_MOST_TRIES):
            loaded = self._aggregates.load(pair_id)
            if loaded is None:
                raise PairUnknown
            decided = decide(pair_of({"_id": pair_id, **loaded.body}))
            body = {**loaded.body, **body_of(decided)} | ({"asked_at": asked_at} if asked_at else {})
            try:
                self._aggregates.save(loaded, body, cause=said[1])
            except StaleVersion:
                continue
            return decided
        raise Refusal("pair-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)

    def _edge(self, surviving_id: str, merged_id: str, session: ClientSession) -> tuple[str, str]:
        """The merge these two were named in; where it was of others they lead to, that one has to be undone."""
        direct = self._people.find_one(
            {"_id": merged_id, "merged_into": surviving_id}, {"_id": 1}, session=session
        )
        if direct is None:
            raise NotMerged
        return surviving_id, merged_id

    def _of_pair(self, one: str, other: str, session: ClientSession) -> tuple[Loaded | None, Pair]:
        loaded = self._aggregates.load(pair_id_of(one, other), session=session)
        if loaded is None:
            return None, new_pair(one, other, self._clock.now())
        return loaded, pair_of({"_id": loaded.aggregate_id, **loaded.body})

    def _store(
        self,
        loaded: Loaded | None,
        pair: Pair,
        events: Sequence[Event],
        said: tuple[Caller, Cause],
        *,
        session: ClientSession,
        reviewers: frozenset[str] = frozenset(),
    ) -> None:
        caller, cause = said
        says = [self._spell(event, caller) for event in events]
        if loaded is None:
            body = {**body_of(pair), "reviewers": sorted(reviewers), "asked_at": pair.found_at}
            self._aggregates.insert(pair.pair_id, body, says=says, cause=cause, session=session)
            return
        body = {**loaded.body, **body_of(pair)}
        body["reviewers"] = sorted({*body["reviewers"], *reviewers})
        self._aggregates.save(loaded, body, says=says, cause=cause, session=session)

    def _sources(self, members: Sequence[str], session: ClientSession) -> frozenset[str]:
        found = self._people.find({"_id": {"$in": members}}, {"sources": 1}, session=session)
        return frozenset(source for one in found for source in one.get("sources", []))

    def _doubled(
        self, mine: Sequence[str], theirs: Sequence[str], session: ClientSession
    ) -> tuple[tuple[str, str], ...]:
        """Open referrals of one visit, one of each side: the merge does not join them, somebody has to look."""
        sides = [
            list(
                self._referrals.find(
                    {"peer_id": {"$in": side}, "status": {"$nin": _CLOSED}}, _SIGHT, session=session
                )
            )
            for side in (list(mine), list(theirs))
        ]
        return tuple(
            (one["_id"], other["_id"])
            for one, other in product(*sides)
            if is_same_visit(visit_of(one), visit_of(other))
        )

    def _in_transaction(self, work: Callable[[ClientSession], Pair | None]) -> Pair | None:
        for _ in range(_MOST_TRIES):
            try:
                with self._people.database.client.start_session() as session:
                    return session.with_transaction(work)
            except (StaleVersion, AlreadyThere):
                continue
        raise Refusal("pair-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)


def is_write_conflict(exc: OperationFailure) -> bool:
    """True where another transaction wrote first; doing it again is right."""
    return exc.has_error_label("TransientTransactionError")
