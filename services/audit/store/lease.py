"""Whose turn it is to append to a log: it spares workers from doing each other's work twice.

It is not what keeps the log right: the swap of the head does, whoever holds what (decision 0009).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

LASTS_S = 5.0
_FIRST_WAIT_S = 0.002
_LONGEST_WAIT_S = 0.05
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# Nothing is lost with it, so nobody waits for a disk.
_LIGHT = WriteConcern(1, j=False)


class Lease:
    """One document; whoever holds it goes on, the others wait, and a holder that died is waited out."""

    def __init__(self, database: Database[dict[str, Any]], lease_id: str, lasts_s: float = LASTS_S) -> None:
        self._leases = database["leases"].with_options(write_concern=_LIGHT)
        self._id, self._lasts_s = lease_id, lasts_s
        self._holder = secrets.token_hex(8)

    @contextmanager
    def held(self) -> Iterator[bool]:
        """The lease is ours in the block, or nobody gave it back in time: then we go on without.

        Yields True where nobody else held it since we did.
        """
        deadline = time.monotonic() + 2 * self._lasts_s
        wait_s, before = _FIRST_WAIT_S, self._take()
        while before is None and time.monotonic() < deadline:
            time.sleep(wait_s)
            wait_s, before = min(_LONGEST_WAIT_S, wait_s * 1.5), self._take()
        try:
            yield before == self._holder
        finally:
            self._leases.update_one({"_id": self._id, "holder": self._holder}, {"$set": {"until": _LONG_AGO}})

    def _take(self) -> str | None:
        """Who held it before us; None where somebody holds it now."""
        is_free = {"$or": [{"$eq": ["$holder", self._holder]}, {"$lt": ["$until", "$$NOW"]}]}
        until = {"$add": ["$$NOW", int(self._lasts_s * 1000)]}
        taken = [{"$set": {"holder": self._holder, "until": until}}]
        before = self._leases.find_one_and_update({"_id": self._id, "$expr": is_free}, taken)
        if before is not None:
            return str(before["holder"])
        return self._take() if self._make() else None

    def _make(self) -> bool:
        """True where there was none yet, and now it is there for anybody."""
        nobodys = {"holder": "", "until": _LONG_AGO}
        try:
            made = self._leases.update_one({"_id": self._id}, {"$setOnInsert": nobodys}, upsert=True)
        except DuplicateKeyError:  # another made it in the same moment
            return False
        return made.upserted_id is not None


@contextmanager
def alone() -> Iterator[bool]:
    """Where nobody else appends."""
    yield True
