"""Keys, environment and broker for the tests of audit's processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local import keys
from services.audit.keepers.keeper import KeeperSettings, build_signer, signer_route
from tests.audit_builders import Log, a_room, serving
from tests.integration.audit.processes import Broker


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    """Keys of their own."""
    return keys.create(tmp_path / "keys")


@pytest.fixture
def signer_url(keys_dir) -> Iterator[str]:
    """The signer's door, as its process opens it, in a thread of this one; it remembers what `log` remembers."""
    settings = KeeperSettings(keys_dir=keys_dir, state_dir=keys_dir / "signer-state")
    with serving(signer_route(*build_signer(settings))) as url:
        yield url


@pytest.fixture
def environ(mongo_uri, amqp_uri, database, keys_dir, signer_url) -> dict[str, str]:
    """What an audit process finds in its environment."""
    return {
        "KINDRED_AUDIT_SIGNER_URL": signer_url,
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": database.name,
        "KINDRED_AMQP_URI": amqp_uri,
        "KINDRED_KEYS_DIR": str(keys_dir),
    }


# What the hosts owe is proven for both in tests/integration/chassis; the whole service runs under the second one too in
# `make faults`.
@pytest.fixture(params=["nameko", pytest.param("threads", marks=pytest.mark.slow_faults)])
def under_each_host(request, environ) -> dict[str, str]:
    """The environment under each of the two worker hosts."""
    return {**environ, "KINDRED_WORKER_HOST": request.param}


@pytest.fixture
def broker(amqp_uri: str) -> Iterator[Broker]:
    """The other services' side of the bus."""
    broker = Broker(amqp_uri)
    yield broker
    broker.close()


@pytest.fixture
def log(database, keys_dir, mongo_uri, mongo_client) -> Iterator[Log]:
    """The same log as the processes have, looked at from beside them."""
    yield Log(a_room(database, keys_dir, mongo_uri))
    for suffix in ("_keys", "_signer"):
        mongo_client.drop_database(database.name + suffix)
