"""Which errors mean "the database is away, try again", and which are bugs."""

from __future__ import annotations

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    EncryptionError,
    ExecutionTimeout,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteError,
    WTimeoutError,
)

from chassis.mongo import is_outside_trouble


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("cut"),
        NotPrimaryError("moved"),
        ServerSelectionTimeoutError("nobody"),
        WaitQueueTimeoutError("full pool"),
        ExecutionTimeout("slow", 50),
        WTimeoutError("no majority", 64),
        OperationFailure("disk full", 14031),
        OperationFailure("shutting down", 91),
        OperationFailure("again", 251, {"errorLabels": ["TransientTransactionError"]}),
        BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "no majority"}]}),
        EncryptionError(AutoReconnect("the key could not be fetched")),
        EncryptionError(EncryptionError(ServerSelectionTimeoutError("nobody"))),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_what_comes_from_outside_is_tried_again(error: Exception) -> None:
    """A database that is away, slow, without a majority or full is no bug of ours."""
    assert is_outside_trouble(error)


@pytest.mark.parametrize(
    "error",
    [
        DuplicateKeyError("twice", 11000),
        WriteError("bad document", 121),
        OperationFailure("unknown operator", 2),
        InvalidOperation("closed"),
        BulkWriteError({"writeErrors": [{"code": 11000, "errmsg": "twice"}], "writeConcernErrors": []}),
        EncryptionError(ValueError("HMAC validation failure")),
        KeyError("x"),
        OSError("no such file"),
    ],
)
def test_what_repeats_itself_is_not(error: Exception) -> None:
    """An error that would come again with the same input is not answered with "try again"."""
    assert not is_outside_trouble(error)
