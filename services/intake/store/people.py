"""People under pseudonyms: the same person gets the same peer_id, found by keyed hashes and never by name."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.clock import Clock
from chassis.errors import Kind, Refusal
from chassis.ids import new_id
from services.intake.domain.person import Person, PersonMarks, Pseudonym, is_same_person
from services.intake.store.blind import BlindIndex

_MOST_TRIES = 8
Document = dict[str, Any]


class People:
    """The collection `people`: {_id: peer_id, name, birth, records: [{s, n}], claims, known_at}; no PHI.

    `claims` are marks under a unique index: of two writers that bring the same person at once, one is second, and
    looks again.
    """

    def __init__(self, database: Database[Document], blind: BlindIndex, clock: Clock) -> None:
        self._people = database["people"]
        self._blind = blind
        self._clock = clock

    def ensure_indexes(self) -> None:
        """One person per claim, and a way to each mark."""
        self._people.create_index([("claims", ASCENDING)], name="one_person_per_claim", unique=True)
        self._people.create_index([("records.n", ASCENDING)], name="by_record")
        self._people.create_index([("name", ASCENDING)], name="by_name")

    def known_as(self, person: Person, visit_mark: str = "") -> Pseudonym:
        """The person's pseudonym, made now if this is the first time; uncertain means another person (DOMAIN 3).

        `visit_mark` tells somebody apart of whom nothing but the visit's number is known.
        """
        marks = self._blind.person(person)
        for _ in range(_MOST_TRIES):
            seen = self._alike(marks)
            same = [one for one in seen if is_same_person(_marks(one), marks)]
            if len(same) == 1:
                self._learn(same[0], marks)
                return Pseudonym(str(same[0]["_id"]), is_new=False)
            held = {claim for one in seen for claim in one["claims"]}
            peer_id = self._add(marks, [claim for claim in _claims(marks, visit_mark) if claim not in held])
            if peer_id is not None:
                return Pseudonym(peer_id, is_new=True)
            if not seen and visit_mark:
                found = self._people.find_one({"claims": visit_mark}, {"_id": 1})
                if found is not None:
                    return Pseudonym(str(found["_id"]), is_new=False)
        raise Refusal("person-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)

    def _alike(self, marks: PersonMarks) -> list[Document]:
        numbers = [number for numbers in marks.records.values() for number in numbers]
        ways: list[Document] = [{"records.n": {"$in": numbers}}] if numbers else []
        if marks.name:
            ways.append({"name": marks.name})
        return list(self._people.find({"$or": ways})) if ways else []

    def _add(self, marks: PersonMarks, claims: list[str]) -> str | None:
        peer_id = new_id("peer")
        document = {
            "_id": peer_id,
            "name": marks.name,
            "birth": marks.birth,
            "records": _rows(marks),
            "claims": claims or [peer_id],
            "known_at": self._clock.now(),
        }
        try:
            self._people.insert_one(document)
        except DuplicateKeyError:
            return None
        return peer_id

    def _learn(self, known: Document, marks: PersonMarks) -> None:
        """A number or a name that is new about a known person is kept, so that it finds them next time."""
        new_rows = [row for row in _rows(marks) if row not in known["records"]]
        gained = {
            key: value for key in ("name", "birth") if not known[key] and (value := getattr(marks, key))
        }
        if not new_rows and not gained:
            return
        update: Document = {"$addToSet": {"records": {"$each": new_rows}}}
        if gained:
            update["$set"] = gained
        self._people.update_one({"_id": known["_id"]}, update)


def _rows(marks: PersonMarks) -> list[Document]:
    return [
        {"s": system, "n": number}
        for system in sorted(marks.records)
        for number in sorted(marks.records[system])
    ]


def _marks(document: Document) -> PersonMarks:
    records: dict[str, set[str]] = {}
    for row in document["records"]:
        records.setdefault(row["s"], set()).add(row["n"])
    return PersonMarks(
        name=document["name"],
        birth=document["birth"],
        records={system: frozenset(numbers) for system, numbers in records.items()},
    )


def _claims(marks: PersonMarks, visit_mark: str) -> list[str]:
    """What only one person may hold.  A name counts alone only where no number comes with it to tell two apart."""
    numbers = sorted(number for numbers in marks.records.values() for number in numbers)
    whole = "|".join([*numbers, marks.name])
    claims = [*numbers, *([marks.name] if marks.name else [])]
    if whole:
        return [*claims, "whole:" + whole]
    return [visit_mark] if visit_mark else []
