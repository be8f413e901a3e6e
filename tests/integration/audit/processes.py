"""Audit as processes of their own, fed by a real broker, killed by name, asked over gRPC."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kombu import Connection, Producer

from chassis import topology
from chassis.envelope import Envelope, to_amqp

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]


def until(what: str, ask: Callable[[], T], *, within_s: float = 60.0) -> T:
    """The first truthy answer; fails, naming what was waited for, when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}; last answer: {answer!r}"
        time.sleep(0.05)
    return answer


class Broker:
    """What the other services would publish; the audit inbox starts empty, unless it is to be left as it is."""

    def __init__(self, uri: str, *, empty: bool = True) -> None:
        self._connection = Connection(uri)
        channel = self._connection.default_channel
        topology.declare_service(channel, "audit", ["#"])
        if empty:
            channel.queue_purge(topology.inbox_name("audit"))

    def say(self, envelopes: Sequence[Envelope]) -> None:
        """The events are on the bus, in this order."""
        producer = Producer(self._connection, exchange=topology.EVENTS)
        for envelope in envelopes:
            properties, headers = to_amqp(envelope)
            producer.publish(envelope.data, headers=headers, routing_key=envelope.type, **properties)

    def waiting(self) -> int:
        """How many messages are in the inbox, delivered ones not counted."""
        return self._connection.default_channel.queue_declare(
            topology.inbox_name("audit"), passive=True
        ).message_count

    def close(self) -> None:
        """The connection is closed."""
        self._connection.release()


class Process:
    """One running role."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.popen = popen
        self.log = log

    def ready(self) -> dict[str, Any]:
        """What the line "ready" says (its ports)."""
        import json

        def line() -> dict[str, Any] | None:
            assert self.popen.poll() is None, self.log.read_text()[-3_000:]
            rows = [json.loads(row) for row in self.log.read_text().splitlines() if row.startswith("{")]
            return next((row for row in rows if row["event"] == "ready"), None)

        return until("ready", line)

    def killed(self) -> bool:
        """Whether it ended, by its own SIGKILL."""
        return self.popen.poll() == -signal.SIGKILL


@contextmanager
def running(role: str, environ: dict[str, str], folder: Path, **more: str) -> Iterator[Process]:
    """One role as a process; stopped, by force if it must be, at the end."""
    log = folder / f"{role}-{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "services.audit", role],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **environ, **more},
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
                popen.wait(40)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait(10)
