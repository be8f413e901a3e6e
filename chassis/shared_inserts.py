"""Inserts of many threads, written together: while one write is under way, those that wait for it make up the next one.

A single caller pays nothing; 32 at once share round trips and journal flushes (measured in
docs/decisions/0014-shared-inserts.md).  Nothing waits for a timer.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pymongo import InsertOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, BulkWriteError, DuplicateKeyError, OperationFailure, WTimeoutError

MOST_AT_ONCE = 100
_DUPLICATE = 11000


class _Waiting:
    """One caller's document, and how its insert ended."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.error: Exception | None = None
        self.is_done = self.leads = False
        self.told = threading.Event()


class SharedInserts:
    """Inserts into one collection; each caller is told of its own document only."""

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self._collection = collection
        self._lock = threading.Lock()
        self._queue: list[_Waiting] = []
        self._is_writing = False

    def insert_one(self, document: Any, session: ClientSession | None = None) -> None:
        """The document (a mapping with an _id) is stored as the collection's write concern says.

        A session's insert is part of its transaction and shares nothing.
        Raises what Collection.insert_one raises; AutoReconnect where the thread that wrote for all was ended.
        """
        if session is not None:
            self._collection.insert_one(document, session=session)
            return
        mine = _Waiting(document)
        with self._lock:
            self._queue.append(mine)
            if not self._is_writing:
                self._choose()
        try:
            mine.told.wait()  # until another thread has written it, or leaves the writing to this one
        except BaseException:
            self._leave(mine)
            raise
        if not mine.is_done:
            self._lead()
        if mine.error is not None:
            raise mine.error

    def _choose(self) -> None:
        """Whoever waits longest leads; the lock is held."""
        self._is_writing = bool(self._queue)
        if self._queue:
            self._queue[0].leads = True
            self._queue[0].told.set()

    def _leave(self, ended: _Waiting) -> None:
        """A thread that was ended while it waited neither writes nor keeps others from it."""
        with self._lock:
            if ended in self._queue:
                self._queue.remove(ended)
                if ended.leads:
                    self._choose()

    def _lead(self) -> None:
        """Everything that waits is written, then the next who waits leads."""
        with self._lock:
            batch, self._queue = self._queue[:MOST_AT_ONCE], self._queue[MOST_AT_ONCE:]
        errors: Sequence[Exception | None] = [AutoReconnect("the writing thread was ended")] * len(batch)
        try:
            errors = self._written(batch)
        finally:
            for one, error in zip(batch, errors, strict=True):
                one.error, one.is_done = error, True
                one.told.set()
            with self._lock:
                self._choose()

    def _written(self, batch: Sequence[_Waiting]) -> list[Exception | None]:
        try:
            if len(batch) == 1:
                self._collection.insert_one(batch[0].document)
            else:
                self._collection.bulk_write([InsertOne(one.document) for one in batch], ordered=False)
        except BulkWriteError as exc:
            return _of_each(exc, len(batch))
        except Exception as exc:  # noqa: BLE001  each caller raises it
            return [exc] * len(batch)
        return [None] * len(batch)


def _of_each(exc: BulkWriteError, count: int) -> list[Exception | None]:
    """What each insert would have raised by itself; a write concern that failed is everybody's."""
    concern = exc.details["writeConcernErrors"]
    for_all = WTimeoutError(concern[0].get("errmsg", ""), concern[0].get("code")) if concern else None
    errors: list[Exception | None] = [for_all] * count
    for error in exc.details["writeErrors"]:
        kind = DuplicateKeyError if error["code"] == _DUPLICATE else OperationFailure
        errors[error["index"]] = kind(error.get("errmsg", ""), error["code"], error)
    return errors
