"""Publishing that knows what the broker took: pipelined confirms matched by delivery tag, on a connection of its own.

py-amqp takes any ack for the one it waits for (RELIABILITY, finding 4), so nothing here waits for "an ack": each
tag has its message, and after any error or time-out the connection is dropped, never reused.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import amqp

from chassis import broker
from chassis.release import release

WINDOW = 200
# No connect, no write and no wait for the next confirm may take longer.
TIMEOUT_S = 5.0
HEARTBEAT_S = 10
UNROUTABLE = "unroutable"
NACKED = "nacked"
UNENCODABLE = "unencodable"
REFUSED = "refused-by-broker"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish. Of messages with the same `line` the next one waits for the confirm of the last."""

    key: str  # also its message_id
    line: str
    exchange: str
    routing_key: str
    properties: dict[str, Any]
    headers: dict[str, Any]
    body: bytes


@dataclass(slots=True)
class Outcome:
    """What became of the messages; one that is in neither set was not sent, or its fate is unknown."""

    confirmed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    trouble: Exception | None = None


class Publisher:
    """Publishes batches; connects on first use and again after every trouble. One thread at a time."""

    def __init__(
        self,
        amqp_uri: str,
        *,
        window: int = WINDOW,
        timeout_s: float = TIMEOUT_S,
        prepare: Callable[[Any], None] | None = None,
    ) -> None:
        """`prepare` gets the channel of every new connection, to declare what is published to."""
        self._uris = broker.addresses(amqp_uri)
        self._attempt = 0
        self._window = window
        self._timeout_s = timeout_s
        self._prepare = prepare
        self._raw: Any = None
        self._channel: Any = None
        self._next_tag = 1
        self._in_flight: dict[int, Outgoing] = {}
        self._returned: set[str] = set()
        self._outcome = Outcome()
        self._lines: dict[str, deque[Outgoing]] = {}
        self._ready: deque[str] = deque()

    @property
    def is_connected(self) -> bool:
        """True where the last use left a connection behind."""
        return self._channel is not None

    def publish(self, messages: Sequence[Outgoing], *, window: int | None = None) -> Outcome:
        """Every message is confirmed, refused with a reason, or in doubt; never raises an Exception.

        In doubt means: publish it again. The order of messages of one line is kept.
        """
        self._outcome = Outcome()
        self._queue_up(messages)
        try:
            if self._channel is None:
                self._connect()
            self._pump(window or self._window)
        except Exception as exc:  # noqa: BLE001  every error means the same: this connection is not trusted again
            self._outcome.trouble = exc
            if isinstance(exc, amqp.ChannelError) and len(self._in_flight) == 1:
                (alone,) = self._in_flight.values()
                self._outcome.refused[alone.key] = REFUSED
            self.drop()
        return self._outcome

    def keep_alive(self) -> None:
        """Heartbeats are exchanged; the connection is dropped where the broker is silent. Call it every second."""
        if self._channel is None:
            return
        try:
            self._raw.heartbeat_tick()
            self._raw.drain_events(timeout=0.001)
        except TimeoutError:
            return
        except Exception:  # noqa: BLE001  a new connection is the cure
            self.drop()

    def depths(self, queues: Iterable[str]) -> dict[str, int]:
        """How many messages wait in each of these queues; {} where the broker is away or does not know one of them."""
        try:
            if self._channel is None:
                self._connect()
            asking = self._raw.channel()
            try:
                return {name: asking.queue_declare(name, passive=True).message_count for name in queues}
            except amqp.NotFound:
                return {}
            finally:
                asking.close()
        except Exception:  # noqa: BLE001  a new connection is the cure, at the next publish
            self.drop()
            return {}

    def drop(self) -> None:
        """The connection is gone at once, without a word to a broker that may be frozen."""
        raw, self._raw, self._channel = self._raw, None, None
        self._in_flight.clear()
        release(raw)

    def _queue_up(self, messages: Iterable[Outgoing]) -> None:
        self._lines = {}
        self._ready = deque()
        for message in messages:
            line = self._lines.get(message.line)
            if line is None:
                self._lines[message.line] = deque([message])
                self._ready.append(message.line)
            else:
                line.append(message)

    def _connect(self) -> None:
        uri = self._uris[self._attempt % len(self._uris)]
        self._attempt += 1
        connection = broker.connection(uri, heartbeat=HEARTBEAT_S, connect_timeout=self._timeout_s)
        try:
            connection.connect()
        finally:
            self._raw = connection._connection
        self._raw.transport.sock.settimeout(self._timeout_s)
        # With it py-amqp reads the socket before every single publish; a blocked broker is noticed by the time-out.
        self._raw.client_properties.get("capabilities", {}).pop("connection.blocked", None)
        channel = connection.channel()
        if self._prepare is not None:
            self._prepare(channel)
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)
        self._next_tag = 1
        self._in_flight.clear()
        self._returned.clear()
        self._channel = channel

    def _pump(self, window: int) -> None:
        while self._ready or self._in_flight:
            while self._ready and len(self._in_flight) < window:
                self._send(self._lines[self._ready.popleft()].popleft())
            if self._in_flight:
                self._raw.drain_events(timeout=self._timeout_s)

    def _send(self, message: Outgoing) -> None:
        content = amqp.Message(message.body, application_headers=message.headers, **message.properties)
        tag = self._next_tag
        self._in_flight[tag] = message
        try:
            self._channel.basic_publish(
                content, exchange=message.exchange, routing_key=message.routing_key, mandatory=True
            )
        except (ValueError, TypeError, struct.error, amqp.FrameSyntaxError):
            # Nothing was written: py-amqp makes the bytes before it writes the first of them.
            del self._in_flight[tag]
            self._outcome.refused[message.key] = UNENCODABLE
            return
        self._next_tag += 1

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for message in self._settled(tag, multiple):
            if message.key in self._returned:
                self._returned.discard(message.key)
                self._outcome.refused[message.key] = UNROUTABLE
            else:
                self._outcome.confirmed.append(message.key)
                if self._lines[message.line]:
                    self._ready.append(message.line)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for message in self._settled(tag, multiple):
            self._outcome.refused[message.key] = NACKED

    def _on_return(self, _: Exception, __: str, ___: str, message: Any) -> None:
        if len(self._in_flight) == 1:  # a message put back need not have an id of ours
            (alone,) = self._in_flight.values()
            self._returned.add(alone.key)
        else:
            self._returned.add(message.properties.get("message_id", ""))

    def _settled(self, tag: int, multiple: bool) -> list[Outgoing]:
        if not multiple:
            message = self._in_flight.pop(tag, None)
            return [message] if message else []
        tags = [each for each in self._in_flight if each <= tag]
        return [self._in_flight.pop(each) for each in tags]
