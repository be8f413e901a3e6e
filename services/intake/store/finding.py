"""Searches among a source's own referrals, page by page, each by an index and from where the last page ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.cursor import Cursor
from pymongo.database import Database

from chassis.aggregates import Aggregates
from chassis.errors import Refusal
from services.intake.domain.referral import Referral
from services.intake.domain.wanted import CHANGED_AT, SUBMITTED_AT, After, Span, Wanted
from services.intake.store.documents import Document, Kept, referral_of
from services.intake.store.referrals import Held, Referrals

_FIELDS = {SUBMITTED_AT: "submitted_at", CHANGED_AT: "status_at"}
Row = tuple[Referral, Kept]


@dataclass(frozen=True, slots=True)
class Found:
    """One page; `total` counts every match, None where nobody asked; `after` is None on the last page."""

    rows: tuple[Row, ...]
    total: int | None
    after: After | None


class Finding:
    """Reads the collections `referrals` and `people`; writes nothing.  `group` tells all pseudonyms of a person."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        aggregates: Aggregates,
        referrals: Referrals,
        group: Callable[[str], list[str]],
    ) -> None:
        self._people, self._group = database["people"], group
        self._aggregates, self._referrals = aggregates, referrals

    def ensure_indexes(self) -> None:
        """A source's referrals by their last change; by submission and by person others have indexes already."""
        keys = [("source_id", ASCENDING), ("status_at", DESCENDING), ("_id", DESCENDING)]
        self._aggregates.collection.create_index(keys, name="changed_of_source")

    def page(self, source_id: str, wanted: Wanted) -> Found:
        """The source's referrals that are wanted, with what was sealed; those of erased people are left out."""
        query = self.query(source_id, wanted)
        total = self._count(query, wanted.count_to)
        if not wanted.limit:
            return Found((), total, None)
        field = _FIELDS[wanted.sort_by]
        ends = list(self.cursor(source_id, wanted))
        kept = [document["_id"] for document in ends[: wanted.limit]]
        loaded = self._aggregates.load_many(kept)
        held = [Held(referral_of(one, loaded[one].body), loaded[one]) for one in kept if one in loaded]
        last = ends[wanted.limit - 1] if len(ends) > wanted.limit else None
        rows = tuple(row for one in held if (row := self._opened(one)) is not None)
        return Found(rows, total, After(last[field], last["_id"]) if last else None)

    def _count(self, query: Document, most: int) -> int | None:
        """How many there are; None where nobody asked, or where there are more than `most`."""
        if not most:
            return None
        found = self._aggregates.collection.count_documents(query, limit=most + 1)
        return found if found <= most else None

    def cursor(self, source_id: str, wanted: Wanted) -> Cursor[Document]:
        """Where the page's referrals are, and one more; tests ask it to explain itself."""
        field = _FIELDS[wanted.sort_by]
        query = self.query(source_id, wanted)
        direction = DESCENDING if wanted.is_descending else ASCENDING
        shown = {"$and": [query, _from(wanted, field)]} if wanted.after else query
        sought = self._aggregates.collection.find(shown, {field: 1})
        return sought.sort([(field, direction), ("_id", direction)]).limit(wanted.limit + 1)

    def _opened(self, held: Held) -> Row | None:
        try:
            return held.referral, self._referrals.open(held)
        except Refusal:  # the person was erased
            return None

    def query(self, source_id: str, wanted: Wanted) -> Document:
        """The criteria as MongoDB reads them; always the source's own."""
        parts: list[Document] = [{"source_id": source_id}]
        lists = {
            "_id": wanted.referral_ids,
            "status": wanted.states,
            "specialist_id": wanted.specialist_ids,
            "urgency": wanted.urgencies,
        }
        parts += [{field: {"$in": sorted(some)}} for field, some in lists.items() if some is not None]
        if wanted.peer_ids is not None:
            parts.append({"peer_id": {"$in": self._everybody(wanted.peer_ids)}})
        parts += [{"peer_id": {"$in": self._numbered(marks)}} for marks in wanted.people]
        for marks in wanted.orders:  # the source's own numbers, and ours
            some = {"$in": sorted(marks)}
            parts.append({"$or": [{"orders": some}, {"_id": some}]})
        parts += [_spanned(_FIELDS[name], span) for name, span in wanted.spans]
        if wanted.with_consent:
            parts.append({"consent_version": {"$gt": 0}})
        if wanted.is_consent_in_force is not None:
            over: list[Document] = [{"is_consent_revoked": True}, {"reason_code": "consent-expired"}]
            parts.append({"$nor" if wanted.is_consent_in_force else "$or": over})
        return {"$and": parts}

    def _numbered(self, marks: frozenset[str]) -> list[str]:
        found = self._people.find({"records.n": {"$in": sorted(marks)}}, {"_id": 1})
        return self._everybody(document["_id"] for document in found)

    def _everybody(self, peer_ids: Iterable[str]) -> list[str]:
        """With the other pseudonyms of people who were found to be one."""
        return sorted({one for peer_id in peer_ids for one in self._group(peer_id)})


def _spanned(field: str, span: Span) -> Document:
    inside: Document = {}
    if span.start is not None:
        inside["$gte"] = span.start
    if span.end is not None:
        inside["$lt"] = span.end
    return {field: {"$not": inside}} if span.is_outside else {field: inside}


def _from(wanted: Wanted, field: str) -> Document:
    assert wanted.after is not None
    beyond = "$lt" if wanted.is_descending else "$gt"
    moment, last = wanted.after.moment, wanted.after.referral_id
    return {"$or": [{field: {beyond: moment}}, {field: moment, "_id": {beyond: last}}]}
