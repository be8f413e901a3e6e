"""The one way to MongoDB: majority and journal for every write, bounded waits, aware datetimes."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

CODEC_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)


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


def is_outside_trouble(exc: BaseException) -> bool:
    """True where the error means "the database or a socket is away", so that trying again later is right."""
    if isinstance(
        exc, (ConnectionFailure, ServerSelectionTimeoutError, NetworkTimeout, ExecutionTimeout, WTimeoutError)
    ):
        return True
    if isinstance(exc, PyMongoError):
        return exc.has_error_label("TransientTransactionError") or exc.has_error_label("RetryableWriteError")
    return isinstance(exc, (ConnectionError, TimeoutError))
