"""F-09: confirm time-outs and then a nacking queue must never look like success, through a proxy that holds answers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import amqp
import pytest
from kombu import Connection

from chassis.publishing import NACKED, UNENCODABLE, UNROUTABLE, Outgoing, Publisher
from tests.faults.proxy import Fault, FaultProxy


def through(proxy: FaultProxy, amqp_uri: str, port: int) -> str:
    """The same broker, seen through the proxy."""
    return amqp_uri.replace(f":{port}/", f":{proxy.port}/")


@pytest.fixture
def narrow_queue(own: Any) -> Iterator[str]:
    """A queue that takes three messages and nacks the fourth."""
    name = f"narrow.{secrets.token_hex(4)}"
    with Connection(own.amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_declare(
            name,
            durable=True,
            auto_delete=False,
            arguments={"x-max-length": 3, "x-overflow": "reject-publish"},
        )
        yield name
        channel.queue_delete(name)


@pytest.fixture
def proxy(own: Any) -> Iterator[FaultProxy]:
    with FaultProxy(own.amqp_port) as standing:
        yield standing


def to(queue: str, key: str = "", **changes: Any) -> Outgoing:
    key = key or secrets.token_hex(8)
    values = {"exchange": "", "routing_key": queue, "headers": {}, "body": b"x"}
    return Outgoing(key=key, line=key, properties={"message_id": key}, **{**values, **changes})


def test_no_false_success_after_time_outs(own: Any, proxy: FaultProxy, narrow_queue: str) -> None:
    """Three publishes whose confirms never come, then one the queue refuses: it is told as refused."""
    publisher = Publisher(through(proxy, own.amqp_uri, own.amqp_port), timeout_s=0.5)
    for _ in range(3):
        proxy.set(Fault.NONE)
        while not publisher.is_connected:
            publisher.publish([to("amq.rabbitmq.nobody")])  # returned: it only opens the connection
        proxy.set(Fault.HOLD_ANSWERS)
        outcome = publisher.publish([to(narrow_queue)])
        assert isinstance(outcome.trouble, TimeoutError)
        assert outcome.confirmed == []
        assert not publisher.is_connected
    proxy.set(Fault.NONE)
    last = to(narrow_queue)
    outcome = publisher.publish([last])
    assert outcome.confirmed == []
    assert outcome.refused == {last.key: NACKED}
    publisher.drop()


def test_the_control_py_amqp_on_a_reused_channel_reports_success(
    own: Any, proxy: FaultProxy, narrow_queue: str
) -> None:
    """py-amqp's own confirm takes a late ack for the one it waits for: the refused message looks published."""
    with Connection(through(proxy, own.amqp_uri, own.amqp_port)) as connection:
        channel = connection.channel()
        channel.basic_publish_confirm(amqp.Message(b"x"), exchange="", routing_key="amq.rabbitmq.nobody")
        proxy.set(Fault.HOLD_ANSWERS)
        for _ in range(3):
            with suppress(TimeoutError, amqp.RecoverableConnectionError):
                channel.basic_publish_confirm(
                    amqp.Message(b"x"), exchange="", routing_key=narrow_queue, confirm_timeout=0.3
                )
        proxy.set(Fault.NONE)
        channel.basic_publish_confirm(
            amqp.Message(b"x"), exchange="", routing_key=narrow_queue
        )  # no MessageNacked
    with Connection(own.amqp_uri) as connection:
        assert connection.channel().queue_declare(narrow_queue, passive=True).message_count == 3


@pytest.mark.parametrize("fault", [Fault.SLICE, Fault.DELAY])
def test_slow_and_sliced_answers_are_understood(
    own: Any, proxy: FaultProxy, narrow_queue: str, fault: Fault
) -> None:
    """Bytes that come one by one or late change nothing but the time."""
    publisher = Publisher(through(proxy, own.amqp_uri, own.amqp_port))
    proxy.set(fault)
    messages = [to(narrow_queue) for _ in range(4)]
    outcome = publisher.publish(messages)
    assert sorted(outcome.confirmed) == sorted(message.key for message in messages[:3])
    assert outcome.refused == {messages[3].key: NACKED}
    publisher.drop()


@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_connection_that_breaks_leaves_doubt_and_no_success(
    own: Any, proxy: FaultProxy, narrow_queue: str, how: str
) -> None:
    """What was in flight when the connection broke is neither confirmed nor refused; the next use connects again."""
    publisher = Publisher(through(proxy, own.amqp_uri, own.amqp_port), timeout_s=1.0)
    assert publisher.publish([to("amq.rabbitmq.nobody")]).trouble is None
    proxy.cut() if how == "cut" else proxy.reset()
    outcome = publisher.publish([to(narrow_queue)])
    assert outcome.trouble is not None
    assert outcome.confirmed == []
    assert outcome.refused == {}
    assert len(publisher.publish([to(narrow_queue)]).confirmed) == 1
    publisher.drop()


def test_refusals_are_told_apart(own: Any, narrow_queue: str) -> None:
    """No route, and bytes that cannot be made, are refusals of one message; its neighbors are confirmed."""
    publisher = Publisher(own.amqp_uri)
    good, lost = to(narrow_queue), to("amq.rabbitmq.nobody")
    bad = to(narrow_queue, headers={"x": object()})
    outcome = publisher.publish([good, lost, bad, to(narrow_queue)])
    assert good.key in outcome.confirmed
    assert len(outcome.confirmed) == 2
    assert outcome.refused == {lost.key: UNROUTABLE, bad.key: UNENCODABLE}
    assert outcome.trouble is None
    publisher.drop()


def test_messages_of_one_line_keep_their_order_and_stop_at_a_refusal(own: Any, narrow_queue: str) -> None:
    """The next message of a line is sent only after the last was confirmed."""
    publisher = Publisher(own.amqp_uri)
    line = [
        Outgoing(
            f"m{n}",
            "one",
            "",
            "amq.rabbitmq.nobody" if n == 1 else narrow_queue,
            {"message_id": f"m{n}"},
            {},
            b"",
        )
        for n in range(3)
    ]
    outcome = publisher.publish(line)
    assert outcome.confirmed == ["m0"]
    assert outcome.refused == {"m1": UNROUTABLE}
    publisher.drop()


def test_many_messages_are_all_confirmed(own: Any) -> None:
    """More messages than the window, each confirmed once."""
    name = f"wide.{secrets.token_hex(4)}"
    with Connection(own.amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        publisher = Publisher(own.amqp_uri)
        messages = [to(name) for _ in range(1000)]
        outcome = publisher.publish(messages)
        assert sorted(outcome.confirmed) == sorted(message.key for message in messages)
        assert channel.queue_declare(name, passive=True).message_count == 1000
        publisher.drop()
        channel.queue_delete(name)
