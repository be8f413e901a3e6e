"""From a name or a record number to a pseudonymous id, for who answers for the audit log; nothing is learned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from pymongo.database import Database

from services.intake.domain.person import Person, RecordNumber
from services.intake.store.blind import BlindIndex
from services.intake.store.faces import Faces, Newcomer
from services.intake.store.links import Links
from services.intake.store.lookout import Lookout

MOST_FOUND = 10
# The systems that give numbers are few and seldom change; which there are is looked up again after so long.
_KNOWN_S = 300.0
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answering:
    """Somebody who answers to a description: every pseudonym, the one that counts first; `person` holds PHI."""

    peer_ids: tuple[str, ...]
    person: Person
    sources: tuple[str, ...]
    is_certain: bool


class Lookups:
    """Reads `people`; opens the sealed identity of the few who are near, in memory."""

    def __init__(
        self, database: Database[Document], blind: BlindIndex, faces: Faces, links: Links, lookout: Lookout
    ) -> None:
        self._people = database["people"]
        self._blind, self._faces, self._links, self._lookout = blind, faces, links, lookout
        self._lock = Lock()
        self._systems: tuple[str, ...] = ()
        self._systems_at = -_KNOWN_S

    def answering(self, person: Person) -> list[Answering]:
        """Whoever the description may be, in all sources, those who certainly are before the others; MOST_FOUND at most.

        A record number without a system is looked for in every system that ever gave one.
        """
        newcomer = Newcomer.of(self._in_every_system(person), "", "", self._blind)
        found = self._lookout.judged(self._lookout.seen(newcomer), newcomer)
        likely = sorted(found.uncertain.items(), key=lambda one: -one[1].score)
        roots = [*((root, True) for root in found.certain), *((root, False) for root, _ in likely)]
        told = (self._told(root, is_certain) for root, is_certain in roots)
        return [one for one in told if one is not None][:MOST_FOUND]

    def _told(self, root: str, is_certain: bool) -> Answering | None:
        """None for somebody who was erased: there is nobody to show any more."""
        members = self._links.members(root)
        documents = list(self._people.find({"_id": {"$in": members}}))
        known = self._faces.opened(documents)
        if not known:
            return None
        person = next((one for one in known if one.has_name()), known[0])
        sources = {source for document in documents for source in document.get("sources", [])}
        return Answering(tuple(members), person, tuple(sorted(sources)), is_certain)

    def _in_every_system(self, person: Person) -> Person:
        numbers: list[RecordNumber] = []
        for number in person.record_numbers:
            systems: Sequence[str] = [number.system] if number.system else self._known_systems()
            numbers += [RecordNumber(system, number.value) for system in systems]
        return replace(person, record_numbers=tuple(numbers))

    def _known_systems(self) -> tuple[str, ...]:
        """The systems' own names; the documents hold only marks of them, so one sealed identity of each is opened."""
        with self._lock:
            if time.monotonic() - self._systems_at >= _KNOWN_S:
                marks = self._people.distinct("records.s")
                named = (self._name_of(mark) for mark in marks)
                self._systems = tuple(sorted(name for name in named if name))
                self._systems_at = time.monotonic()
            return self._systems

    def _name_of(self, mark: str) -> str:
        for document in self._people.find({"records.s": mark}).limit(5):
            for person in self._faces.opened([document]):
                for number in person.record_numbers:
                    if self._blind.mark("system", number.system) == mark:
                        return number.system
        return ""
