"""What a relay says of its service's queues: with its worker dead nobody else can say how much waits for it."""

from __future__ import annotations

from typing import Any

from kombu import Connection
from prometheus_client import REGISTRY

from chassis import topology
from chassis.relay import Relay
from tests.bus_driving import Post, a_service


def depth(service: str, queue: str) -> float | None:
    """The gauge, or None where nobody says it."""
    return REGISTRY.get_sample_value("kindred_queue_depth", {"service": service, "queue": queue})


def measured_again(relay: Relay) -> None:
    """Without waiting for the next time to measure."""
    relay._measured_at = 0.0
    assert relay.step() == 0


def test_the_depth_of_the_queues_is_told_without_a_worker_and_not_after_the_lease_is_lost(
    emptied_database: Any, amqp_uri: str
) -> None:
    """Before anything was published; and a relay whose lease another one has says nothing that may be old."""
    service = a_service()
    inbox, dead = topology.queues_of(service)
    relays = [
        Relay(emptied_database, collections=["things"], amqp_uri=amqp_uri, producer=service, lease_s=60.0)
        for _ in range(2)
    ]
    relays[0].outbox.ensure_indexes()
    with Connection(amqp_uri) as connection:
        topology.declare_events(connection.default_channel)
    assert relays[0].step() == 0
    assert depth(service, inbox) is None  # no queue, no number, and no trouble
    channels = len(relays[0]._publisher._raw.channels)
    measured_again(relays[0])
    assert len(relays[0]._publisher._raw.channels) == channels
    with Post(amqp_uri, service) as post:
        for _ in range(3):
            post.raw(b"{", queue=inbox)
        measured_again(relays[0])
        assert (depth(service, inbox), depth(service, dead)) == (3.0, 0.0)
        relays[0].outbox.give_lease_back(relays[0]._holder)
        assert relays[1].outbox.take_lease(relays[1]._holder, 60.0)
        relays[0]._leased_at = float("-inf")
        assert relays[0].step() == 0
        assert depth(service, inbox) is None
        post.forget()
    for relay in relays:
        relay._leave()


def test_a_broker_that_is_away_says_nothing_and_harms_nobody(emptied_database: Any) -> None:
    """The round goes on without the number."""
    service = a_service()
    relay = Relay(emptied_database, collections=["things"], amqp_uri="amqp://127.0.0.1:1/", producer=service)
    relay.outbox.ensure_indexes()
    assert relay.step() == 0
    assert depth(service, topology.inbox_name(service)) is None
    relay._leave()
