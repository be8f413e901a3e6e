"""Telling "it is there already" from real trouble in a bulk write."""

from __future__ import annotations

from typing import Any

from pymongo.errors import BulkWriteError

_DUPLICATE_KEY = 11_000


def only_duplicates(exc: BulkWriteError) -> list[dict[str, Any]]:
    """The errors of a bulk write that failed only because documents were there; raises `exc` otherwise."""
    errors: list[dict[str, Any]] = exc.details["writeErrors"]
    if exc.details["writeConcernErrors"] or any(error["code"] != _DUPLICATE_KEY for error in errors):
        raise exc
    return errors
