"""How fast FHIR is validated and submits are durable, beside bare json, fhir.resources and a bare insert_one.

python -m cli.local.testbed tests/bench/intake_bench.py [rounds]     (with MONGO_URI and AMQP_URI set: python <file>)
Prints medians of the rounds and ratios; another run on another machine has other numbers, so trust the ratios.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fhir.resources.R4B import get_fhir_model_class

from chassis import identity, mongo
from cli.local import keys
from services.intake import taxonomy
from services.intake.fhir import body, reading
from services.intake.r4 import validator
from tests.bench import strangers
from tests.integration.intake.intake_processes import running

SUBMITS = 300


def rate(work: Callable[[], object], times: int, rounds: int) -> float:
    """Calls a second of CPU time, the median of the rounds: other processes on the machine count less."""
    work()
    rates = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(times):
            work()
        rates.append(times / (time.process_time() - started))
    return statistics.median(rates)


def pure(rounds: int) -> None:
    """Validation and reading of one Bundle, in one thread."""
    made = strangers.bundle("bench")
    raw, known = json.dumps(made).encode(), taxonomy.load()
    model = get_fhir_model_class("Bundle")
    print(f"one Bundle of {len(made['entry'])} resources, {len(raw)} bytes; per second of CPU")
    for name, work, times in (
        ("json.loads", lambda: json.loads(raw), 2_000),
        ("strict parse", lambda: body.parse(raw), 2_000),
        ("our validator", lambda: validator.check(made), 1_000),
        ("parse, validate, read", lambda: reading.read(reading.open_bundle(raw), "er", known), 500),
        ("fhir.resources R4B", lambda: model.model_validate(made), 100),
    ):
        print(f"  {name:<24}{rate(work, times, rounds):>9.0f}")


def bare_inserts(uri: str, database: str, clients: int) -> float:
    """Documents of a referral's size a second, majority and journal, the limit of any submit."""
    rows = mongo.connect(uri)[database]["bare"]
    document = {"sealed": secrets.token_bytes(1_500)}
    return _spread(clients, lambda number: rows.insert_one({**document, "n": number}))[0]


def _spread(clients: int, work: Callable[[int], object]) -> tuple[float, list[float]]:
    """Rate of SUBMITS calls shared by `clients` threads, and each call's seconds."""
    numbers, taken, lock = iter(range(SUBMITS)), [], threading.Lock()

    def one() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            started = time.perf_counter()
            work(number)
            taken.append(time.perf_counter() - started)

    threads = [threading.Thread(target=one) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return SUBMITS / (time.perf_counter() - started), taken


def submits(uri: str, rounds: int) -> None:
    """POST /fhir of new people to a real api process, 1 and 32 clients."""
    database = f"kindred_bench_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder:
        keys_dir = keys.create(Path(folder) / "keys")
        environ = {
            "KINDRED_MONGO_URI": uri,
            "KINDRED_MONGO_DATABASE": database,
            "KINDRED_AMQP_URI": os.environ.get("AMQP_URI", "amqp://127.0.0.1:1/none"),
            "KINDRED_KEYS_DIR": str(keys_dir),
        }
        pem = (keys_dir / "issuer.pem").read_bytes()
        token = identity.mint(pem, actor_id="bench", role="nurse", organization_id="er-bench")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
        with running("api", environ, Path(folder)) as process:
            port = process.ready()["http_port"]
            for clients in (1, 32):
                rates, times, bares = [], [], []
                for _ in range(rounds):
                    bodies = [json.dumps(strangers.bundle(secrets.token_hex(6))) for _ in range(SUBMITS)]
                    here = threading.local()

                    def post(number: int, bodies: list[str] = bodies, here: threading.local = here) -> None:
                        if not hasattr(here, "way"):
                            here.way = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                        here.way.request("POST", "/fhir", bodies[number], headers)
                        answer = here.way.getresponse()
                        text = answer.read()
                        assert answer.status == 200, text

                    bares.append(bare_inserts(uri, database, clients))
                    one_rate, one_times = _spread(clients, post)
                    rates.append(one_rate)
                    times += one_times
                p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
                print(
                    f"{clients:>3} clients: {statistics.median(rates):>6.0f} submits/s durable,"
                    f" p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms;"
                    f" bare insert_one {statistics.median(bares):.0f}/s,"
                    f" ratio {statistics.median(rates) / statistics.median(bares):.2f}"
                )
    mongo.connect(uri).drop_database(database)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    pure(count)
    submits(os.environ["MONGO_URI"], count)
