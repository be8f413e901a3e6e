"""A running intake for a module's tests, with an ER before it and matching behind it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.local import keys
from tests.integration.intake.intake_processes import Bus, Er, Process, running


@pytest.fixture(scope="session")
def intake_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of their own for this run."""
    return keys.create(tmp_path_factory.mktemp("intake-keys"))


@pytest.fixture(scope="module")
def intake_database(mongo_client: Any) -> Iterator[Any]:
    """A database for one module's processes, dropped afterwards."""
    name = f"kindred_test_{secrets.token_hex(6)}"
    yield mongo_client[name]
    mongo_client.drop_database(name)


@pytest.fixture(scope="module")
def intake_environ(mongo_uri: str, amqp_uri: str, intake_database: Any, intake_keys: Path) -> dict[str, str]:
    """What an intake process finds in its environment."""
    return {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": intake_database.name,
        "KINDRED_AMQP_URI": amqp_uri,
        "KINDRED_KEYS_DIR": str(intake_keys),
        "KINDRED_MAX_BODY_BYTES": "200000",
    }


@pytest.fixture(scope="module")
def bus(amqp_uri: str) -> Iterator[Bus]:
    """The other services' side."""
    bus = Bus(amqp_uri)
    yield bus
    bus.close()


@pytest.fixture(scope="module")
def api(
    intake_environ: dict[str, str], bus: Bus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """The role `api`, ready."""
    with running("api", intake_environ, tmp_path_factory.mktemp("api")) as process:
        process.ready()
        yield process


@pytest.fixture(scope="module")
def er(api: Process, intake_keys: Path) -> Er:
    """A nurse of St Brigid."""
    return Er(f"http://127.0.0.1:{api.ready()['http_port']}", (intake_keys / "issuer.pem").read_bytes())
