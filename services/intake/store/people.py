"""People under pseudonyms: the same person gets the same peer_id, found by keyed hashes and never by name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pymongo import ASCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from chassis.clock import Clock
from chassis.errors import Kind, Refusal
from chassis.ids import new_id
from chassis.shared_inserts import SharedInserts
from services.intake import likeness
from services.intake.domain import linkage
from services.intake.domain.comparison import Beside
from services.intake.domain.linkage import Outcome, Verdict
from services.intake.domain.pairs import Pair, new_pair
from services.intake.domain.person import Person, Pseudonym, RecordNumber
from services.intake.store.blind import BlindIndex
from services.intake.store.faces import Faces, Newcomer, new_document
from services.intake.store.links import Links, is_write_conflict
from services.intake.store.lookout import Found, Lookout

_MOST_TRIES = 8
_MOST_DOUBTS = 3
Document = dict[str, Any]


class People:
    """The collection `people`: {_id: peer_id, name, birth, records: [{s, n}], claims, trails, phones, sources, faces,
    merged_into, absorbed, known_at}; PHI only in `faces`, sealed with the person's own key.

    `claims` are marks under a unique index: of two writers that bring the same person at once, one is second, and
    looks again.  Every record number in `records` is claimed, so two people never share one.
    """

    def __init__(
        self, database: Database[Document], blind: BlindIndex, clock: Clock, faces: Faces, links: Links
    ) -> None:
        self._people = database["people"]
        self._inserts = SharedInserts(self._people)
        self._blind, self._clock, self._faces, self._links = blind, clock, faces, links
        self.lookout = Lookout(self._people, faces, links, clock)

    def ensure_indexes(self) -> None:
        """One person per claim, and a way to each mark."""
        self._people.create_index([("claims", ASCENDING)], name="one_person_per_claim", unique=True)
        for field_name, name in (
            ("records.n", "by_record"),
            ("name", "by_name"),
            ("trails", "by_trail"),
            ("phones", "by_phone"),
        ):
            self._people.create_index([(field_name, ASCENDING)], name=name)
        there = {"merged_into": {"$exists": True}}
        self._people.create_index(
            [("merged_into", ASCENDING)], name="by_survivor", partialFilterExpression=there
        )

    def known_as(self, person: Person, visit_mark: str = "", source_id: str = "") -> Pseudonym:
        """The person's pseudonym, made now if this is the first time; uncertain means another person (DOMAIN 3).

        Whoever they might be is then in the review list.  `visit_mark` is the mark of the visit's number at the
        source: one visit is one person's, unless the two sides contradict each other.
        """
        newcomer = Newcomer.of(person, source_id, visit_mark, self._blind)
        for _ in range(_MOST_TRIES):
            seen = self.lookout.seen(newcomer)
            found = self.lookout.judged(seen, newcomer)
            root = found.only(newcomer.whole)
            held = {one["_id"]: frozenset(one["claims"]) for one in seen}
            if root is not None:
                if self._learn(found.certain[root], newcomer, held):
                    aliases = tuple(one for one in found.groups[root] if one != root)
                    return Pseudonym(root, is_new=False, aliases=aliases)
                continue
            peer_id = self._add(newcomer, frozenset().union(*held.values()), found)
            if peer_id is not None:
                return Pseudonym(peer_id, is_new=True)
        raise Refusal("person-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)

    def learn(self, peer_id: str, person: Person, visit_mark: str = "", source_id: str = "") -> None:
        """What a correction says of somebody here is kept, so that it finds them next time.

        Whoever else it would find is in the review list; a number that is theirs stays theirs.
        """
        newcomer = Newcomer.of(person, source_id, visit_mark, self._blind)
        for _ in range(_MOST_TRIES):
            known = self._people.find_one({"_id": peer_id})
            if known is None:
                return
            seen = [one for one in self.lookout.seen(newcomer) if one["_id"] != peer_id]
            held = {one["_id"]: frozenset(one["claims"]) for one in seen}
            if self._learn(known, newcomer, held):
                self._doubt(peer_id, newcomer, self.lookout.judged(seen, newcomer))
                return
        raise Refusal("person-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)

    def _doubt(self, peer_id: str, newcomer: Newcomer, found: Found) -> None:
        own = set(self.group(peer_id))
        others = Found(
            {root: one for root, one in found.certain.items() if root not in own},
            {root: one for root, one in found.uncertain.items() if root not in own},
            found.groups,
        )
        self._list(self._links.documents(self._doubts(peer_id, newcomer, others)))

    def is_anothers(self, one: str, other: str, source_id: str) -> bool:
        """True where a third party knows one of the two, and what was said of both cannot be of one person."""
        sides = [self._documents(peer_id) for peer_id in (one, other)]
        sources = {source for side in sides for document in side for source in document.get("sources", [])}
        if not sources - {source_id}:
            return False
        known, told = (self._faces.opened(side) for side in sides)
        return any(
            linkage.is_somebody_else(mine, theirs, Beside(), likeness.is_alike)
            for mine in known
            for theirs in told
        )

    def doubt(self, one: str, other: str, source_id: str) -> None:
        """The two are in the review list of a source that knows both."""
        both = set(self.group(one)) | set(self.group(other))
        is_theirs = all(self.is_known_at(peer_id, source_id) for peer_id in (one, other))
        reviewers = [source_id] if is_theirs else []
        pair = replace(new_pair(one, other, self._clock.now()), caveats=("several-fit",))
        if len(both) > 1:
            self._list(self._links.documents([(pair, reviewers)]))

    def _documents(self, peer_id: str) -> list[Document]:
        return list(self._people.find({"_id": {"$in": self.group(peer_id)}}))

    def _list(self, pairs: Sequence[Document]) -> None:
        for pair in pairs:
            with suppress(DuplicateKeyError):  # it is in the list, or was decided
                self._people.database["links"].insert_one(pair)

    def found(self, person: Person, visit_mark: str = "", source_id: str = "") -> str:
        """Whom `known_as` would surely find, with nothing made or learned; empty where that is nobody."""
        newcomer = Newcomer.of(person, source_id, visit_mark, self._blind)
        return self.lookout.judged(self.lookout.seen(newcomer), newcomer).only(newcomer.whole) or ""

    def with_number(self, source_id: str, number: RecordNumber) -> str:
        """Whom this source knows by the number; empty where it knows nobody."""
        query = {"records.n": self._blind.record(number), "sources": source_id}
        found = self._people.find_one(query, {"_id": 1})
        return str(found["_id"]) if found else ""

    def met_by_number(self, source_id: str, number: RecordNumber) -> str:
        """Somebody of whom nothing but the number is known yet; a later submission finds them by it."""
        return self.known_as(Person(record_numbers=(number,)), "", source_id).peer_id

    def faces_at(self, peer_id: str, source_id: str, without: str = "") -> list[Person]:
        """What this source said about who somebody is, under this pseudonym and those that lead to it.

        `without` is one of those whose words are left out, with all that lead to it.
        """
        left_out = self._links.members(without) if without else []
        members = [one for one in self._links.members(peer_id) if one not in left_out]
        return self._faces.told_by(self._people.find({"_id": {"$in": members}}, {"faces": 1}), source_id)

    def is_known_at(self, peer_id: str, source_id: str) -> bool:
        """True where this source has spoken of the person, under this pseudonym or one that leads to it."""
        return bool(self._reviewers(self._links.members(peer_id), source_id))

    def group(self, peer_id: str) -> list[str]:
        """Every pseudonym of the person, the one that counts first."""
        return self._links.members(self._links.root(peer_id))

    def _add(self, newcomer: Newcomer, held: frozenset[str], found: Found) -> str | None:
        peer_id = new_id("peer")
        face = self._faces.sealed(peer_id, newcomer, is_first=True)
        document = {"_id": peer_id, **new_document(newcomer, held, face), "known_at": self._clock.now()}
        document["claims"] = document["claims"] or [peer_id]
        pairs = self._links.documents(self._doubts(peer_id, newcomer, found))
        try:
            if pairs:
                self._add_with(document, pairs)
            else:
                self._inserts.insert_one(document)
        except OperationFailure as exc:  # somebody else was first with a claim
            if not isinstance(exc, DuplicateKeyError) and not is_write_conflict(exc):
                raise
            self._faces.forget(peer_id)
            return None
        return peer_id

    def _add_with(self, document: Document, pairs: Sequence[Document]) -> None:
        """The person and who they might be are stored together: an uncertain pair is never lost."""

        def both(session: ClientSession) -> None:
            self._people.insert_one(document, session=session)
            self._people.database["links"].insert_many(pairs, session=session)

        with self._people.database.client.start_session() as session, session.start_transaction():
            both(session)

    def _doubts(self, peer_id: str, newcomer: Newcomer, found: Found) -> list[tuple[Pair, list[str]]]:
        several = dict.fromkeys(found.certain, Verdict(Outcome.UNCERTAIN, 0.0, {}, ("several-fit",)))
        ranked = sorted(found.uncertain.items(), key=lambda one: -one[1].score)
        doubts = [*several.items(), *ranked][:_MOST_DOUBTS]
        return [
            (
                replace(
                    new_pair(root, peer_id, self._clock.now()),
                    score=verdict.score,
                    levels=dict(verdict.levels),
                    caveats=verdict.caveats,
                ),
                self._reviewers(found.groups[root], newcomer.source_id),
            )
            for root, verdict in doubts
        ]

    def _reviewers(self, members: Sequence[str], source_id: str) -> list[str]:
        is_known = self._people.find_one({"_id": {"$in": list(members)}, "sources": source_id}, {"_id": 1})
        return [source_id] if is_known else []

    def _learn(self, known: Document, newcomer: Newcomer, held: dict[str, frozenset[str]]) -> bool:
        """What is new about a known person is kept, so that it finds them next time; False where somebody was quicker.

        A number that another person holds stays theirs.
        """
        others = frozenset().union(*(claims for peer_id, claims in held.items() if peer_id != known["_id"]))
        rows = [row for row in newcomer.rows if row not in known["records"] and row["n"] not in others]
        face = self._faces.learned(known, newcomer)
        is_source_new = bool(newcomer.source_id) and newcomer.source_id not in known.get("sources", [])
        is_confirmed = face is not None and not face["is_weak"]
        gained = {
            key: value
            for key in ("name", "birth")
            if not known[key] and (value := getattr(newcomer.marks, key))
        }
        if not (rows or gained or face or is_source_new):
            return True
        update: Document = {
            "$addToSet": {
                "records": {"$each": rows},
                "claims": {"$each": [row["n"] for row in rows]},
                "trails": {"$each": list(newcomer.trails) if is_confirmed else []},
                "phones": {"$each": list(newcomer.phones) if is_confirmed else []},
                "sources": {"$each": [newcomer.source_id] if is_source_new else []},
            }
        }
        if gained:
            update["$set"] = gained
        if face:
            update["$push"] = {"faces": face}
        try:
            self._people.update_one({"_id": known["_id"]}, update)
        except DuplicateKeyError:
            return False
        if is_source_new:
            self._links.seen_at(self.group(known["_id"]), newcomer.source_id)
        return True
