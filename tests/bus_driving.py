"""Drives a worker process and a broker from outside: raw messages, the process, waiting for a condition."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import amqp
from google.protobuf.message import Message
from kombu import Connection

from chassis import topology
from chassis.catalog import type_of
from chassis.envelope import Envelope, to_amqp
from chassis.ids import new_id
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.matching.v1.events_pb2 import OfferAccepted, OfferDeclined, OfferMade

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")


def until(what: str, ask: Callable[[], T], within_s: float = 20.0) -> T:
    """The first truthy answer; fails with `what` where there is none in time."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}; last answer: {answer!r}")
        time.sleep(0.03)
    return answer


def an_offer(behavior: str = "ok", offer_id: str = "") -> OfferMade:
    """offer.made, heard one by one; `behavior` is what the subject does with it."""
    return OfferMade(
        provenance=Provenance(actor_id="system:test"),
        offer_id=offer_id or new_id("off"),
        specialist_id=behavior,
    )


def a_decline(behavior: str = "ok") -> OfferDeclined:
    """offer.declined, heard in batches."""
    return OfferDeclined(
        provenance=Provenance(actor_id="system:test"), offer_id=new_id("off"), specialist_id=behavior
    )


def an_acceptance() -> OfferAccepted:
    """offer.accepted, heard one by one and always handled."""
    return OfferAccepted(provenance=Provenance(actor_id="system:test"), offer_id=new_id("off"))


def enveloped(message: Message, **changes: Any) -> Envelope:
    """The message as an event of a producer that does not exist."""
    values: dict[str, Any] = {
        "id": new_id("evt"),
        "type": type_of(message),
        "source": "test",
        "time": datetime.now(UTC),
        "aggregate_id": new_id("off"),
        "aggregate_seq": 1,
        "producer_seq": 1,
        "correlation_id": new_id("req"),
        "causation_id": "",
        "traceparent": "",
        "data": message.SerializeToString(),
    }
    return Envelope(**{**values, **changes})


@dataclass
class Post:
    """Puts messages into a service's inbox without the exchange, so that no other service hears them."""

    amqp_uri: str
    service: str
    connection: Any = None

    def __enter__(self) -> Post:
        self.connection = Connection(self.amqp_uri)
        self.channel = self.connection.channel()
        topology.declare_service(self.channel, self.service, [])
        self.channel.confirm_select()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.release()

    def raw(self, body: bytes, *, queue: str = "", **properties: Any) -> None:
        """One message, confirmed by the broker."""
        self.channel.basic_publish_confirm(
            amqp.Message(body, **properties),
            exchange="",
            routing_key=queue or topology.inbox_name(self.service),
        )

    def event(self, message: Message, *, times: int = 1, **changes: Any) -> str:
        """One event, `times` over; returns its id."""
        envelope = enveloped(message, **changes)
        properties, headers = to_amqp(envelope)
        for _ in range(times):
            self.raw(envelope.data, application_headers=headers, **properties)
        return envelope.id

    def events(self, messages: Iterable[Message]) -> list[str]:
        """Many events; returns their ids in order."""
        return [self.event(message) for message in messages]

    def depth(self, queue: str = "") -> int:
        """Messages ready in the inbox."""
        name = queue or topology.inbox_name(self.service)
        return int(self.channel.queue_declare(name, passive=True).message_count)

    def forget(self) -> None:
        """The service's queues are gone."""
        for name in (topology.inbox_name(self.service), topology.dead_name(self.service)):
            self.channel.queue_delete(name)


@dataclass
class Subject:
    """One worker process under test; `log` holds everything it wrote."""

    environ: Mapping[str, str]
    log: Path
    argv: tuple[str, ...] = ("-m", "tests.bus_subject")
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    _seen: int = field(default=0)

    def start(self, **extra: str) -> None:
        """The process runs; wait for `is_listening`."""
        self.starts += 1
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", *self.argv],
                env={**os.environ, **self.environ, **extra, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
                cwd=ROOT,
                stdout=sink,
                stderr=sink,
            )

    def is_listening(self) -> bool:
        """True as soon as this start has opened its inbox."""
        if not self.is_alive():
            raise AssertionError(f"the process ended:\n{self.text()[-2000:]}")
        return "bus.listening" in self.text()[self._seen :]

    def ready(self, **extra: str) -> Subject:
        """Started and listening."""
        self.start(**extra)
        until("the worker listens", self.is_listening)
        return self

    def is_alive(self) -> bool:
        """True while the process runs."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Sends a signal to this process only."""
        if self.process is not None:
            self.process.send_signal(number)

    def stop(self, within_s: float = 15.0) -> int:
        """SIGTERM; returns the exit code, fails where it does not end."""
        if self.process is None:
            return 0
        with suppress(ProcessLookupError):
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def keep_alive(self) -> None:
        """Starts the process again where it died: what a supervisor does."""
        if not self.is_alive():
            self.start()

    def text(self) -> str:
        """Everything the process wrote."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def a_service() -> str:
    """A service name of its own, so that tests do not hear each other."""
    return "t" + secrets.token_hex(4)


def subject_environ(
    host: str, service: str, *, mongo_uri: str, amqp_uri: str, database: str, keys: Path, **policy: float
) -> dict[str, str]:
    """The environment of a subject; its master key is made where it is missing."""
    key = keys / f"{service}.master.key"
    if not key.exists():
        key.write_bytes(secrets.token_bytes(96))
    quick = {"row_wait_s": 0.1, "longest_row_wait_s": 0.2, "too_early_rows": 4, "in_place_wait_s": 0.05}
    return {
        "KINDRED_WORKER_HOST": host,
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": database,
        "KINDRED_AMQP_URI": amqp_uri,
        "KINDRED_KEYS_DIR": str(keys),
        "BUS_SUBJECT": service,
        "BUS_SUBJECT_POLICY": json.dumps({**quick, **policy}),
    }
