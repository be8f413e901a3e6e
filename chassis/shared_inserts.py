"""Inserts of many threads, written together: those that wait for a write that is under way make up the next one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo import InsertOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, WTimeoutError

from chassis.shared_rounds import SharedRounds

MOST_AT_ONCE = 100
_DUPLICATE = 11000


class SharedInserts:
    """Inserts into one collection; each caller is told of its own document only."""

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self._collection = collection
        self.rounds: SharedRounds[Any, None] = SharedRounds(self._written, MOST_AT_ONCE)

    def insert_one(self, document: Any, session: ClientSession | None = None) -> None:
        """The document (a mapping with an _id) is stored as the collection's write concern says.

        A session's insert is part of its transaction and shares nothing.
        Raises what Collection.insert_one raises; AutoReconnect where the thread that wrote for all was ended.
        """
        if session is not None:
            self._collection.insert_one(document, session=session)
            return
        self.rounds.join(document)

    def _written(self, documents: Sequence[Any]) -> list[Exception | None]:
        try:
            if len(documents) == 1:
                self._collection.insert_one(documents[0])
            else:
                self._collection.bulk_write([InsertOne(one) for one in documents], ordered=False)
        except BulkWriteError as exc:
            return _of_each(exc, len(documents))
        return [None] * len(documents)


def _of_each(exc: BulkWriteError, count: int) -> list[Exception | None]:
    """What each insert would have raised by itself; a write concern that failed is everybody's."""
    concern = exc.details["writeConcernErrors"]
    for_all = WTimeoutError(concern[0].get("errmsg", ""), concern[0].get("code")) if concern else None
    errors: list[Exception | None] = [for_all] * count
    for error in exc.details["writeErrors"]:
        kind = DuplicateKeyError if error["code"] == _DUPLICATE else OperationFailure
        errors[error["index"]] = kind(error.get("errmsg", ""), error["code"], error)
    return errors
