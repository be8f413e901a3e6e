"""Referrals in MongoDB: what the source sees in clear words, who it is about only as ciphertext."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import dropwhile
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message
from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from chassis.aggregates import Aggregates, AlreadyThere, Change, Loaded, StaleVersion
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.ids import new_id
from chassis.shared_finds import SharedFinds
from chassis.vault import Unreadable, Vault
from services.intake.domain.errors import IdempotencyKeyReused, ReferralUnknown
from services.intake.domain.events import Event
from services.intake.domain.person import RecordNumber, is_same_visit
from services.intake.domain.referral import Referral
from services.intake.domain.states import CLOSED
from services.intake.domain.submission import Submission
from services.intake.store.documents import (
    Arrival,
    Document,
    Kept,
    due_of,
    kept_of,
    new_document,
    referral_of,
    revised,
    to_seal,
    visit_of,
)
from services.intake.store.marks import Marks, claimed_any, is_claimed

if TYPE_CHECKING:
    from services.intake.handlers import Told

_MOST_TRIES, _KEPT_ANSWERS, _MOST_FOUND = 10, 50, 50
_NEAR = timedelta(days=2)  # visits further apart than this have no claim in common
_SIGHT = {"claims": 1, "visit": 1, "arrived_at": 1, "source_id": 1, "status": 1}
Spell = Callable[[Event, Caller], Message]
Moved = tuple[Referral, Sequence[Event]]
T = TypeVar("T", bound="Told")


@dataclass(frozen=True, slots=True)
class Said:
    """What is said with a change: the events, who caused them and why."""

    events: Sequence[Event]
    caller: Caller
    cause: Cause


@dataclass(frozen=True, slots=True)
class Sight:
    """What the store knows around an arrival: the referral of the same visit, and claims of other visits."""

    same_id: str = ""
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """A referral as it was read."""

    referral: Referral
    loaded: Loaded

    @property
    def arrived_at(self) -> datetime:
        """When the peer came to the hospital, as far as anybody said; else when we heard."""
        arrived_at: datetime = self.loaded.body["arrived_at"]
        return arrived_at


class Referrals:
    """The collection `referrals`.  `claims` are marks under a unique index that make a second referral impossible."""

    def __init__(self, aggregates: Aggregates, vault: Vault, marks: Marks, spell: Spell) -> None:
        self._aggregates, self._vault, self._marks, self._spell = aggregates, vault, marks, spell
        self._by_claim: SharedFinds[str] = SharedFinds(
            aggregates.collection, claimed_any, is_claimed, most=1, fields={"claims": 1, "answers": 1}
        )

    def ensure_indexes(self) -> None:
        """One referral per claim; a person's visits; a source's newest are listed by listing.py's."""
        self._aggregates.ensure_indexes()
        collection = self._aggregates.collection
        collection.create_index([("claims", ASCENDING)], name="one_referral_per_claim", unique=True)
        collection.create_index([("peer_id", ASCENDING), ("arrived_at", ASCENDING)], name="visits_of_person")
        collection.create_index([("orders", ASCENDING)], name="by_order")
        collection.create_index([("visit.number", ASCENDING)], name="by_visit")

    def answered(self, submission: Submission) -> Held | None:
        """The referral this key was answered with; raises IdempotencyKeyReused where the content was another."""
        key = self._marks.key(submission)
        found = self._by_claim.find(key) if key else []
        if not found:
            return None
        document = found[0]
        told = {answer["key"]: answer["digest"] for answer in document["answers"]}
        if told.get(key, "") != self._marks.digest(submission):
            raise IdempotencyKeyReused
        return self.load(document["_id"])

    def is_answered(self, held: Held, submission: Submission) -> bool:
        """True where this referral took the same content with the same key before; raises IdempotencyKeyReused."""
        told = {answer["key"]: answer["digest"] for answer in held.loaded.body["answers"]}
        digest = told.get(self._marks.key(submission))
        if digest is not None and digest != self._marks.digest(submission):
            raise IdempotencyKeyReused
        return digest is not None

    def look(self, arrival: Arrival) -> Sight:
        """The person's other visits at this source: the one that is this one, and the claims of those that are not."""
        if arrival.is_first:
            return Sight()
        around = {"$gt": arrival.arrived_at - _NEAR, "$lt": arrival.arrived_at + _NEAR}
        ways: list[Document] = [{"arrived_at": around}]
        if arrival.visit.number:
            ways.append({"visit.number": arrival.visit.number})
        who = {"$in": [arrival.peer_id, *arrival.aliases]}
        query = {"peer_id": who, "source_id": arrival.submission.source_id, "$or": ways}
        same_id, held = "", set()
        for document in self._aggregates.collection.find(query, _SIGHT).sort("submitted_at", 1):
            if document["status"] in CLOSED:
                continue
            if is_same_visit(visit_of(document), arrival.visit):
                same_id = same_id or document["_id"]
            else:
                held.update(document["claims"])
        return Sight(same_id, frozenset(held))

    def add(self, referral: Referral, arrival: Arrival, sight: Sight, said: Said) -> bool:
        """The referral is stored with what it says; False where somebody else stored the same one first."""
        body = new_document(referral, arrival, self._marks.claims(arrival, sight.held))
        body["sealed"] = self._vault.seal(
            arrival.peer_id, to_seal(arrival.submission), is_first=arrival.is_first
        )
        try:
            self._aggregates.insert(
                referral.referral_id,
                body,
                says=self._messages(said),
                cause=said.cause,
                due_at=due_of(referral),
            )
        except AlreadyThere:
            return False
        return True

    def note_repeat(self, held: Held, arrival: Arrival, said: Said) -> bool:
        """The repeat is said and its key remembered; False where the referral changed meanwhile."""
        body = dict(held.loaded.body)
        if arrival.key and arrival.key not in body["claims"] and len(body["answers"]) < _KEPT_ANSWERS:
            body["claims"] = [*body["claims"], arrival.key]
            body["answers"] = [*body["answers"], {"key": arrival.key, "digest": arrival.digest}]
        try:
            self._save(held, body, said, due_of(held.referral))
        except (StaleVersion, DuplicateKeyError):
            return False
        return True

    def change(self, held: Held, moved: Referral, said: Said, arrival: Arrival | None = None) -> bool:
        """The move is stored with what it says, and with the new content where one came.

        False where the referral changed meanwhile.
        """
        body = revised(held.loaded.body, moved)
        if arrival is not None:
            body |= self._content(held, arrival)
        try:
            self._save(held, body, said, due_of(moved))
        except (StaleVersion, DuplicateKeyError):
            return False
        return True

    def _content(self, held: Held, arrival: Arrival) -> Document:
        """The corrected words; whose referral it is and which visit's does not change by a correction."""
        known = held.loaded.body
        content: Document = {
            "sealed": self._vault.seal(held.referral.peer_id, to_seal(arrival.submission, arrival.earlier)),
            "arrived_at": arrival.arrived_at,
            "orders": list(dict.fromkeys([*known.get("orders", []), *arrival.orders])),
        }
        if arrival.key and arrival.key not in known["claims"] and len(known["answers"]) < _KEPT_ANSWERS:
            content["claims"] = [*known["claims"], arrival.key]
            content["answers"] = [*known["answers"], {"key": arrival.key, "digest": arrival.digest}]
        return content

    def _save(self, held: Held, body: Document, said: Said, due_at: datetime | None) -> None:
        self._aggregates.save(held.loaded, body, says=self._messages(said), cause=said.cause, due_at=due_at)

    def claim_due(self, limit: int, lease_s: float) -> list[Held]:
        """Referrals whose time has come."""
        return [
            Held(referral_of(one.aggregate_id, one.body), one)
            for one in self._aggregates.claim_due(limit, lease_s)
        ]

    def with_order(self, source_id: str, order: RecordNumber) -> list[Referral]:
        """The source's referrals under its own number of the order, newest first, without PHI."""
        return self._found({"orders": self._marks.order(source_id, order), "source_id": source_id})

    def of_visit(self, source_id: str, visit: RecordNumber) -> list[Referral]:
        """The source's referrals of the visit with this number, newest first, without PHI."""
        return self._found({"visit.number": self._marks.visit(source_id, visit), "source_id": source_id})

    def of_peer(self, source_id: str, peer_id: str) -> list[Referral]:
        """The source's referrals of this person, newest first, without PHI."""
        return self._found({"peer_id": peer_id, "source_id": source_id})

    def _found(self, query: Document, limit: int = _MOST_FOUND) -> list[Referral]:
        wanted = {"outbox": 0, "sealed": 0, "claims": 0, "answers": 0}
        found = self._aggregates.collection.find(query, wanted).sort("submitted_at", -1).limit(limit)
        return [referral_of(document["_id"], document) for document in found]

    def load(self, referral_id: str) -> Held:
        """The referral; raises ReferralUnknown."""
        loaded = self._aggregates.load(referral_id)
        if loaded is None:
            raise ReferralUnknown
        return Held(referral_of(referral_id, loaded.body), loaded)

    def revise(self, told: Sequence[T], decide: Callable[[Referral, T], Moved], caller: Caller) -> None:
        """Load, decide, save, again where somebody was quicker; each event's mark is stored with its effect.

        What is told of one referral takes effect in the order given. Raises ReferralUnknown and what `decide` raises.
        """
        waiting: dict[str, list[T]] = {}
        for one in told:
            waiting.setdefault(one.referral_id, []).append(one)
        for _ in range(_MOST_TRIES):
            steps = self._steps(waiting, decide, caller)
            stale = self._aggregates.save_many([change for change, _ in steps.values()])
            waiting = {
                referral_id: waiting[referral_id] if referral_id in stale else rest
                for referral_id, (_, rest) in steps.items()
                if referral_id in stale or rest
            }
            if not waiting:
                return
        raise StaleVersion(next(iter(waiting)))

    def _steps(
        self, waiting: Mapping[str, list[T]], decide: Callable[[Referral, T], Moved], caller: Caller
    ) -> dict[str, tuple[Change, list[T]]]:
        """The next change of each referral that has one, and what is still to be done after it."""
        found = self._aggregates.load_many(list(waiting))
        steps = {}
        for referral_id, ones in waiting.items():
            if referral_id not in found:
                raise ReferralUnknown
            loaded = found[referral_id]
            known = referral_of(referral_id, loaded.body)
            for position, one in enumerate(ones):
                if one.cause.event_id and one.cause.event_id in loaded.handled:
                    continue
                moved, events = decide(known, one)
                if moved is known:
                    continue
                says = self._messages(Said(events, caller, one.cause))
                change = Change(loaded, revised(loaded.body, moved), one.cause, says, due_of(moved))
                steps[referral_id] = change, _effective(moved, ones[position + 1 :], decide)
                break
        return steps

    def _messages(self, said: Said) -> list[Message]:
        return [self._spell(event, said.caller) for event in said.events]

    def open(self, held: Held) -> Kept:
        """What was sealed; raises Refusal NOT_FOUND where the person was erased."""
        try:
            return kept_of(self._vault.open(held.loaded.body["sealed"]), held.loaded.body)
        except Unreadable:
            raise Refusal("referral-erased", Kind.NOT_FOUND, "The person's record was erased.") from None

    def newest(self, source_id: str, status: str, limit: int) -> list[Referral]:
        """A source's referrals, newest first, without PHI."""
        query = {"source_id": source_id} | ({"status": status} if status else {})
        return self._found(query, limit)


def _effective(referral: Referral, told: Sequence[T], decide: Callable[[Referral, T], Moved]) -> list[T]:
    """What is told, from the first that still moves the referral on."""
    return list(dropwhile(lambda one: decide(referral, one)[0] is referral, told))


def new_referral_id() -> str:
    """An id that is also a FHIR id: R4 allows no underscore there (datatypes.html#id)."""
    return new_id("ref").replace("_", "-")
