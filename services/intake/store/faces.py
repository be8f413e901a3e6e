"""How a person looks in their document: keyed hashes to be found by, and what each source said, sealed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chassis.vault import Unreadable, Vault
from services.intake import likeness
from services.intake.domain import linkage
from services.intake.domain.comparison import Beside, levels
from services.intake.domain.person import Person, PersonMarks, RecordNumber, SafeContact
from services.intake.store.blind import BlindIndex
from services.intake.store.plain import plain

_MOST_FACES = 6  # of one person, by one source
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
        said = plain(newcomer.person)
        sealed = self._vault.seal(peer_id, said, is_first=is_first)
        return {"source": newcomer.source_id, "digest": newcomer.digest, "sealed": sealed}

    def forget(self, peer_id: str) -> None:
        """The key of somebody who was not stored after all is gone."""
        self._vault.erase(peer_id)

    def opened(self, documents: Iterable[Document]) -> list[Person]:
        """What somebody may be compared with; nothing of somebody who was erased."""
        rows = [row for document in documents for row in document.get("faces", []) if not row.get("is_weak")]
        return self._all(rows)

    def told_by(self, documents: Iterable[Document], source_id: str) -> list[Person]:
        """Everything one source said about who they are."""
        rows = [row for document in documents for row in document.get("faces", [])]
        return self._all(row for row in rows if row["source"] == source_id)

    def learned(self, document: Document, newcomer: Newcomer) -> Document | None:
        """A description of somebody known that says something new, as it is to be stored; None where it does not."""
        rows = document.get("faces", [])
        own = [row for row in rows if row["source"] == newcomer.source_id]
        if any(row["digest"] == newcomer.digest for row in own) or len(own) >= _MOST_FACES:
            return None
        if own and not newcomer.person.has_name():
            return None
        confirmed = any(
            not known.has_name()
            or linkage.is_name_confirmed(levels(known, newcomer.person, Beside(), likeness.is_alike))
            for known in self.opened([document])
        )
        return {**self.sealed(document["_id"], newcomer), "is_weak": not confirmed}

    def _all(self, rows: Iterable[Document]) -> list[Person]:
        found = (self._open(row) for row in rows)
        return [person for person in found if person is not None]

    def _open(self, row: Document) -> Person | None:
        try:
            said = self._vault.open(row["sealed"])
        except Unreadable:
            return None
        numbers = tuple(RecordNumber(**one) for one in said["record_numbers"])
        lists = {name: tuple(said[name]) for name in ("phones", "former_names")}
        contact = SafeContact(**said["safe_contact"])
        return Person(**{**said, **lists, "record_numbers": numbers, "safe_contact": contact})
