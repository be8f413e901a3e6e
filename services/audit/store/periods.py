"""The logs side by side: which there are, how one follows the other, and the store of whichever is appended to."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from services.audit.domain.entry import Heads
from services.audit.domain.period import FIRST, LogPlace, holding
from services.audit.store.entries import Store

Document = dict[str, Any]


class Periods:
    """Which logs there are, in order: the first needs no document, each later one has one."""

    def __init__(self, database: Database[Document]) -> None:
        self.documents = database["periods"]

    def places(self) -> list[LogPlace]:
        """Every log but the root, pruned ones included."""
        later = self.documents.find({"turn": {"$exists": True}}).sort("turn", ASCENDING)
        return [FIRST, *(LogPlace(each["_id"], each["first"]) for each in later)]

    def newest(self) -> LogPlace:
        """The log that is appended to."""
        newest = self.documents.find_one({"turn": {"$exists": True}}, sort=[("turn", DESCENDING)])
        return LogPlace(newest["_id"], newest["first"]) if newest else FIRST

    def ensure_indexes(self) -> None:
        """No two logs follow one and the same."""
        there = {"turn": {"$exists": True}}
        self.documents.create_index("turn", unique=True, partialFilterExpression=there)

    def open_after(self, before: LogPlace, following: LogPlace) -> None:
        """A log follows this one: `following`, or the one another worker was quicker with."""
        turn = self.places().index(before) + 1
        try:
            self.documents.insert_one({"_id": following.name, "first": following.first, "turn": turn})
        except DuplicateKeyError:
            return

    def pruned(self) -> dict[str, Document]:
        """What is kept of each pruned log, by its name: `pruned_at`, `size`, `root`, `checkpoint`, `heard`."""
        return {each["of"]: each for each in self.documents.find({"of": {"$exists": True}})}

    def mark_pruned(self, place: LogPlace, kept: Document) -> None:
        """What is kept of this log is there before anything of it is deleted."""
        self.documents.update_one(
            {"_id": f"pruned/{place.name}"}, {"$setOnInsert": {"of": place.name, **kept}}, upsert=True
        )


class CurrentStore(Store):
    """The store of whichever log is appended to: looking at the head follows it into the next period."""

    def __init__(self, database: Database[Document]) -> None:
        super().__init__(database)
        self._periods = Periods(database)
        self._known = [FIRST]

    def heads_now(self) -> Heads | None:
        """Both heads of the newest log; of the one before while the newest has not begun."""
        self._known = self._periods.places()
        for place in reversed(self._known):
            self.place = place
            if (heads := super().heads_now()) is not None:
                return heads
        return None

    def log_of(self, number: int, *, is_last_asked: bool = True) -> Store:
        """The store of the log this entry's number lies in.

        Logs only follow one another, so a number before the last known log's first is in a log that is known.
        Without `is_last_asked` nobody is asked whether the last one was followed: right for numbers it does hold.
        """
        place = holding(self._known, number)
        if is_last_asked and place == self._known[-1]:
            self._known = self._periods.places()
            place = holding(self._known, number)
        return Store(self.heads.database, place, self.kept)

    @property
    def end(self) -> int:
        """How many entries there are in all periods, as far as they are published."""
        heads = self.heads_now()
        return self.place.first + (heads.published.size if heads else 0)
