"""The contract of a listener that hears everything, for both hosts: what the audit log stands on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.bus_driving import (
    Post,
    Subject,
    a_decline,
    a_service,
    an_acceptance,
    an_offer,
    subject_environ,
    until,
)


@pytest.fixture(params=["nameko", "threads"])
def post_and_database(
    request: Any, mongo_uri: str, amqp_uri: str, database: Any, tmp_path: Any
) -> Iterator[tuple[Post, Any]]:
    """A listener under one of the hosts; its inbox is not bound to the exchange, so that it hears this test only."""
    service = a_service()
    environ = subject_environ(
        request.param, service, mongo_uri=mongo_uri, amqp_uri=amqp_uri, database=database.name, keys=tmp_path
    )
    with Post(amqp_uri, service) as post:
        subject = Subject({**environ, "BUS_SUBJECT_HEARS": "all"}, tmp_path / "log").ready()
        try:
            yield post, database
        finally:
            subject.stop()
            post.forget()


def test_every_type_is_heard_in_shared_batches(post_and_database: tuple[Post, Any]) -> None:
    """Also a type this version does not know; only what cannot be read is parked."""
    post, database = post_and_database
    ids = [post.event(make()) for _ in range(60) for make in (an_offer, a_decline, an_acceptance)]
    ids.append(post.event(an_offer(), type="nobody.knows.v1"))
    broken = post.event(an_offer(), data=b"\xff\xff")
    wanted = {f"eff_{each}" for each in ids}
    until(
        "every event is heard",
        lambda: database["effects"].count_documents({"_id": {"$in": sorted(wanted)}}) == len(wanted),
    )
    row = until("the broken one is parked", lambda: database["parked_events"].find_one({"event_id": broken}))
    assert row["reason"] == "undecodable"
    assert max(row["size"] for row in database["batches"].find()) > 20
    until("the inbox is empty", lambda: post.depth() == 0)
