"""The marks by which a referral is found again: its key, its visit, its order's numbers, and the claims on a visit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from typing import Any

from services.intake.domain.person import ANY_SYSTEM, SAME_VISIT, Pseudonym, RecordNumber, VisitMarks
from services.intake.domain.submission import Submission
from services.intake.store.blind import BlindIndex
from services.intake.store.documents import Arrival

_WANTED: dict[type, tuple[tuple[str, Any], ...] | None] = {}


class Marks:
    """Keyed hashes of what a source sends; nothing can be read from them."""

    def __init__(self, blind: BlindIndex) -> None:
        self._blind = blind

    def visit(self, source_id: str, visit: RecordNumber) -> str:
        """The mark of a visit's number at a source."""
        return "v:" + self._blind.mark("visit", source_id, visit.system, visit.value)

    def key(self, submission: Submission) -> str:
        """The mark of the submission's idempotency key; empty where none came."""
        key = submission.idempotency_key
        return "i:" + self._blind.mark("key", submission.source_id, submission.door, key) if key else ""

    def visit_of(self, submission: Submission) -> str:
        """The mark of the visit's number at this source; empty where none came."""
        return self.visit(submission.source_id, submission.visit) if submission.visit else ""

    def order(self, source_id: str, order: RecordNumber) -> str:
        """The mark of a source's own number of its order."""
        return self._blind.mark("order", source_id, order.system, order.value)

    def _orders(self, submission: Submission) -> Iterator[str]:
        """Each number is found with its system, and by itself."""
        for one in submission.placer_identifiers:
            yield self.order(submission.source_id, one)
            yield self.order(submission.source_id, RecordNumber(ANY_SYSTEM, one.value))

    def person(self, number: RecordNumber) -> str:
        """The mark by which a person with this record number is known."""
        return self._blind.record(number)

    def arrival(self, who: Pseudonym, submission: Submission, arrived_at: datetime) -> Arrival:
        """The submission with its marks."""
        visit = submission.visit
        return Arrival(
            peer_id=who.peer_id,
            is_first=who.is_new,
            aliases=who.aliases,
            submission=submission,
            arrived_at=arrived_at,
            key=self.key(submission),
            digest=self.digest(submission),
            visit=VisitMarks(
                submission.source_id,
                arrived_at,
                self._blind.mark("system", visit.system) if visit else "",
                self.visit_of(submission),
            ),
            orders=tuple(self._orders(submission)),
        )

    def digest(self, submission: Submission) -> str:
        """Equal for equal content, whatever was defaulted on the way.

        What says no more than the default is left out, so that a field added later does not make yesterday's retry
        look new.
        """
        return self._blind.mark("content", repr(_said(submission)))

    def claims(self, arrival: Arrival, held: frozenset[str]) -> list[str]:
        """Marks that two submissions of one visit share: its number; the moment; the half days around it.

        A half day and the next one: two arrivals less than 12 hours apart always have one in common.
        Claims of visits that were judged different are left to them.
        """
        peer, source = arrival.peer_id, arrival.submission.source_id
        slot = int(arrival.arrived_at.timestamp() // SAME_VISIT.total_seconds())
        words = [("slot", str(slot)), ("slot", str(slot + 1)), ("arrived", arrival.arrived_at.isoformat())]
        marks = ["v:" + self._blind.mark("claim", peer, source, *pair) for pair in words]
        if arrival.visit.number:
            marks.append(f"{arrival.visit.number}:{peer}")
        free = [mark for mark in marks if mark not in held]
        return [*([arrival.key] if arrival.key else []), *free]


def claimed_any(claims: Sequence[str]) -> dict[str, Any]:
    """The query for the documents that hold one of these claims."""
    return {"claims": {"$in": list(claims)}}


def is_claimed(claim: str, document: dict[str, Any]) -> bool:
    """True where the query for this claim alone finds the document."""
    return claim in document["claims"]


def _said(value: Any) -> Any:
    kind = type(value)
    if kind not in _WANTED:
        _WANTED[kind] = _fields_of(kind)
    wanted = _WANTED[kind]
    if wanted is not None:
        return [
            (name, _said(said))
            for name, default in wanted
            if (said := getattr(value, name)) and said != default
        ]
    return [_said(one) for one in value] if isinstance(value, tuple) else value


def _fields_of(kind: type) -> tuple[tuple[str, Any], ...] | None:
    """The names that count in a comparison, in their order, with what was not said; None where it is no dataclass."""
    if not is_dataclass(kind):
        return None
    return tuple(sorted((field.name, _default(field)) for field in fields(kind) if field.compare))


def _default(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default
