"""The search index: for each entry its marks, blinded, in the order of time; derived from the log, and never believed.

It can be dropped and is built again from the entries.  Whoever edits it hides an entry from a search at most until the
next check (`check`) compares it with the log in both directions; what it shows is opened, compared with the leaf and
proven.  A person's marks hang on their own key: without it nobody can make them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from services.audit.sealing.entry_sealing import EntrySealer
from services.audit.sealing.keyring import DataKey, Keyring
from services.audit.search import joins, marks, narrowing
from services.audit.search.asked import Asked, Criterion, Value
from services.audit.search.making import RowMaker, is_same
from services.audit.store.duplicates import only_duplicates

Document = dict[str, Any]
_STATE = "finds"
# How rows are made; an index whose rows were made otherwise is made again.
_FORM = 2
_STEP = 1_024
_NEWEST_FIRST = [("t", DESCENDING), ("_id", DESCENDING)]
_OLDEST_FIRST = [("t", ASCENDING), ("_id", ASCENDING)]
# All of a row that an index tells, so that no row is fetched: the entry itself says the rest.
_PLACE = {"t": 1}
_FEW = 1_500
_MOST_AT_ONCE = 512


@dataclass(frozen=True)
class Wanted:
    """Where a search looks: of each of `marks` a hit has one, the first has the fewest; `keys` of who is named, by id."""

    marks: list[list[bytes]]
    keys: Mapping[bytes, DataKey]


class SearchIndex:
    """The collection `finds`: {_id: number, e: event id, t: time, k: marks, and facts a report is made from}."""

    def __init__(self, database: Database[Document], keyring: Keyring, sealer: EntrySealer) -> None:
        self.finds: Collection[Document] = database["finds"]
        self._state: Collection[Document] = database["search_state"]
        self._keyring = keyring
        self._maker = RowMaker(database, keyring, sealer)

    def ensure_indexes(self) -> None:
        """Every search has an index that also gives its order; rows of an earlier form are gone."""
        self.finds.create_index([("k", ASCENDING), *_NEWEST_FIRST], name="mark")
        self.finds.create_index(_NEWEST_FIRST, name="time")
        state = self._state.find_one({"_id": _STATE})
        if state is not None and state.get("form") != _FORM:
            self.forget()

    # -- following the log

    def reached(self) -> int:
        """Entries below this number are indexed."""
        document = self._state.find_one({"_id": _STATE})
        return int(document["next"]) if document else 0

    def follow(self, size: int, most: int = _STEP) -> int:
        """Up to `most` further entries of the first `size` are indexed; returns how far the index reaches now.

        Any number of processes may do so at once: an entry is indexed by whoever comes first, always the same way.
        """
        start = self.reached()
        end = min(size, start + most)
        if end <= start:
            return start
        documents = list(self._maker.made(start, end))
        try:
            if documents:
                self.finds.insert_many(documents, ordered=False)
        except BulkWriteError as exc:
            only_duplicates(exc)
        self._state.update_one({"_id": _STATE}, {"$max": {"next": end}, "$set": {"form": _FORM}}, upsert=True)
        return end

    def check(self, start: int, end: int) -> list[tuple[str, int]]:
        """What of the entries [start, end) is indexed otherwise than the log says, by name and number."""
        wanted = {document["_id"]: document for document in self._maker.made(start, end)}
        here = {"_id": {"$gte": start, "$lt": end}}
        found = {document["_id"]: document for document in self.finds.find(here)}
        codes: list[tuple[str, int]] = []
        for number in sorted(wanted.keys() | found.keys()):
            if number not in found:
                codes.append(("search-row-missing", number))
            elif number not in wanted:
                codes.append(("search-row-extra", number))
            elif not is_same(found[number], wanted[number]):
                codes.append(("search-row-changed", number))
        return codes

    def outside(self, start: int, end: int, most: int = 100) -> list[Any]:
        """The numbers of rows that stand for no entry [start, end), at most so many."""
        whole = {"$gte": start, "$lt": end, "$type": ["int", "long"]}
        return [row["_id"] for row in self.finds.find({"_id": {"$not": whole}}, {"_id": 1}).limit(most)]

    def forget(self) -> None:
        """The index is empty and will be built again; safe to break off and to repeat."""
        self._state.update_one({"_id": _STATE}, {"$set": {"next": 0, "form": 0}}, upsert=True)
        self.finds.delete_many({})
        self._state.update_one({"_id": _STATE}, {"$set": {"next": 0, "form": _FORM}})

    def make_again(self, key_ids: Iterable[bytes]) -> None:
        """Entries whose keys were destroyed are found by what their rows still say, and by nothing of the person."""
        for found in list(self.finds.find({"s": {"$in": list(key_ids)}}, {"_id": 1})):
            for document in self._maker.made(found["_id"], found["_id"] + 1):
                self.finds.replace_one({"_id": document["_id"]}, document, upsert=True)

    def forget_between(self, start: int, end: int) -> None:
        """The rows of a pruned period are gone."""
        self.finds.delete_many({"_id": {"$gte": start, "$lt": end}})

    # -- finding

    def candidates(
        self,
        asked: Asked,
        size: int,
        skip_until: tuple[datetime, int] | None,
        wanted: Wanted | None = None,
    ) -> Iterator[Document]:
        """Times and numbers of entries that may be what was asked for, in its order; each must be opened and compared.

        As many at once as make a page and one, so that the first answer is the last one where all of them fit.
        `wanted` is what `wanted` gave for what is asked, where it was looked up already.
        """
        found = (wanted or self.wanted(asked)).marks
        if not all(found):
            return  # somebody without a key: nothing of theirs can be found
        query = _bounds(asked, size)
        if found:
            query["k"] = {"$in": found[0]}
        if len(found) > 1:
            few = self._page(asked, query, skip_until, _FEW)
            if len(few) < _FEW:
                yield from self._also(few, found[1:])
                return
            # By expression, so that the index is entered at the narrowest mark and nowhere else.
            query["$expr"] = {
                "$and": [{"$gt": [{"$size": {"$setIntersection": ["$k", one]}}, 0]} for one in found[1:]]
            }
        after, piece = skip_until, min(asked.count + 1, _MOST_AT_ONCE) if asked.count else _MOST_AT_ONCE
        while True:
            rows = self._page(asked, query, after, piece)
            yield from rows
            if len(rows) < piece:
                return
            after, piece = (rows[-1]["t"], rows[-1]["_id"]), _MOST_AT_ONCE

    def between(self, since: datetime, until: datetime, size: int, **facts: Any) -> Iterator[Document]:
        """Rows of a time in its order, oldest first, with only these facts; without marks."""
        query = {"t": {"$gte": since, "$lt": until}, "_id": {"$lt": size}} | facts
        if "a" in facts:  # one user's, or some people's, entries are found by their marks
            user = Criterion("agent", "identifier", (Value(str(facts["a"])),))
            query["k"] = {"$in": self._marks_of(user, self._keys_of([user])) or []}
        elif "s" in facts:
            keys = self._keyring.keys_by_id(facts["s"]["$in"])
            query["k"] = {"$in": [self._maker.personal(key, "patient") for key in keys.values()]}
        yield from self.finds.find(query, {"k": 0}).sort(_OLDEST_FIRST).hint(_hint(query)).batch_size(2_000)

    def of_numbers(self, numbers: Sequence[int]) -> list[Document]:
        """The rows of these entries."""
        return list(self.finds.find({"_id": {"$in": list(numbers)}}))

    def key_ids_of(self, subject_id: str) -> list[bytes]:
        """The names of a person's keys, under which a report finds them; none where they were erased."""
        return [key.key_id for key in self._keyring.keys_of_subject(subject_id)]

    def wanted(self, asked: Asked) -> Wanted:
        """The marks of each criterion that the index knows, and whose keys were read to know them."""
        criteria = narrowing.joined(asked.criteria)
        keys = self._keys_of(criteria)
        marked = [(each.parameter, self._marks_of(each, keys)) for each in criteria]
        wanted = [(parameter, found) for parameter, found in marked if found is not None]
        if len(wanted) > 1 and all(found for _, found in wanted):
            wanted.insert(0, wanted.pop(self._narrowest(wanted)))
        by_id = {key.key_id: key for each in keys.values() for key in each}
        return Wanted([found for _, found in wanted], by_id)

    def _page(
        self, asked: Asked, query: Document, after: tuple[datetime, int] | None, most: int
    ) -> list[Document]:
        order = _NEWEST_FIRST if asked.is_newest_first else _OLDEST_FIRST
        here = _further(query, after, is_newest_first=asked.is_newest_first)
        found = self.finds.find(here, _PLACE).sort(order).hint(_hint(query))
        return list(found.limit(-most).batch_size(most))

    def _also(self, rows: list[Document], others: Sequence[list[bytes]]) -> list[Document]:
        """Those of the rows that have one of each of the other marks too, asked of the index and of no row."""
        for one in others:
            if not rows:
                break
            times, numbers = list({row["t"] for row in rows}), [row["_id"] for row in rows]
            query = {"k": {"$in": one}, "t": {"$in": times}, "_id": {"$in": numbers}}
            found = self.finds.find(query, {"_id": 1}).hint("mark").batch_size(len(rows) + 1)
            here = {row["_id"] for row in found}
            rows = [row for row in rows if row["_id"] in here]
        return rows

    def _narrowest(self, wanted: list[tuple[str, list[bytes]]]) -> int:
        places = sorted(range(len(wanted)), key=lambda place: narrowing.rank(wanted[place][0]))
        if len(places) == 1 or wanted[places[0]][0] in ("_id", "patient"):
            return places[0]
        fewest, best = _FEW, places[0]
        for place in places:
            count = self.finds.count_documents({"k": {"$in": wanted[place][1]}}, limit=_FEW, hint="mark")
            if count < fewest:
                fewest, best = count, place
        return best

    def _keys_of(self, criteria: Sequence[Criterion]) -> Mapping[str, Sequence[DataKey]]:
        """The keys of everybody who is named, in one question."""
        named = {
            _name(value.text, each.modifier)
            for each in criteria
            if joins.is_of_somebody(each.parameter) and each.modifier not in ("not", "contains")
            for value in each.values
        }
        return self._keyring.keys_of_subjects(named) if named else {}

    def _marks_of(self, criterion: Criterion, keys: Mapping[str, Sequence[DataKey]]) -> list[bytes] | None:
        """The blinded marks of which a hit has one; None where the index does not know them."""
        parameter = criterion.parameter
        if criterion.modifier in ("not", "contains"):
            return None
        found: list[bytes] = []
        for value in criterion.values:
            if not value.text:
                return None  # "system|": any code of it
            if joins.is_of_somebody(parameter):
                name = _name(value.text, criterion.modifier)
                if (parameter, name) in marks.COMMON:
                    return None
                for place in marks.under(parameter):
                    found += [self._maker.personal(key, place) for key in keys.get(name, ())]
                    found.append(self._maker.blinded(place, name))
            elif parameter in marks.STRINGS:
                is_whole = criterion.modifier == "exact"
                told = marks.beginning_with(parameter, value.text, is_whole=is_whole)
                found += [self._maker.blinded(*mark) for mark in told]
            else:
                text = value.text if parameter in marks.URIS else value.text.lower()
                if (parameter, text) in marks.COMMON:
                    return None
                found += [self._maker.blinded(place, text) for place in marks.under(parameter)]
        return sorted(set(found))


def _bounds(asked: Asked, size: int) -> Document:
    query: Document = {"_id": {"$lt": size}}
    if asked.since.year > 1 or asked.until.year < 9999:
        query["t"] = {"$gte": asked.since, "$lt": asked.until}
    return query


def _hint(query: Document) -> str:
    return "mark" if "k" in query else "time"


def _name(text: str, modifier: str) -> str:
    return text if modifier == "identifier" else marks.last_step(text)


def _further(query: Document, after: tuple[datetime, int] | None, *, is_newest_first: bool) -> Document:
    """The query from the entry after this one on, in its order."""
    if after is None:
        return query
    moment, number = after
    step, bound = ("$lt", "$lte") if is_newest_first else ("$gt", "$gte")
    onward = [{"t": {step: moment}}, {"t": moment, "_id": {step: number}}]
    return query | {"$or": onward, "t": query.get("t", {}) | {bound: moment}}
