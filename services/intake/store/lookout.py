"""Looking for somebody among those who are known: by keys first, then side by side with the few who are near."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from pymongo.collection import Collection

from chassis.clock import Clock
from chassis.shared_finds import SharedFinds
from services.intake import likeness
from services.intake.domain import linkage
from services.intake.domain.comparison import Beside
from services.intake.domain.linkage import Outcome, Verdict
from services.intake.domain.person import SAME_VISIT, Person, is_same_person
from services.intake.store.faces import Faces, Newcomer, marks_of
from services.intake.store.links import Links

_MOST_SEEN = 60  # found by numbers, name or visit come first; the rest is the tail of a crowded trail
_MOST_OPENED = 12
_MANY = 4  # a phone that so many people have is a shelter's or a family's
_ORDER = {Outcome.DIFFERENT: 0, Outcome.UNCERTAIN: 1, Outcome.CERTAIN: 2}
Document = dict[str, Any]


@dataclass(slots=True)
class Found:
    """Who somebody may be: documents by the root they lead to, and those that are uncertain, most alike first."""

    certain: dict[str, Document] = field(default_factory=dict)
    uncertain: dict[str, Verdict] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def only(self, whole: str) -> str | None:
        """The one person it certainly is; of several, the one who holds this very description."""
        if len(self.certain) > 1 and whole:
            exact = [root for root, one in self.certain.items() if whole in one["claims"]]
            return exact[0] if len(exact) == 1 else None
        return next(iter(self.certain)) if len(self.certain) == 1 else None

    def note(self, root: str, document: Document, verdict: Verdict) -> None:
        """What a comparison with somebody who leads to this root has ended with."""
        if verdict.outcome is Outcome.CERTAIN:
            self.certain[root] = document
            self.uncertain.pop(root, None)
        elif verdict.outcome is Outcome.UNCERTAIN:
            known = self.uncertain.get(root)
            if known is None or known.score < verdict.score:
                self.uncertain[root] = verdict


class Lookout:
    """Reads `people`; opens the sealed identity of the few who are near, in memory."""

    def __init__(self, people: Collection[Document], faces: Faces, links: Links, clock: Clock) -> None:
        self._people, self._faces, self._links, self._clock = people, faces, links, clock
        self._near = SharedFinds(people, near_any, is_near, most=_MOST_SEEN)

    def seen(self, newcomer: Newcomer) -> list[Document]:
        """Everybody with a mark in common, those with a key in common first."""
        return self._near.find(newcomer) if _ways([newcomer]) else []

    def judged(self, seen: Sequence[Document], newcomer: Newcomer) -> Found:
        """Who of those it may be; a person is compared under each pseudonym they have."""
        found, budget = Found(), _MOST_OPENED
        is_phone_of_many = cache(partial(self._is_phone_of_many, newcomer))  # asked once, whoever is compared
        trails = set(newcomer.trails)
        roots = self._roots(seen, found)
        conflicting = self._conflicting(found, newcomer)
        for document in sorted(seen, key=lambda one: -_nearness(one, newcomer, trails)):
            root = roots[document["_id"]]
            if root in found.certain:
                continue
            if _is_by_number(document, newcomer) and root not in conflicting:
                found.certain[root] = document
                continue
            if budget == 0:
                break
            budget -= 1
            verdict = self._verdict(document, newcomer, is_phone_of_many)
            if root in conflicting and verdict.outcome is Outcome.CERTAIN:
                verdict = replace(verdict, outcome=Outcome.UNCERTAIN, caveats=("number-conflict",))
            found.note(root, document, verdict)
        return found

    def _verdict(
        self, document: Document, newcomer: Newcomer, is_phone_of_many: Callable[[], bool]
    ) -> Verdict:
        """The best of what the person's identities say; the identity is opened here, in memory, and goes nowhere."""
        beside = Beside(
            is_same_source=newcomer.source_id in document.get("sources", [])
            and self._clock.now() - document["known_at"] < SAME_VISIT,
            is_same_visit=bool(newcomer.visit_mark) and newcomer.visit_mark in document["claims"],
        )
        known = self._faces.opened([document])
        if not known:  # erased, or stored before identities were: the keys alone decide
            is_same = is_same_person(marks_of(document), newcomer.marks)
            return Verdict(Outcome.CERTAIN if is_same else Outcome.DIFFERENT, 0.0, {})
        best = _best(known, newcomer, beside)
        is_by_phone = best.levels["phone"] == "same" and best.outcome is not Outcome.DIFFERENT
        if is_by_phone and is_phone_of_many():
            return _best(known, newcomer, linkage.without_private_phone(beside))
        return best

    def _is_phone_of_many(self, newcomer: Newcomer) -> bool:
        query = {"phones": {"$in": list(newcomer.phones)}}
        return self._people.count_documents(query, limit=_MANY) >= _MANY

    def _roots(self, seen: Sequence[Document], found: Found) -> dict[str, str]:
        """Each document's root; who was never merged is their own, and costs no question."""
        roots = {}
        for document in seen:
            peer_id = document["_id"]
            if document.get("merged_into") or document.get("absorbed"):
                roots[peer_id] = self._links.root(peer_id)
                found.groups.setdefault(roots[peer_id], self._links.members(roots[peer_id]))
            else:
                roots[peer_id] = peer_id
                found.groups[peer_id] = [peer_id]
        return roots

    def _conflicting(self, found: Found, newcomer: Newcomer) -> set[str]:
        """Merged people one of whose other numbers contradicts; who was never merged is compared by itself."""
        merged = {root: members for root, members in found.groups.items() if len(members) > 1}
        return {root for root, members in merged.items() if self._contradicts(members, newcomer)}

    def _contradicts(self, members: Sequence[str], newcomer: Newcomer) -> bool:
        known: dict[str, set[str]] = {}
        for document in self._people.find({"_id": {"$in": list(members)}}, {"records": 1}):
            for row in document["records"]:
                known.setdefault(row["s"], set()).add(row["n"])
        shared = known.keys() & newcomer.marks.records.keys()
        return any(known[system].isdisjoint(newcomer.marks.records[system]) for system in shared)


def near_any(newcomers: Sequence[Newcomer]) -> Document:
    """The query for everybody with a mark in common with one of them."""
    return {"$or": [{field_name: {"$in": marks}} for field_name, marks in _ways(newcomers).items()]}


def is_near(newcomer: Newcomer, document: Document) -> bool:
    """True where the query for this newcomer alone finds the document."""
    return (
        (bool(newcomer.marks.name) and document["name"] == newcomer.marks.name)
        or (bool(newcomer.visit_mark) and newcomer.visit_mark in document["claims"])
        or not set(newcomer.trails).isdisjoint(document.get("trails", ()))
        or not {row["n"] for row in newcomer.rows}.isdisjoint(row["n"] for row in document["records"])
    )


def _ways(newcomers: Sequence[Newcomer]) -> dict[str, list[str]]:
    """The marks that find somebody, by the field they stand in; fields without any are left out."""
    ways = {
        "records.n": {row["n"] for one in newcomers for row in one.rows},
        "name": {one.marks.name for one in newcomers} - {""},
        "claims": {one.visit_mark for one in newcomers} - {""},
        "trails": {trail for one in newcomers for trail in one.trails},
    }
    return {field_name: sorted(marks) for field_name, marks in ways.items() if marks}


def _is_by_number(document: Document, newcomer: Newcomer) -> bool:
    """True where a number says it and no name contradicts; another name is looked at (a wrong number, a twin's)."""
    marks = marks_of(document)
    if newcomer.person.has_name() and marks.name != newcomer.marks.name:
        return False
    is_shared = bool(marks.records.keys() & newcomer.marks.records.keys())
    return is_shared and is_same_person(marks, newcomer.marks)


def _nearness(document: Document, newcomer: Newcomer, trails: set[str]) -> int:
    by_key = bool(newcomer.marks.name) and document["name"] == newcomer.marks.name
    by_visit = bool(newcomer.visit_mark) and newcomer.visit_mark in document["claims"]
    by_number = _is_by_number(document, newcomer)
    return (
        1_000 * by_number + 100 * (by_key + by_visit) + len(trails.intersection(document.get("trails", [])))
    )


def _best(known: Sequence[Person], newcomer: Newcomer, beside: Beside) -> Verdict:
    verdicts = [linkage.judge(one, newcomer.person, beside, likeness.is_alike) for one in known]
    return max(verdicts, key=lambda one: (_ORDER[one.outcome], one.score))
