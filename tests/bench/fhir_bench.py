"""How many FHIR Bundles a second become durable, beside the bare validator and an empty Starlette handler.

make bench B=fhir_bench     (or python -m cli.local.testbed tests.bench.fhir_bench [SUBMITS])

Every Bundle is of a new person (nine resources).  Closed loop with 1 and 32 clients, then an open loop at half of what
32 clients reached and at 75/s: there a latency counts from the moment the Bundle was due, so that a server that stalls
is not spared by clients that wait.  Medians of three rounds; the machine's load is printed, because it shares its cores.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from kombu import Connection

from chassis import identity, mongo, topology
from cli.local import keys
from services.intake import taxonomy
from services.intake.fhir import body, reading
from services.intake.r4 import validator
from tests.bench import strangers
from tests.bench.holding import hold
from tests.integration.intake.intake_processes import running, until

ROUNDS = 3
CLIENTS = (1, 32)
GOAL = 150.0  # submits a second, and half of it without waiting long
_EMPTY = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def take(request):
    await request.body()
    return Response(b"{}", media_type="application/fhir+json")

uvicorn.run(Starlette(routes=[Route("/fhir", take, methods=["POST"])]), port=int(sys.argv[1]), log_level="warning")
"""


def nine_resources(number: str, *, crowded: bool = False) -> dict[str, Any]:
    """A referral as a record system sends it: patient, visit, hospital, clinician, condition, consent, order, more."""
    coverage = {
        "resourceType": "Coverage", "status": "active", "beneficiary": {"reference": "urn:uuid:patient"},
        "payor": [{"reference": "urn:uuid:hospital"}],
        "type": {"coding": [{"system": "https://nahdo.org/sopt", "code": "2"}]},
    }  # fmt: skip
    unit = {"resourceType": "Location", "status": "active", "name": "ED", "address": {"postalCode": "12208"}}
    return strangers.bundle(number, crowded=crowded, coverage=coverage, location=unit)


@dataclass(frozen=True)
class Measured:
    """What one loop reached."""

    per_second: float
    seconds: list[float]

    def told(self) -> str:
        """Rate, median and 99th percentile."""
        p99 = statistics.quantiles(self.seconds, n=100)[98]
        p50 = statistics.median(self.seconds)
        return f"{self.per_second:>7.0f}/s   p50 {p50 * 1e3:>6.1f} ms   p99 {p99 * 1e3:>6.1f} ms"


class Way:
    """One kept connection that sends bytes made beforehand: the client costs next to nothing."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        """Sends it and reads the whole answer; fails where it is not 200."""
        self.socket.sendall(request)
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        text = answer.read()
        assert answer.status == http.client.OK, text[:500]


def requests(count: int, headers: dict[str, str], *, crowded: bool = False) -> list[bytes]:
    """So many POSTs of new people, as bytes."""
    made = []
    for _ in range(count):
        raw = json.dumps(nine_resources(secrets.token_hex(6), crowded=crowded)).encode()
        lines = {"Host": "x", **headers, "Content-Length": str(len(raw))}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        made.append(f"POST /fhir HTTP/1.1\r\n{head}\r\n".encode() + raw)
    return made


def loop(port: int, sent: list[bytes], clients: int, per_second: float = 0.0) -> Measured:
    """All of them sent by so many clients, as fast as they are answered, or each at its own moment."""
    numbers, taken, lock = iter(range(len(sent))), [], threading.Lock()
    started = time.perf_counter()

    def one() -> None:
        way = Way(port)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            due = started + number / per_second if per_second else time.perf_counter()
            if (early := due - time.perf_counter()) > 0:
                time.sleep(early)
            way.send(sent[number])
            taken.append(time.perf_counter() - due)

    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(sent), f"only {len(taken)} of {len(sent)} were answered"
    return Measured(len(sent) / (time.perf_counter() - started), taken)


def _middle(measure: Callable[[], Measured]) -> Measured:
    """The round of median rate, with the latencies of all of them."""
    rounds = [measure() for _ in range(ROUNDS)]
    return Measured(
        statistics.median(one.per_second for one in rounds), [one for each in rounds for one in each.seconds]
    )


def pure(work: Callable[[], object], times: int) -> float:
    """Calls a second of CPU time in one thread, the median of the rounds."""
    work()
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(times):
            work()
        rates.append(times / (time.process_time() - started))
    return statistics.median(rates)


@contextmanager
def empty_handler() -> Iterator[int]:
    """The port of a Starlette that reads the body and answers {}: as fast as HTTP can be here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    popen = subprocess.Popen([sys.executable, "-c", _EMPTY, str(port)])
    try:
        until("the empty handler", lambda: _is_open(port))
        yield port
    finally:
        popen.terminate()
        popen.wait(20)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Cpu:
    """Seconds of CPU that this client, intake's api and mongod have used."""

    client: float
    intake: float
    mongod: float

    @classmethod
    def used(cls, intake_pid: int, mongod_pid: int) -> Cpu:
        """Until now."""
        others = (sum(psutil.Process(pid).cpu_times()[:2]) for pid in (intake_pid, mongod_pid))
        return cls(time.process_time(), *others)

    def told_since(self, before: Cpu, submits: int) -> str:
        """Milliseconds a submit."""
        each = {name: (getattr(self, name) - getattr(before, name)) / submits * 1e3 for name in vars(self)}
        return "CPU a submit: " + ", ".join(f"{name} {value:.1f} ms" for name, value in each.items())


@contextmanager
def a_listener(uri: str) -> Iterator[None]:
    """A queue for everything that is said: events nobody may hear are held, and the relay would be measured."""
    with Connection(uri) as connection:
        channel = connection.default_channel
        topology.declare_service(channel, "bench", {"#"})
        yield
        channel.queue_delete(topology.inbox_name("bench"))


@contextmanager
def intake(uri: str) -> Iterator[tuple[int, int, dict[str, str]]]:
    """Port and pid of a real api process on a database of its own, and a nurse's headers."""
    database = f"kindred_bench_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder:
        keys_dir = keys.create(Path(folder) / "keys")
        environ = {
            "KINDRED_MONGO_URI": uri,
            "KINDRED_MONGO_DATABASE": database,
            "KINDRED_AMQP_URI": os.environ["AMQP_URI"],
            "KINDRED_KEYS_DIR": str(keys_dir),
        }
        pem = (keys_dir / "issuer.pem").read_bytes()
        token = identity.mint(pem, actor_id="bench", role="nurse", organization_id="er-bench")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
        try:
            with a_listener(environ["KINDRED_AMQP_URI"]), running("api", environ, Path(folder)) as process:
                yield process.ready()["http_port"], process.popen.pid, headers
        finally:
            client = mongo.connect(uri)
            client.drop_database(database)
            client.close()


def submitted(
    port: int, headers: dict[str, str], clients: int, count: int, pids: tuple[int, int]
) -> Measured:
    """Three rounds of so many submits by so many clients, printed with the CPU each took."""
    sent = [requests(count, headers) for _ in range(ROUNDS)]
    before = Cpu.used(*pids)
    durable = _middle(lambda: loop(port, sent.pop(), clients))
    print(f"{clients:>3} clients, durable        {durable.told()}")
    print(f"     {Cpu.used(*pids).told_since(before, count * ROUNDS)}")
    return durable


def main(submits: int) -> None:
    """Prints every figure and its ratio to the limits."""
    made = nine_resources("bench")
    raw, known = json.dumps(made).encode(), taxonomy.load()
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores;"
        f" a Bundle of {len(made['entry'])} resources, {len(raw)} bytes"
    )
    validated = pure(lambda: validator.check(made), 500)
    read = pure(lambda: reading.read(reading.open_bundle(raw), "er", known), 200)
    parsed = pure(lambda: body.parse(raw), 1_000)
    print(
        f"per second of CPU: strict parse {parsed:.0f}, bare validator {validated:.0f}, parse+validate+read {read:.0f}"
    )
    durable: dict[int, Measured] = {}
    with empty_handler() as bare_port, intake(os.environ["MONGO_URI"]) as (port, pid, headers):
        mongod_pid = mongo.connect(os.environ["MONGO_URI"]).admin.command("serverStatus")["pid"]
        loop(port, requests(50, headers), 4)  # connections, indexes, compiled paths
        for clients in CLIENTS:
            count = submits if clients > 1 else submits // 3
            bare = _middle(
                lambda clients=clients, count=count: loop(bare_port, requests(count, headers), clients)
            )
            print(f"{clients:>3} clients, empty handler  {bare.told()}")
            durable[clients] = submitted(port, headers, clients, count, (pid, mongod_pid))
            rate = durable[clients].per_second
            print(
                f"     ratio to the empty handler {rate / bare.per_second:.2f},"
                f" to the bare validator {rate / validated:.2f}"
            )
        print("the api held to one core:")
        hold(pid, 0)
        durable[CLIENTS[-1]] = submitted(port, headers, CLIENTS[-1], submits, (pid, mongod_pid))
        for rate in (durable[CLIENTS[-1]].per_second / 2, GOAL / 2):
            sent = [requests(max(int(rate * 8), 100), headers) for _ in range(ROUNDS)]
            paced = _middle(lambda sent=sent, rate=rate: loop(port, sent.pop(), CLIENTS[-1], rate))
            print(f"at a steady {rate:>3.0f}/s, durable    {paced.told()}")
        alike = [requests(submits, headers, crowded=True) for _ in range(ROUNDS)]
        crowd = _middle(lambda: loop(port, alike.pop(), CLIENTS[-1]))
        print(f" 32 clients, all alike      {crowd.told()}")
    print(
        f"load {os.getloadavg()[0]:.1f} at the end; this client, mongod, RabbitMQ and intake share the cores"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
