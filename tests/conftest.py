"""Real parts for every test: a mongod replica set, a RabbitMQ node, a clock that is turned."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pymongo.database import Database
from xdist.scheduler import LoadScopeScheduling

from chassis import mongo
from chassis.clock import TurnedClock
from tests import running_order

# How long one example takes says something of the machine and of who else is on it, and nothing of the code.
settings.register_profile(
    "kindred", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("kindred")

pytest_plugins = ["tests.whole_system"]

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def mongo_uri() -> str:
    """A replica set: the one named in MONGO_URI, which `make test` starts."""
    uri = os.environ.get("MONGO_URI")
    if not uri:
        pytest.fail("MONGO_URI is not set: run the tests by `make test`, which starts a real mongod for them")
    return uri


@pytest.fixture(scope="session")
def amqp_uri() -> str:
    """A RabbitMQ virtual host: the one named in AMQP_URI, which `make test` starts."""
    uri = os.environ.get("AMQP_URI")
    if not uri:
        pytest.fail(
            "AMQP_URI is not set: run the tests by `make test`, which starts a real RabbitMQ for them"
        )
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{uri.rpartition('/')[0]}/{worker}" if worker else uri


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files are first; those that share the whole system are in the order they need."""
    items.sort(key=lambda item: running_order.turn(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Who runs what, where tests run side by side."""
    config.option.loadscopereorder = False  # the order is ours, not by the number of tests
    return running_order.Together(config, log)


@pytest.fixture(scope="session")
def mongo_client(mongo_uri: str) -> Iterator[Any]:
    """One client for the whole run, with the settings every service uses."""
    client = mongo.connect(mongo_uri)
    yield client
    client.close()


@pytest.fixture
def database(mongo_client: Any) -> Iterator[Database[dict[str, Any]]]:
    """A fresh database, dropped afterwards."""
    name = f"kindred_test_{secrets.token_hex(6)}"
    yield mongo_client[name]
    mongo_client.drop_database(name)


@pytest.fixture(scope="module")
def database_of_the_file(mongo_client: Any) -> Iterator[Database[dict[str, Any]]]:
    """One database for all tests of a file, dropped afterwards."""
    name = f"kindred_test_{secrets.token_hex(6)}"
    yield mongo_client[name]
    mongo_client.drop_database(name)


@pytest.fixture
def emptied_database(database_of_the_file: Any) -> Iterator[Database[dict[str, Any]]]:
    """An empty database where collections and indexes of earlier tests stand: making them costs more than a test.

    For rooms whose tests start nothing that outlives them: name it `database` beside them.
    """
    yield database_of_the_file
    for name in database_of_the_file.list_collection_names():
        database_of_the_file[name].delete_many({})


@pytest.fixture
def clock() -> TurnedClock:
    """A clock that stands at a known moment until the test turns it."""
    return TurnedClock(datetime(2026, 11, 21, 22, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Other people's conformance data; the test is skipped, and says so, where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not here: conformance data of other projects cannot be checked")
    return SHARED_DATA
