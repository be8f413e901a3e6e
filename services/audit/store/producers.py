"""Which sequence numbers of each producer have been heard, kept as ranges so that a gap is seen at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from services.audit.domain import sequences
from services.audit.domain.entry import LogBroken
from services.audit.store.duplicates import only_duplicates

Document = dict[str, Any]


class HeardSequences:
    """One document per producer; replaced only where nobody else was quicker."""

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection

    def add(self, numbers: Mapping[str, Sequence[int]]) -> None:
        """Each producer's numbers are among those heard; adding them again changes nothing."""
        waiting = dict(numbers)
        while waiting:
            before = self._read(waiting)
            writes = [_write(name, before.get(name), new) for name, new in waiting.items()]
            try:
                self.collection.bulk_write(writes, ordered=False)
            except BulkWriteError as exc:
                only_duplicates(exc)  # another worker was quicker: what is there now is read below
            after = self._read(waiting)
            waiting = {name: new for name, new in waiting.items() if not _holds(after.get(name), new)}

    def heard(self) -> dict[str, sequences.Ranges]:
        """Every producer with the ranges of numbers heard; one whose document makes no sense is left out."""
        found: dict[str, sequences.Ranges] = {}
        for document in self.collection.find({"_id": {"$type": "string"}}, sort=[("_id", 1)]):
            with suppress(LogBroken):
                found[document["_id"]] = _ranges(document)
        return found

    def _read(self, names: Iterable[str]) -> dict[str, Document]:
        return {document["_id"]: document for document in self.collection.find({"_id": {"$in": list(names)}})}


def _write(name: str, before: Document | None, new: Sequence[int]) -> UpdateOne:
    """Adds numbers if nobody else changed the ranges meanwhile."""
    ranges = sequences.heard(_ranges(before) if before else (), new)
    version = before["version"] if before else 0
    change = {"$set": {"heard": [list(each) for each in ranges], "version": version + 1}}
    return UpdateOne({"_id": name, "version": version}, change, upsert=before is None)


def _holds(document: Document | None, numbers: Sequence[int]) -> bool:
    return document is not None and sequences.heard(_ranges(document), numbers) == _ranges(document)


def _ranges(document: Document) -> sequences.Ranges:
    try:
        return tuple((int(first), int(last)) for first, last in document["heard"])
    except (KeyError, TypeError, ValueError) as wrong:
        raise LogBroken("producer-state-malformed", str(document["_id"])) from wrong
