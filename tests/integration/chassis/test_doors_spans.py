"""Spans on their way to a collector: from a plain process and from one that eventlet patched, with it well or silent."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).resolve().parents[3]
UNTIL_S = 30.0

SENDER = """
import sys
if sys.argv[1] == "green":
    import os
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"
    import eventlet
    eventlet.monkey_patch()
import threading, time
from dataclasses import dataclass
from chassis import logs, telemetry

@dataclass(frozen=True)
class Where:
    otlp_endpoint: str = sys.argv[2]
    spans_file: str = ""

logs.start("example", "worker")
telemetry.start("example", "worker", Where())
ticks = []
over = threading.Event()

def tick():
    while not over.is_set():
        ticks.append(1)
        time.sleep(0.01)

ticker = threading.Thread(target=tick)
ticker.start()
for number in range(int(sys.argv[3])):
    with telemetry.span("work", referral_id=f"ref_{number}"):
        pass
    if number % 50 == 0:
        time.sleep(0)
waits = float(sys.argv[4])
until = time.monotonic() + waits
before = len(ticks)
while time.monotonic() < until:
    time.sleep(0.05)
print("ticks", len(ticks) - before, flush=True)
over.set()
ticker.join()
telemetry.stop()
assert "grpc" not in sys.modules
print("stopped", flush=True)
"""


class Collector:
    """Takes OTLP over HTTP, or takes the connection and says nothing."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.asked = threading.Event()
        self.free = threading.Event()
        self.free.set()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.asked.set()
                collector.free.wait(UNTIL_S)
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """Where spans are sent."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that is well."""
    collector = Collector()
    yield collector
    collector.free.set()
    collector.server.shutdown()
    collector.server.server_close()


def run(kind: str, endpoint: str, spans: int, waits: float) -> dict[str, int]:
    """Runs a sender to its end; how many ticks its other thread made while it waited."""
    environ = dict(os.environ) | {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SENDER, kind, endpoint, str(spans), str(waits)],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stopped" in done.stdout
    return {
        line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("ticks")
    }


@pytest.mark.parametrize("kind", ["plain", "green"])
def test_spans_reach_the_collector(collector: Collector, kind: str) -> None:
    """Every span that was made arrives, also from a process whose threads are green."""
    run(kind, collector.endpoint, 1_000, 0.0)
    deadline = time.monotonic() + UNTIL_S
    while len(collector.spans) < 1_000:
        assert time.monotonic() < deadline, len(collector.spans)
        time.sleep(0.05)
    names = {attribute.value.string_value for span in collector.spans for attribute in span.attributes}
    assert {f"ref_{number}" for number in range(1_000)} == names


@pytest.mark.parametrize("kind", ["plain", "green"])
def test_a_silent_collector_holds_nobody_up(collector: Collector, kind: str) -> None:
    """With a collector that never answers, others in the process go on, spans beyond the queue are dropped, and it ends.

    Ten thousand spans are five times the queue; the other thread ticks every 10 ms, so that a stalled hub shows.
    """
    collector.free.clear()
    ticks = run(kind, collector.endpoint, 10_000, 4.0)
    assert collector.asked.is_set()
    assert ticks["ticks"] > 40


@pytest.mark.parametrize("kind", ["plain", "green"])
def test_no_collector_at_all_is_no_trouble(kind: str) -> None:
    """With nobody listening the process works and ends as if telemetry were off."""
    run(kind, "http://127.0.0.1:9", 5_000, 0.5)
