"""Assertions that were used: each signs one system in, once."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError


class Assertions:
    """The collection `smart_assertions`; MongoDB forgets what is expired and would be refused for that."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._spent = database["smart_assertions"]

    def ensure_indexes(self) -> None:
        """What is over is forgotten."""
        self._spent.create_index([("gone_at", ASCENDING)], name="forgotten", expireAfterSeconds=0)

    def spend(self, client_id: str, assertion_id: str, expires_at: float) -> bool:
        """True the first time; `expires_at` in seconds since 1970 is when the assertion is refused anyway."""
        named = hashlib.sha256(f"{client_id}\n{assertion_id}".encode()).hexdigest()
        try:
            gone_at = datetime.fromtimestamp(expires_at, UTC)
            self._spent.insert_one({"_id": named, "gone_at": gone_at})
        except DuplicateKeyError:
            return False
        return True
