"""Rooms, mailboxes and secrets for the tests of notifications."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.sealing import PublicSeal
from cli.local import keys
from tests.integration.notifications.far_side import FarSide
from tests.integration.notifications.posted_side import PostedSide, sms_account
from tests.integration.notifications.processes import Broker


@pytest.fixture
def far_side() -> Iterator[FarSide]:
    """A real SMTP server that can misbehave."""
    far_side = FarSide().start()
    yield far_side
    far_side.stop()


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of their own for this run."""
    return keys.create(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def environ(mongo_uri, database, keys_dir, far_side) -> dict[str, str]:
    """What a notifications process finds in its environment; short leases, so that crashes are noticed soon."""
    return {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": database.name,
        "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/none",
        "KINDRED_KEYS_DIR": str(keys_dir),
        "KINDRED_PUBLIC_URL": "https://answers.example.org",
        "KINDRED_SMTP_HOST": "127.0.0.1",
        "KINDRED_SMTP_PORT": str(far_side.port),
        "KINDRED_SMTP_FROM": "Kindred <notices@kindred.example.org>",
        "KINDRED_SMTP_TIMEOUT_S": "3",
        "KINDRED_NOTICE_LEASE_S": "6",
    }


@pytest.fixture(scope="session")
def sealed(keys_dir):
    """Seals a contact for notifications, as matching and intake do."""
    seal = PublicSeal.from_dir(keys_dir, "notifications")

    def seal_contact(context: str, **said: str):
        return seal.seal(json.dumps(said).encode(), context)

    seal_contact.token = lambda offer_id, token: seal.seal(token.encode(), f"offer-link:{offer_id}")
    return seal_contact


@pytest.fixture
def broker(amqp_uri: str) -> Iterator[Broker]:
    """The other services' side of the bus."""
    broker = Broker(amqp_uri)
    yield broker
    broker.close()


# What the hosts owe is proven for both in tests/integration/chassis; the whole service runs under the second one too in
# `make faults`.
@pytest.fixture(params=["nameko", pytest.param("threads", marks=pytest.mark.slow_faults)])
def process_environ(request, environ, amqp_uri) -> dict[str, str]:
    """The environment of a process, under each of the two hosts."""
    return {**environ, "KINDRED_AMQP_URI": amqp_uri, "KINDRED_WORKER_HOST": request.param}


@pytest.fixture
def posted_side() -> Iterator[PostedSide]:
    """A far side that is posted to, such as an SMS API."""
    side = PostedSide().start()
    yield side
    side.stop()


@pytest.fixture
def sms_environ(process_environ: dict[str, str], posted_side: PostedSide) -> dict[str, str]:
    """The environment of processes with an SMS account."""
    return process_environ | sms_account(posted_side.url, "https://notices.kindred.example.org")
