"""How a person looks in their document: keyed hashes to be found by, and what each source said, sealed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from chassis.vault import Unreadable, Vault
from services.intake.domain.person import Person, PersonMarks, RecordNumber, SafeContact, combined
from services.intake.store.blind import BlindIndex

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody a source speaks of, with every mark that can find them."""

    person: Person
    source_id: str
    visit_mark: str
    marks: PersonMarks
    trails: tuple[str, ...]
    phones: tuple[str, ...]
    digest: str

    @classmethod
    def of(cls, person: Person, source_id: str, visit_mark: str, blind: BlindIndex) -> Newcomer:
        """The person with their marks."""
        return cls(
            person=person,
            source_id=source_id,
            visit_mark=visit_mark,
            marks=blind.person(person),
            trails=blind.trails(person),
            phones=blind.phones(person),
            digest=blind.mark("identity", repr(person)),
        )

    @property
    def rows(self) -> list[Document]:
        """The record numbers as they stand in a document."""
        records = self.marks.records
        return [
            {"s": system, "n": number} for system in sorted(records) for number in sorted(records[system])
        ]

    @property
    def whole(self) -> str:
        """What only this very description has: its numbers, name, generation and source."""
        words = [row["n"] for row in self.rows] + ([self.marks.name] if self.marks.name else [])
        return "whole:" + "|".join([*words, self.marks.generation, self.source_id]) if words else ""

    def claims(self, held: frozenset[str]) -> list[str]:
        """What only one person may hold, without what somebody else does."""
        wanted = [*(row["n"] for row in self.rows), self.marks.name, self.whole, self.visit_mark]
        return [claim for claim in wanted if claim and claim not in held]


def new_document(newcomer: Newcomer, held: frozenset[str], face: Document) -> Document:
    """Everything of a person met just now but `_id` and `known_at`; a number that somebody else holds stays theirs."""
    return {
        "name": newcomer.marks.name,
        "birth": newcomer.marks.birth,
        "records": [row for row in newcomer.rows if row["n"] not in held],
        "claims": newcomer.claims(held),
        "trails": list(newcomer.trails),
        "phones": list(newcomer.phones),
        "sources": [newcomer.source_id] if newcomer.source_id else [],
        "faces": [face],
    }


def marks_of(document: Document) -> PersonMarks:
    """A document's marks, as the domain compares them."""
    records: dict[str, set[str]] = {}
    for row in document["records"]:
        records.setdefault(row["s"], set()).add(row["n"])
    return PersonMarks(
        name=document["name"],
        birth=document["birth"],
        records={system: frozenset(numbers) for system, numbers in records.items()},
    )


class Faces:
    """Seals and opens what a source said about who somebody is, with that person's own key."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def sealed(self, peer_id: str, newcomer: Newcomer, *, is_first: bool = False) -> Document:
        """What this source says, as it stands in the document."""
        said = asdict(newcomer.person)
        sealed = self._vault.seal(peer_id, said, is_first=is_first)
        return {"source": newcomer.source_id, "digest": newcomer.digest, "sealed": sealed}

    def forget(self, peer_id: str) -> None:
        """The key of somebody who was not stored after all is gone."""
        self._vault.erase(peer_id)

    def opened(self, documents: Iterable[Document], source_id: str | None = None) -> list[Person]:
        """Every identity in these documents, or only what one source said; nothing of somebody who was erased."""
        rows = [row for document in documents for row in document.get("faces", [])]
        found = (self._open(row) for row in rows if source_id in (None, row["source"]))
        return [person for person in found if person is not None]

    def changed(self, document: Document, newcomer: Newcomer) -> tuple[Document, bool]:
        """(this source's row, whether it says more than the one that is there)."""
        known = next((row for row in document.get("faces", []) if row["source"] == newcomer.source_id), None)
        if known is not None and known["digest"] == newcomer.digest:
            return known, False
        before = self._open(known) if known is not None else None
        person = combined(before, newcomer.person) if before else newcomer.person
        if person == before and known is not None:
            return known, False
        sealed = self._vault.seal(document["_id"], asdict(person))
        return {"source": newcomer.source_id, "digest": newcomer.digest, "sealed": sealed}, True

    def _open(self, row: Document) -> Person | None:
        try:
            said = self._vault.open(row["sealed"])
        except Unreadable:
            return None
        numbers = tuple(RecordNumber(**one) for one in said["record_numbers"])
        lists = {name: tuple(said[name]) for name in ("phones", "former_names")}
        contact = SafeContact(**said["safe_contact"])
        return Person(**{**said, **lists, "record_numbers": numbers, "safe_contact": contact})
