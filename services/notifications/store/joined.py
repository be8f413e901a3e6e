"""Which pseudonyms are one person, as intake says it; ids and times only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from services.notifications.domain.joined import Joint

# Nobody has so many pseudonyms; a ring of wrong merges ends here.
_MOST = 200


class JoinedPeople:
    """The collection `joined`: one document for two pseudonyms, and whether they are one person still."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["joined"]

    def ensure_indexes(self) -> None:
        """Whoever is joined to somebody is found."""
        self._collection.create_index([("people", ASCENDING)], name="by_person")

    def keep(self, one: str, other: str, *, is_joined: bool, at: datetime) -> None:
        """The newest word about the two is kept, in whatever order they come."""
        pair = sorted((one, other))
        told = {"people": pair, "is_joined": is_joined, "at": at}
        try:
            self._collection.update_one(
                {"_id": "/".join(pair), "at": {"$lt": at}}, {"$set": told}, upsert=True
            )
        except DuplicateKeyError:
            return  # a newer word is there, or this one

    def of(self, person_ids: Iterable[str]) -> dict[str, Joint]:
        """Who is joined to anybody, with all who are the same person."""
        wanted = set(person_ids)
        pairs: dict[str, tuple[str, str, datetime]] = {}
        known: set[str] = set()
        fresh = set(wanted)
        while fresh and len(known) < _MOST + len(wanted):
            found = self._collection.find({"people": {"$in": sorted(fresh)}, "is_joined": True})
            pairs.update((row["_id"], (*row["people"], row["at"])) for row in found)
            known |= fresh
            fresh = {one for pair in pairs.values() for one in pair[:2]} - known
        return _joints(wanted, list(pairs.values()))


def _joints(wanted: set[str], pairs: list[tuple[str, str, datetime]]) -> dict[str, Joint]:
    found = {}
    for person_id in wanted:
        people, since = {person_id}, None
        for _ in pairs:
            touching = [pair for pair in pairs if not people.isdisjoint(pair[:2])]
            people = people.union(*(pair[:2] for pair in touching))
            since = max((pair[2] for pair in touching), default=None)
        if since is not None:
            found[person_id] = Joint(frozenset(people), since)
    return found
