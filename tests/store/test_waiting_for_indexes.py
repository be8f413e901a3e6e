"""A process that prepares its indexes waits for them: a long build, or a server that stalls, is no failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import NetworkTimeout, OperationFailure, ServerSelectionTimeoutError

from chassis import mongo


@pytest.fixture
def hasty(mongo_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client that gives an answer a third of a second."""
    with MongoClient(mongo_uri, socketTimeoutMS=300) as client:
        yield client


def test_an_index_that_takes_longer_than_a_request_is_waited_for(database: Any, hasty: Any) -> None:
    """A build that outlasts the socket's time-out ends in an index, not in an error."""
    database.create_collection("slow")
    seen: list[BaseException] = []
    second = threading.Event()

    @mongo.waits_for_indexes
    def prepare() -> None:
        if seen:
            second.set()
        try:
            hasty[database.name]["slow"].create_index("field", name="late")
        except NetworkTimeout as exc:
            seen.append(exc)
            raise

    builder = threading.Thread(target=prepare, daemon=True)
    with database.client.start_session() as session, session.start_transaction():
        database["slow"].insert_one({"field": 1}, session=session)  # no index is built while this is open
        builder.start()
        assert second.wait(30)
        session.abort_transaction()
    builder.join(30)
    assert len(seen) == 1
    assert "late" in database["slow"].index_information()


def test_a_server_that_is_away_is_said_at_once() -> None:
    """Where no server is found nobody waits for an index: the caller tells what is missing and tries again."""
    calls: list[int] = []

    @mongo.waits_for_indexes
    def prepare() -> None:
        calls.append(1)
        raise ServerSelectionTimeoutError("nobody there")

    with pytest.raises(ServerSelectionTimeoutError):
        prepare()
    assert calls == [1]


def test_a_wrong_index_is_an_error_at_once(database: Any) -> None:
    """What the server refuses is not tried again."""
    calls: list[int] = []

    @mongo.waits_for_indexes
    def prepare() -> None:
        calls.append(1)
        database["rows"].create_index("field", name="one")
        database["rows"].create_index("other", name="one")

    with pytest.raises(OperationFailure):
        prepare()
    assert calls == [1]
