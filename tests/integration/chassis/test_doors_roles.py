"""Processes of every role: what they say and answer while a part is away, and how they end, in every state."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import pytest

from chassis import grpc_client, identity
from chassis.rich_status import refused
from cli.local import keys
from kindred.operations.v1 import operations_pb2, operations_pb2_grpc
from tests.integration.chassis.example_service.gate import Gate

ROOT = Path(__file__).resolve().parents[3]
UNTIL_S = 40.0
ROLES = ["api", "worker-nameko", "worker-threads", "relay"]


class Process:
    """One process of the example service, its log and its port."""

    def __init__(self, role: str, environ: dict[str, str]) -> None:
        name, _, host = role.partition("-")
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.chassis.example_service", name],
            cwd=ROOT,
            env=environ | {"KINDRED_WORKER_HOST": host or "nameko"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def text(self) -> str:
        """Everything it printed so far."""
        return "".join(self._lines)

    def events(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        found = []
        for line in list(self._lines):
            if line.startswith("{"):
                fields = json.loads(line)
                if fields["event"] == event:
                    found.append(fields)
        return found

    def until(self, is_true: Callable[[], Any], seconds: float = UNTIL_S) -> Any:
        """What the condition gives once it is true; fails with the log when it takes too long or the process died."""
        deadline = time.monotonic() + seconds
        while not (found := is_true()):
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.05)
        return found

    def says(self, event: str) -> dict[str, Any]:
        """The first log line of an event, as soon as it is there."""
        return self.until(lambda: self.events(event))[0]

    def ask(self, path: str, port: int) -> httpx.Response | None:
        """An answer, or None while nobody listens."""
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)
        except httpx.TransportError:
            return None

    def end(self, seconds: float = 30.0) -> int:
        """SIGTERM; the exit code, which must come in time."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code


class House:
    """What the processes need, behind gates that the test opens and shuts."""

    def __init__(self, folder: Path, mongo_uri: str, amqp_uri: str) -> None:
        self.keys = keys.create(folder / "keys")
        (self.keys / "example.master.key").write_bytes(secrets.token_bytes(96))
        mongo, amqp = urlsplit(mongo_uri), urlsplit(amqp_uri)
        self.database = Gate((mongo.hostname or "", mongo.port or 0))
        self.broker = Gate((amqp.hostname or "", amqp.port or 0))
        self.environ = dict(os.environ) | {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
            "KINDRED_MONGO_URI": f"mongodb://127.0.0.1:{self.database.port}/?directConnection=true",
            "KINDRED_MONGO_DATABASE": f"kindred_doors_{secrets.token_hex(4)}",
            "KINDRED_AMQP_URI": f"amqp://{amqp.username}:{amqp.password}@127.0.0.1:{self.broker.port}{amqp.path}",
            "KINDRED_KEYS_DIR": str(self.keys),
            "KINDRED_SPANS_FILE": str(folder / "spans"),
        }
        self.processes: list[Process] = []
        self.token = identity.mint((self.keys / "issuer.pem").read_bytes(), actor_id="eng_1", role="engineer")

    def start(self, role: str, **more: str) -> Process:
        """A process of a role."""
        process = Process(role, self.environ | more)
        self.processes.append(process)
        return process

    def start_all(self) -> list[tuple[str, Process]]:
        """A process of every role, all starting at once."""
        return [(role, self.start(role)) for role in ROLES]

    def end_all(self) -> None:
        """SIGTERM to everything; each exits 0 within the grace."""
        for process in self.processes:
            process.process.send_signal(signal.SIGTERM)
        for process in self.processes:
            assert process.process.wait(30) == 0, process.text

    def post(self, port: int) -> httpx.Response:
        """One write over HTTP."""
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.post(f"http://127.0.0.1:{port}/things", content=b"x", headers=headers, timeout=20)


@pytest.fixture
def house(tmp_path: Path, mongo_uri: str, amqp_uri: str, mongo_client: Any) -> Iterator[House]:
    """Both gates open; every process that is left at the end is killed."""
    house = House(tmp_path, mongo_uri, amqp_uri)
    house.database.open()
    house.broker.open()
    yield house
    for process in house.processes:
        process.process.kill()
        process.process.wait()
    house.database.shut()
    house.broker.shut()
    mongo_client.drop_database(house.environ["KINDRED_MONGO_DATABASE"])


def http_port(process: Process, role: str) -> int:
    """The port a process answers on while it is not open yet."""
    event = "waiting room open" if role == "api" else "status open"
    return int(process.says(event)["http_port"])


def test_every_role_starts_answers_and_ends(house: House) -> None:
    """Every role says when it is ready, answers its three pages, and exits 0 on SIGTERM."""
    for _, process in house.start_all():
        port = process.says("ready")["http_port"]
        process.until(lambda process=process, port=port: process.ask("/readyz", port).status_code == 200)
        assert process.ask("/healthz", port).json() == {"is_alive": True}
        assert "kindred_ready 1.0" in process.ask("/metrics", port).text
    house.end_all()


def test_with_the_database_down_at_start_every_role_waits_says_so_and_recovers(house: House) -> None:
    """It is alive, not ready, names what is missing in one line, and opens by itself when the database is there."""
    house.database.shut()
    started = [(role, process, http_port(process, role)) for role, process in house.start_all()]
    for role, process, port in started:
        assert process.says("waiting for what is away")["missing"] == "database"
        assert process.ask("/healthz", port).status_code == 200
        ready = process.until(lambda process=process, port=port: names(process, port, "database"))
        assert ready.status_code == 503
        if role == "api":
            answer = house.post(port)
            assert answer.status_code == 503, process.text
            assert int(answer.headers["retry-after"]) >= 1
        assert len(process.events("waiting for what is away")) == 1
    house.database.open()
    for _, process, port in started:
        process.says("ready")
        process.until(lambda process=process, port=port: process.ask("/readyz", port).status_code == 200)
    house.end_all()


def test_with_the_broker_down_at_start_every_role_waits_says_so_and_recovers(house: House) -> None:
    """A worker is not ready; an api serves and stores, and names the broker as away; all see it come back."""
    house.broker.shut()
    started = [(role, process, http_port(process, role)) for role, process in house.start_all()]
    for role, process, port in started:
        process.says("ready")
        asked = process.until(lambda process=process, port=port: names(process, port, "broker"))
        assert asked.status_code == (200 if role == "api" else 503)
        if role == "api":
            assert house.post(port).status_code == 201
        process.until(lambda process=process: any("broker" in line["missing"] for line in changes(process)))
    house.broker.open()
    for _, process, port in started:
        process.until(lambda process=process, port=port: process.ask("/readyz", port).json()["missing"] == [])
    house.end_all()


def names(process: Process, port: int, part: str) -> httpx.Response | None:
    """The answer of /readyz, once it names the part as missing."""
    answer = process.ask("/readyz", port)
    return answer if answer is not None and part in answer.json()["missing"] else None


def changes(process: Process) -> list[dict[str, Any]]:
    """The lines that tell of a change in what is there."""
    return process.events("away: waiting") + process.events("away: still serving")


@pytest.mark.parametrize("way", ["shut", "freeze"])
def test_an_outage_of_the_database_is_answered_503_and_lived_through(house: House, way: str) -> None:
    """Later, with the database refused or frozen, writes answer 503 or UNAVAILABLE in time; then all is well again."""
    process = house.start("api")
    opened = process.says("ready")
    port = opened["http_port"]
    assert house.post(port).status_code == 201
    getattr(house.database, way)()
    answer = house.post(port)
    assert answer.status_code == 503, process.text
    assert answer.json()["code"] == "store-unavailable"
    assert int(answer.headers["retry-after"]) >= 1
    with grpc_client.channel(f"127.0.0.1:{opened['grpc_port']}", token=house.token) as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListParked(operations_pb2.ListParkedRequest(), timeout=3)
        assert refused(caught.value).code in ("store-unavailable", "deadline-exceeded")
        process.until(lambda: process.ask("/readyz", port).status_code == 503)
        process.until(lambda: changes(process))
        assert process.ask("/healthz", port).status_code == 200
        house.database.open()
        process.until(lambda: process.ask("/readyz", port).status_code == 200)
        process.until(lambda: house.post(port).status_code == 201)
        process.until(lambda: grpc_served(stub))
    assert process.events("bug") == []
    assert process.end() == 0


def grpc_served(stub: Any) -> bool:
    """True where a call is served."""
    try:
        stub.ListParked(operations_pb2.ListParkedRequest(), timeout=5)
    except grpc.RpcError:
        return False
    return True


@pytest.mark.parametrize("away", ["database", "broker"])
@pytest.mark.parametrize("way", ["shut", "freeze"])
def test_every_role_ends_in_time_whatever_is_away(house: House, away: str, way: str) -> None:
    """SIGTERM is honored within the grace with the database or broker refused or frozen, from the start or later."""
    for _, process in house.start_all():
        process.says("ready")
    getattr(getattr(house, away), way)()
    for role, late in house.start_all():
        port = http_port(late, role)
        late.until(lambda late=late, port=port: late.ask("/healthz", port))
    house.end_all()


def test_sigterm_lets_running_calls_end(house: House) -> None:
    """A call that runs when SIGTERM comes is answered; after it the process exits 0."""
    process = house.start("api")
    opened = process.says("ready")
    with grpc_client.channel(f"127.0.0.1:{opened['grpc_port']}", token=house.token) as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        running = stub.DiscardParked.future(operations_pb2.DiscardParkedRequest(reason="2.0"), timeout=15)
        process.until(lambda: "kindred_rpc_running 1.0" in process.ask("/metrics", opened["http_port"]).text)
        assert process.end() == 0
        assert running.result() == operations_pb2.DiscardParkedResponse()


def test_a_second_sigterm_ends_at_once(house: House) -> None:
    """Whoever insists is obeyed."""
    process = house.start("api")
    opened = process.says("ready")
    with grpc_client.channel(f"127.0.0.1:{opened['grpc_port']}", token=house.token) as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        running = stub.DiscardParked.future(operations_pb2.DiscardParkedRequest(reason="15"), timeout=20)
        process.until(lambda: "kindred_rpc_running 1.0" in process.ask("/metrics", opened["http_port"]).text)
        process.process.send_signal(signal.SIGTERM)
        process.says("stopping")
        assert process.end(5) == 128 + signal.SIGTERM
        running.cancel()


@pytest.mark.parametrize("role", ["api", "worker-nameko", "relay"])
def test_wrong_settings_are_all_named_at_once(house: House, role: str) -> None:
    """Every missing or unusable setting is named on stderr; the exit code is 2; no secret is shown."""
    environ = dict(house.environ) | {"KINDRED_MAX_BODY_BYTES": "much"}
    del environ["KINDRED_MONGO_URI"], environ["KINDRED_KEYS_DIR"]
    process = Process(role, environ)
    assert process.process.wait(UNTIL_S) == 2
    process._reader.join(5)
    for name in ("KINDRED_MONGO_URI", "KINDRED_KEYS_DIR", "KINDRED_MAX_BODY_BYTES"):
        assert name in process.text
    assert "guest:guest" not in process.text


@pytest.mark.parametrize("role", ["api", "worker-nameko"])
def test_a_missing_key_ends_the_process_with_a_reason(house: House, role: str) -> None:
    """What waiting cannot cure is not waited for: the log names type and place, the exit code is 1."""
    (house.keys / "issuer.pub.pem").unlink()
    process = house.start(role)
    assert process.process.wait(UNTIL_S) == 1
    process._reader.join(5)
    (line,) = process.events("cannot start")
    assert line["error"] == "FileNotFoundError"


@pytest.mark.parametrize("role", ["api", "worker-nameko"])
def test_a_taken_port_ends_the_process_with_a_reason(house: House, role: str) -> None:
    """The port that is taken is named."""
    first = house.start(role)
    port = first.says("ready")["http_port"]
    second = house.start(role, KINDRED_HTTP_ADDRESS=f"127.0.0.1:{port}")
    assert second.process.wait(UNTIL_S) == 1
    second._reader.join(5)
    assert second.events("cannot listen: the port is taken or the address is not ours")[0]["port"] == str(
        port
    )


@pytest.mark.parametrize(
    ("code", "is_fatal"),
    [
        ("import eventlet; eventlet.monkey_patch(); import grpc; isolation.forbid_grpc()", True),
        ("import eventlet; eventlet.monkey_patch(); isolation.forbid_grpc(); import grpc", True),
        ("import eventlet; isolation.forbid_eventlet()", True),
        ("isolation.forbid_eventlet(); import nameko.containers", True),
        ("isolation.forbid_eventlet(); import grpc", False),
        (
            "import eventlet; eventlet.monkey_patch(); isolation.forbid_grpc(); import nameko.containers",
            False,
        ),
    ],
)
def test_grpc_and_eventlet_never_meet(code: str, is_fatal: bool) -> None:
    """A process that would hold both refuses at once, before or after the guard is set (F-38)."""
    environ = dict(os.environ) | {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}
    command = [sys.executable, "-W", "ignore", "-c", f"from chassis import isolation; {code}"]
    done = subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode != 0) == is_fatal, done.stderr
    assert ("ForbiddenImport" in done.stderr) == is_fatal


@pytest.mark.parametrize(
    ("role", "forbidden"),
    [("api", {"eventlet", "nameko"}), ("worker", {"grpc"}), ("bootstrap", {"eventlet", "nameko", "grpc"})],
)
def test_no_service_brings_them_together(role: str, forbidden: set[str]) -> None:
    """Importing a role of each real service leaves the other role's library out (F-38)."""
    modules = ", ".join(
        f"services.{name}.{role}" for name in ("intake", "matching", "notifications", "audit")
    )
    code = f"import sys, {modules}, chassis.roles; print(*sorted({forbidden!r} & sys.modules.keys()))"
    environ = dict(os.environ) | {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == ""
