"""Notifications as processes of their own, fed by a real broker and killed by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import Message
from kombu import Connection, Producer

from chassis import catalog, topology
from chassis.envelope import Envelope, to_amqp
from chassis.hearing import ears_of
from chassis.ids import new_id
from kindred.bus.v1.bus_pb2 import Provenance
from services.notifications.worker import Worker

T = TypeVar("T")
BY_SYSTEM = Provenance(actor_id="system:test", actor_role="system", purpose_of_use="TREAT", peer_id="peer_1")
ROOT = Path(__file__).resolve().parents[3]


def until(what: str, ask: Callable[[], T], *, within_s: float = 60.0) -> T:
    """The first truthy answer; fails, naming what was waited for, when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}; last answer: {answer!r}"
        time.sleep(0.02)
    return answer


@dataclass
class Broker:
    """What the other services would publish, on the virtual host of these tests; the inbox starts empty."""

    uri: str
    producer_seq: int = 0
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = Connection(self.uri)
        channel = self.connection.default_channel
        topology.declare_service(channel, "notifications", ears_of(Worker).binding_keys())
        channel.queue_purge(topology.inbox_name("notifications"))

    def say(self, message: Any, aggregate_id: str, *, source: str = "matching") -> Envelope:
        """The event is on the bus, as a relay would publish it."""
        self.producer_seq += 1
        about = message.provenance.peer_id or BY_SYSTEM.peer_id
        message.provenance.MergeFrom(BY_SYSTEM)
        message.provenance.peer_id = about
        envelope = Envelope(
            id=new_id("evt"),
            type=catalog.type_of(message),
            source=source,
            time=datetime.now(UTC),
            aggregate_id=aggregate_id,
            aggregate_seq=1,
            producer_seq=self.producer_seq,
            correlation_id=f"cor_{aggregate_id}",
            causation_id="",
            traceparent="",
            data=message.SerializeToString(),
        )
        self.repeat(envelope)
        return envelope

    def repeat(self, envelope: Envelope) -> None:
        """The very same event once more: a duplicate delivery."""
        properties, headers = to_amqp(envelope)
        Producer(self.connection, exchange=topology.EVENTS, routing_key=envelope.type).publish(
            envelope.data, headers=headers, **properties
        )

    def tap(self, event_type: str) -> str:
        """A queue that gets every event of the type from now on; its name."""
        declared = self.connection.default_channel.queue_declare(exclusive=True)
        self.connection.default_channel.queue_bind(declared.queue, topology.EVENTS.name, event_type)
        return str(declared.queue)

    def drain(self, queue: str) -> list[Message]:
        """The events that are in a tap now."""
        taken = []
        while (row := self.connection.default_channel.basic_get(queue, no_ack=True)) is not None:
            message_class = catalog.message_class(row.headers["cloudEvents:type"])
            taken.append(message_class.FromString(row.body))
        return taken

    def close(self) -> None:
        """The tap queues are gone too."""
        self.connection.release()


@dataclass
class Process:
    """One role of notifications, with the JSON lines it logged."""

    popen: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def ready(self) -> dict[str, Any]:
        """The line "ready", with its ports."""
        return until("ready", lambda: next((row for row in self.lines() if row["event"] == "ready"), None))

    def ended(self) -> int:
        """Its exit code, when it has one."""
        until("the end of the process", lambda: self.popen.poll() is not None)
        return self.popen.returncode

    def stop(self) -> int:
        """Asks it to stop and waits; the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(40)


@contextmanager
def running(role: str, environ: dict[str, str], folder: Path, **more: str) -> Iterator[Process]:
    """One role as a process; stopped, by force if it must be, at the end."""
    log = folder / f"{role}-{new_id('run')}.log"
    path = f"{ROOT}{os.pathsep}{ROOT / 'gen'}"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "services.notifications", role],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **environ, **more},
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    process = Process(popen, log)
    try:
        yield process
    finally:
        if popen.poll() is None:
            popen.send_signal(signal.SIGTERM)
            try:
                popen.wait(30)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait(10)
