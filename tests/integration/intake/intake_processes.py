"""Intake as processes of its own, an ER that calls it, matching's side of the bus, and a cable that can be cut."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
from kombu import Connection, Producer

from chassis import catalog, identity, topology
from chassis.envelope import Envelope, to_amqp
from chassis.hearing import ears_of
from chassis.ids import new_id
from kindred.bus.v1.bus_pb2 import Provenance
from services.intake.worker import Worker

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]


def until(what: str, ask: Callable[[], T], *, within_s: float = 60.0) -> T:
    """The first truthy answer; fails, naming what was waited for, when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}; last answer: {answer!r}"
        time.sleep(0.02)
    return answer


@dataclass
class Bus:
    """Matching's side of the bus, and a tap on everything intake says."""

    uri: str
    connection: Connection = field(init=False)
    queue: str = field(init=False)
    heard: list[tuple[dict[str, Any], Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection = Connection(self.uri)
        channel = self.connection.default_channel
        topology.declare_service(channel, "intake", ears_of(Worker).binding_keys())
        channel.queue_purge(topology.inbox_name("intake"))
        self.queue = str(channel.queue_declare(exclusive=True).queue)
        channel.queue_bind(self.queue, topology.EVENTS.name, "#")

    def say(self, message: Any, *, at: datetime | None = None, envelope: Envelope | None = None) -> Envelope:
        """The event is on the bus, as matching's relay would publish it; `envelope` repeats an earlier one."""
        message.provenance.MergeFrom(Provenance(actor_id="system:matching", actor_role="system"))
        envelope = envelope or Envelope(
            id=new_id("evt"),
            type=catalog.type_of(message),
            source="matching",
            time=at or datetime.now(UTC),
            aggregate_id=message.referral_id,
            aggregate_seq=1,
            producer_seq=1,
            correlation_id="cor-test",
            causation_id="",
            traceparent="",
            data=message.SerializeToString(),
        )
        properties, headers = to_amqp(envelope)
        Producer(self.connection, exchange=topology.EVENTS, routing_key=envelope.type).publish(
            envelope.data, headers=headers, **properties
        )
        return envelope

    def said(self, event_type: str, **wanted: Any) -> list[Any]:
        """Intake's events of the type so far whose fields are as wanted, oldest first."""
        while (row := self.connection.default_channel.basic_get(self.queue, no_ack=True)) is not None:
            message = catalog.message_class(row.headers["cloudEvents:type"]).FromString(row.body)
            self.heard.append((row.headers, message))
        return [
            message
            for headers, message in self.heard
            if headers["cloudEvents:source"] == "intake"
            and headers["cloudEvents:type"] == event_type
            and all(getattr(message, name) == value for name, value in wanted.items())
        ]

    def close(self) -> None:
        """The tap is gone too."""
        self.connection.release()


@dataclass
class Process:
    """One role of intake, with the JSON lines it logged."""

    popen: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def ready(self) -> dict[str, Any]:
        """The line "ready", with its ports."""

        def look() -> dict[str, Any] | None:
            assert self.popen.poll() is None, self.log.read_text()
            return next((row for row in self.lines() if row["event"] == "ready"), None)

        return until("ready", look)


@contextmanager
def running(role: str, environ: dict[str, str], folder: Path) -> Iterator[Process]:
    """One role as a process; stopped, by force if it must be, at the end."""
    log = folder / f"{role}-{new_id('run')}.log"
    path = f"{ROOT}{os.pathsep}{ROOT / 'gen'}"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "services.intake", role],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **environ},
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        yield Process(popen, log)
    finally:
        if popen.poll() is None:
            popen.send_signal(signal.SIGTERM)
            try:
                popen.wait(30)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait(10)


@dataclass(frozen=True)
class Er:
    """Somebody at a hospital who speaks FHIR over HTTP."""

    base: str
    issuer_pem: bytes
    actor_id: str = "nurse-ada"
    role: str = "nurse"
    organization_id: str = "er-st-brigid"
    purpose: str = "TREAT"

    @property
    def token(self) -> str:
        """A bearer token, good for an hour."""
        return identity.mint(
            self.issuer_pem, actor_id=self.actor_id, role=self.role, organization_id=self.organization_id
        )

    def headers(self) -> dict[str, str]:
        """Who and why."""
        purpose = {"X-Purpose-Of-Use": self.purpose} if self.purpose else {}
        return {"Authorization": f"Bearer {self.token}", **purpose}

    def post(self, body: Any, content_type: str = "application/fhir+json") -> httpx.Response:
        """POST /fhir."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**self.headers(), "Content-Type": content_type}
        return httpx.post(f"{self.base}/fhir", content=content, headers=headers, timeout=15)

    def get(self, path: str) -> httpx.Response:
        """GET /fhir/..."""
        return httpx.get(f"{self.base}/fhir/{path}", headers=self.headers(), timeout=15)


def referral_of(answer: httpx.Response) -> str:
    """The referral's id in the answer to a Bundle."""
    assert answer.status_code == 200, answer.text
    places = [entry["response"].get("location", "") for entry in answer.json()["entry"]]
    return str(next(place for place in places if place).split("/")[1])


class Cable:
    """A TCP way to a far address that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._far = (host, port)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Connections reach the far side (again)."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Nothing is reached: running connections are closed, new ones refused."""
        assert self._listener is not None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._far, timeout=5)
            except OSError:
                return
            self._pairs.append((near, far))
            threading.Thread(target=_carry, args=(near, far), daemon=True).start()


def _carry(near: socket.socket, far: socket.socket) -> None:
    with suppress(OSError, ValueError), selectors.DefaultSelector() as ears, near, far:
        ears.register(near, selectors.EVENT_READ, far)
        ears.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in ears.select():
                chunk = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                if not chunk:
                    return
                key.data.sendall(chunk)
