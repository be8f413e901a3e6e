"""The one way to MongoDB: majority and journal for every write, bounded waits, aware datetimes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import pymongo
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    EncryptionError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongocrypt.errors import MongoCryptError

CODEC_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)
# Over ten million rows an index takes the better part of an hour; a server that is gone is noticed by its heartbeat.
INDEX_BUILD_S = 12 * 3_600
P = ParamSpec("P")
R = TypeVar("R")


def connect(uri: str) -> MongoClient[dict[str, Any]]:
    """A client that acknowledges nothing before a majority has it in its journal; connects on first use."""
    return MongoClient(
        uri,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        retryWrites=True,
        retryReads=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=20_000,
        wTimeoutMS=10_000,
        maxPoolSize=64,
        tz_aware=True,
        tzinfo=UTC,
    )


def waits_for_indexes(prepare: Callable[P, R]) -> Callable[P, R]:
    """`prepare`, which may be repeated, returns when the indexes it asks for are built, however long that takes.

    Usually they are there and it returns at once.  Where the server is found but does not answer within the time of an
    ordinary request, it is asked once more with `INDEX_BUILD_S` in place of every other limit: the build goes on
    meanwhile, and asking again joins it.  Raises ServerSelectionTimeoutError soon where no server is there at first.
    """

    @wraps(prepare)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return prepare(*args, **kwargs)
        except ServerSelectionTimeoutError:
            raise
        except (AutoReconnect, WTimeoutError):
            with pymongo.timeout(INDEX_BUILD_S):
                return prepare(*args, **kwargs)

    return waiting


# Answers of a server that is there and cannot serve now (mongo/base/error_codes.yml): hosts unreachable, time limits,
# no majority, shutting down, out of disk space.
_OUTSIDE_CODES = frozenset(
    {6, 7, 50, 64, 89, 91, 100, 133, 134, 189, 202, 262, 384, 9001, 11600, 11602, 14031}
)


# What libmongocrypt says where a key management service did not answer, said no, or is not named to us (its file is
# gone): it has no code of its own for it.
_OF_KEY_SERVICE = re.compile(r"\bKM(S|IP)\b.{0,40}\b(request|response|is not configured)\b")


def is_outside_trouble(exc: BaseException) -> bool:
    """True where the error means "the database or a socket is away", so that trying again later is right.

    So is a key management service that does not answer, or does not let us in: nothing was destroyed by that.
    """
    if isinstance(exc, EncryptionError):  # the vault's wrapping of whatever its key lookup met
        return exc.cause is not None and is_outside_trouble(exc.cause)
    if isinstance(
        exc, (ConnectionFailure, ServerSelectionTimeoutError, NetworkTimeout, ExecutionTimeout, WTimeoutError)
    ):
        return True
    if isinstance(exc, PyMongoError):
        labels = ("TransientTransactionError", "RetryableWriteError")
        return (
            exc.timeout or any(map(exc.has_error_label, labels)) or not _OUTSIDE_CODES.isdisjoint(_codes(exc))
        )
    if isinstance(exc, MongoCryptError):
        return bool(_OF_KEY_SERVICE.search(str(exc)))
    return isinstance(exc, (ConnectionError, TimeoutError))


def _codes(exc: PyMongoError) -> set[int]:
    """The server's codes of the error; of a bulk, only those of its write concern: one bad document is no outage."""
    if isinstance(exc, BulkWriteError):
        return {error.get("code", 0) for error in exc.details.get("writeConcernErrors", ())}
    return {exc.code} if isinstance(exc, OperationFailure) and exc.code is not None else set()
