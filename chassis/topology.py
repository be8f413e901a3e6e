"""The names on the broker, and what a service declares for itself.

Only what cannot be said by policy is said here: durable, and `x-queue-type: quorum`.
Limits, dead-lettering and overflow are policies in deploy/rabbitmq/definitions.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kombu import Exchange, Queue

EVENTS = Exchange("kindred.events", type="topic", durable=True)
DEAD = Exchange("kindred.dead", type="direct", durable=True)
_QUORUM = {"x-queue-type": "quorum"}


def inbox_name(service: str) -> str:
    """The one queue a service listens to."""
    return f"{service}.inbox"


def dead_name(service: str) -> str:
    """Where the broker puts what it delivered too often; also the routing key it uses."""
    return f"{service}.dead"


def queues_of(service: str) -> tuple[str, str]:
    """Both queues of a service."""
    return inbox_name(service), dead_name(service)


def again_name(service: str) -> str:
    """The exchange through which a service's own api puts what was parked back into its inbox, and nobody else's."""
    return f"{service}.again"


def dead_queue(service: str) -> Queue:
    """The queue of a service's dead letters."""
    name = dead_name(service)
    return Queue(name, DEAD, routing_key=name, durable=True, queue_arguments=_QUORUM)


def declare_events(channel: Any) -> None:
    """The exchange of all events exists."""
    EVENTS(channel).declare()


def expect_events(channel: Any) -> None:
    """Raises amqp.NotFound where nobody has declared the exchange of all events; needs no right to declare it."""
    channel.exchange_declare(EVENTS.name, EVENTS.type, passive=True)


def declare_service(channel: Any, service: str, binding_keys: Iterable[str]) -> None:
    """The exchanges, the service's inbox with its bindings and its dead queue exist; safe to repeat."""
    again = Exchange(again_name(service), type="direct", durable=True)
    for exchange in (EVENTS, DEAD, again):
        exchange(channel).declare()
    inbox = Queue(inbox_name(service), durable=True, queue_arguments=_QUORUM)(channel)
    inbox.queue_declare()
    inbox.bind_to(again.name, routing_key=inbox.name)
    for key in binding_keys:
        inbox.bind_to(EVENTS.name, routing_key=key)
    dead_queue(service)(channel).declare()


def expect_service(channel: Any, service: str) -> None:
    """Raises amqp.NotFound where the set-up has not made the service's queues; needs no right to declare them."""
    for name in queues_of(service):
        channel.queue_declare(name, passive=True)
