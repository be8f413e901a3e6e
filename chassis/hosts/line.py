"""One connection to the broker and the one thread (or greenlet) that owns it: reads, answers, beats.

Both hosts use it; each brings its own way to start work. Nothing here waits on the broker without a limit:
`Channel.close()` hangs on a frozen one (RELIABILITY, finding 5), so the socket is shut first.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from kombu import Connection

from chassis import broker, logs, metrics, out_of_memory, topology
from chassis.delivery import Delivery
from chassis.gathering import Gatherer, Unit, Work
from chassis.hosts import frames, tolerance
from chassis.hosts.settling import Deliveries
from chassis.receiving import Answer, Receiver
from chassis.release import release
from chassis.retries import jittered

HEARTBEAT_S = 10
CONNECT_S = 5.0
# No single call to the broker may take longer; also a write into a full socket.
CALL_S = 5.0
PREFETCH_SINGLE = 32
PREFETCH_MOST = 2000
PREFETCH_DEAD = 4
_LONGEST_RECONNECT_S = 5.0
_DEPTH_EVERY_S = 10.0
log = logs.get()


class Line:
    """Keeps a service's inbox open as long as it runs, over any number of connections."""

    def __init__(
        self,
        amqp_uri: str,
        receiver: Receiver,
        *,
        beat: Callable[[], None],
        slots: int,
        spawn: Callable[[Work], None] | None = None,
        declares_topology: bool = True,
    ) -> None:
        self._uris = broker.addresses(amqp_uri)
        self._receiver = receiver
        self._declares_topology = declares_topology
        self._service = receiver.service
        self._gatherer = Gatherer(receiver.ears, slots)
        self._spawn = spawn or _no_spawn
        self._beat = beat
        self._prefetch = _prefetch(receiver)
        self._generation = 0
        self._is_consuming = False
        self._is_stopping = False
        self._is_draining = False
        self._todo: deque[Callable[[], None]] = deque()
        self._wake_lock = threading.Lock()
        self._is_awake = False
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._channel: Any = None
        self._deliveries = Deliveries()

    def spawn_with(self, spawn: Callable[[Work], None]) -> None:
        """How the host starts a work; it must see to it that `done` is called when the receiver is through."""
        self._spawn = spawn

    # -- for any thread ----------------------------------------------------------------------------------

    @property
    def is_consuming(self) -> bool:
        """True while the inbox is open."""
        return self._is_consuming

    def answer(self, unit: Unit, answer: Answer) -> None:
        """The broker gets the answer as soon as the owner of the connection looks."""
        self._do(lambda: self._settle(unit, answer))

    def is_over(self, unit: Unit) -> bool:
        """True where the message came over a connection that is gone, or the process stops."""
        return self._is_stopping or unit.delivery.generation not in (0, self._generation)

    def done(self, work: Work) -> None:
        """The work's slot is free."""
        self._do(lambda: self._gatherer.done(work))

    def drain(self) -> None:
        """Nothing new is started; what runs may end and is answered."""
        self._is_draining = True
        self._do(lambda: None)

    def running(self) -> int:
        """How many works are not through."""
        return self._gatherer.running()

    def stop(self) -> None:
        """`run` returns soon, also with the broker down or frozen."""
        self._is_stopping = True
        self._do(lambda: None)

    # -- for the owner -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Connects, consumes and connects again until stopped; never raises."""
        tolerance.tolerate_bad_text()
        attempt = 0
        while not self._is_stopping:
            connection = broker.connection(
                self._uris[attempt % len(self._uris)],
                heartbeat=HEARTBEAT_S,
                connect_timeout=CONNECT_S,
            )
            try:
                self._open(connection)
                attempt = 0
                self._serve(connection.connection)
            except Exception as exc:  # noqa: BLE001  whatever it was: a new connection is the cure
                self._note_loss(exc, attempt)
            finally:
                self._close(connection)
            if not self._is_stopping:
                self._pause(jittered(0.1, attempt, _LONGEST_RECONNECT_S))
                attempt += 1

    def _open(self, connection: Connection) -> None:
        connection.connect()
        raw = connection.connection
        raw.transport.sock.settimeout(CALL_S)
        channel = connection.channel()
        channel.auto_decode = False
        if self._declares_topology:
            topology.declare_service(channel, self._service, self._receiver.ears.binding_keys())
        else:
            topology.expect_service(channel, self._service)
        self._generation += 1
        self._channel, self._deliveries = channel, Deliveries()
        channel.basic_qos(0, PREFETCH_DEAD, False)
        channel.basic_consume(topology.dead_name(self._service), callback=self._on_dead, consumer_tag="dead")
        channel.basic_qos(0, self._prefetch, False)
        channel.basic_consume(
            topology.inbox_name(self._service), callback=self._on_inbox, consumer_tag="inbox"
        )
        self._is_consuming = True
        metrics.BUS_CONNECTIONS.labels(self._service, "opened").inc()
        log.info("bus.listening", service=self._service, queue=topology.inbox_name(self._service))

    def _serve(self, raw: Any) -> None:
        depth_at = 0.0
        while not self._is_stopping:
            self._beat()
            now = time.monotonic()
            timeout = self._gatherer.seconds_to_next(now)
            self._await(raw.transport.sock, 1.0 if timeout is None else min(1.0, timeout))
            self._run_todo()
            self._start_ready()
            raw.heartbeat_tick()
            if now >= depth_at:
                depth_at = now + _DEPTH_EVERY_S
                self._measure_depth()

    def _await(self, sock: Any, timeout: float) -> None:
        readable, _, _ = select.select([sock, self._ear], [], [], 0 if self._todo else timeout)
        if self._ear in readable:
            self._hush()
        if sock in readable:
            frames.read(self._channel.connection)

    def _on_inbox(self, message: Any) -> None:
        self._put(message, is_dead=False)

    def _on_dead(self, message: Any) -> None:
        self._put(message, is_dead=True)

    def _put(self, message: Any, *, is_dead: bool) -> None:
        properties = dict(message.properties)
        headers = properties.pop("application_headers", None)
        headers = headers if isinstance(headers, dict) else {}
        body = message.body
        count = headers.get("x-delivery-count", 0)
        delivery = Delivery(
            tag=message.delivery_tag,
            generation=self._generation,
            body=body.encode() if isinstance(body, str) else bytes(body or b""),
            properties=properties,
            headers=headers,
            redelivered=bool(message.delivery_info.get("redelivered")),
            deliveries=count if isinstance(count, int) else 0,
            is_dead=is_dead,
        )
        self._deliveries.came(delivery.tag)
        self._gatherer.put(self._receiver.sort(delivery), time.monotonic())

    def _start_ready(self) -> None:
        if self._is_draining:
            return
        for work in self._gatherer.ready(time.monotonic()):
            self._spawn(work)

    def _settle(self, unit: Unit, answer: Answer) -> None:
        """Every error of an answer is caught and counted: the message then comes again, and is absorbed."""
        if unit.delivery.generation != self._generation or self._channel is None:
            if unit.delivery.generation:
                metrics.BUS_SETTLE_ERRORS.labels(self._service).inc()
            return
        if answer is Answer.ACK:
            self._deliveries.ended(unit.delivery.tag)
            return
        self._tell(lambda: self._channel.basic_reject(unit.delivery.tag, requeue=False))
        self._deliveries.answered(unit.delivery.tag)

    def _acknowledge(self) -> None:
        """The broker forgets what has ended since."""
        for tag, is_all_before in self._deliveries.acknowledgments():
            self._tell(partial(self._channel.basic_ack, tag, multiple=is_all_before))

    def _tell(self, send: Callable[[], None]) -> None:
        try:
            send()
        except Exception:
            metrics.BUS_SETTLE_ERRORS.labels(self._service).inc()
            raise

    def _measure_depth(self) -> None:
        for queue in topology.queues_of(self._service):
            found = self._channel.queue_declare(queue, passive=True)
            metrics.QUEUE_DEPTH.labels(self._service, queue).set(found.message_count)

    def _note_loss(self, exc: Exception, attempt: int) -> None:
        out_of_memory.end_if_meant(exc)
        metrics.BUS_CONNECTIONS.labels(self._service, "lost").inc()
        log.warning("bus.away", service=self._service, attempt=attempt, **logs.described(exc))

    def _close(self, connection: Connection) -> None:
        """The connection is gone within seconds; what it had delivered and nobody answered comes again."""
        was_consuming, self._is_consuming = self._is_consuming, False
        raw = connection._connection
        if was_consuming and self._is_stopping:
            with suppress(Exception):
                self._run_todo()
                self._channel.close()
        self._generation += 1
        self._channel = None
        self._gatherer.forget()
        release(raw)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            self._beat()
            readable, _, _ = select.select([self._ear], [], [], min(left, 1.0))
            if readable:
                self._hush()
            self._run_todo()

    # -- the bell ----------------------------------------------------------------------------------------

    def _do(self, action: Callable[[], None]) -> None:
        self._todo.append(action)
        with self._wake_lock:
            if self._is_awake:
                return
            self._is_awake = True
        with suppress(OSError):
            self._bell.send(b"!")

    def _hush(self) -> None:
        """The bell can ring again. Emptied first: a ring lost between the two is one whose action runs next anyway."""
        with suppress(BlockingIOError):
            self._ear.recv(4096)
        with self._wake_lock:
            self._is_awake = False

    def _run_todo(self) -> None:
        while self._todo:
            self._todo.popleft()()
        if self._channel is not None:
            self._acknowledge()


def _no_spawn(work: Work) -> None:
    raise RuntimeError(f"nobody runs {work.method}")


def _prefetch(receiver: Receiver) -> int:
    batches = sum(2 * listening.batch for listening in receiver.ears.all() if listening.is_batch)
    return min(PREFETCH_MOST, PREFETCH_SINGLE + batches)
