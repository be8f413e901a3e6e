"""How many HL7 messages a second the MLLP listener stores and acknowledges, and how soon; beside the bare parser.

python -m cli.local.testbed tests.bench.mllp_bench [seconds]     (with MONGO_URI set: python <file>)
A real process on a real socket, held to one core; every message is a new referral of somebody new, stored before its
own ACK.  Two of the numbers are taken at a steady pace of half the highest rate, each from the moment its message was
due.
"""

from __future__ import annotations

import os
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from chassis import mongo
from cli.local import keys
from cli.local.ports import any_free
from services.intake.hl7v2 import message
from tests.bench.hl7_bench import feed, stamped
from tests.bench.holding import hold
from tests.bench.intake_bench import bare_inserts, rate
from tests.integration.intake.intake_processes import running
from tests.integration.intake.mllp_driving import Engine
from tests.unit.intake.hl7_builders import SOURCES

CONNECTIONS = 16
ROUND = 400


def percent(times: list[float], share: float) -> float:
    """The share's quantile in milliseconds."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3


def flat_out(port: int, connections: int, bodies: list[bytes]) -> tuple[float, list[float]]:
    """Messages a second where each connection sends its next as soon as the last is acknowledged; and each one's time."""
    times: list[float] = []

    def talk(share: list[bytes], engine: Engine) -> None:
        for body in share:
            started = time.perf_counter()
            _acknowledged(engine.ask(body))
            times.append(time.perf_counter() - started)

    took = _at_once(port, [bodies[number::connections] for number in range(connections)], talk)
    return len(bodies) / took, times


def paced(port: int, connections: int, bodies: list[bytes], per_second: float) -> list[float]:
    """Each message's time from the moment it was due, at a steady pace shared by the connections."""
    times: list[float] = []
    gap = connections / per_second
    begins = time.perf_counter() + 0.2

    def talk(share: list[bytes], engine: Engine) -> None:
        offset = gap * (hash(threading.get_ident()) % 997) / 997
        for number, body in enumerate(share):
            due = begins + offset + number * gap
            time.sleep(max(0.0, due - time.perf_counter()))
            _acknowledged(engine.ask(body))
            times.append(time.perf_counter() - due)

    _at_once(port, [bodies[number::connections] for number in range(connections)], talk)
    return times


def _acknowledged(answer: bytes | None) -> None:
    assert answer is not None and b"\rMSA|AA|" in answer, answer


def _at_once(port: int, shares: list[list[bytes]], talk: Callable[[list[bytes], Engine], None]) -> float:
    engines = [Engine(port) for _ in shares]
    failures: list[BaseException] = []

    def run(share: list[bytes], engine: Engine) -> None:
        try:
            talk(share, engine)
        except BaseException as error:  # noqa: BLE001  raised below
            failures.append(error)

    crew = [threading.Thread(target=run, args=pair) for pair in zip(shares, engines, strict=True)]
    started = time.perf_counter()
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    took = time.perf_counter() - started
    for engine in engines:
        engine.socket.close()
    if failures:
        raise failures[0]
    return took


def new(count: int, make: Callable[[str], bytes] = stamped) -> list[bytes]:
    """Messages about people nobody has met."""
    return [make(secrets.token_hex(6)) for _ in range(count)]


def measure(port: int, rounds: int, named: str) -> None:
    """Prints the rates, and the times at a steady half of the highest."""
    flat_out(port, CONNECTIONS, new(100))
    best = 0.0
    for name, make in (("REF^I12 of somebody new", stamped), ("ADT^A08 of nobody referred", feed)):
        for connections in (1, CONNECTIONS):
            runs = [flat_out(port, connections, new(ROUND, make)) for _ in range(rounds)]
            rates, times = [one for one, _ in runs], [each for _, many in runs for each in many]
            print(
                f"{named}: {name}, {connections:>2} connections: {statistics.median(rates):>5.0f}/s stored and"
                f" acknowledged, p50 {percent(times, 0.5):.0f} ms, p99 {percent(times, 0.99):.0f} ms"
            )
            best = max(best, statistics.median(rates)) if make is stamped else best
    for per_second in (best / 2, 150.0):
        times = paced(port, CONNECTIONS, new(int(per_second * 8)), per_second)
        print(
            f"{named}: REF^I12 at a steady {per_second:.0f}/s, {CONNECTIONS} connections:"
            f" p50 {percent(times, 0.5):.0f} ms, p99 {percent(times, 0.99):.0f} ms"
        )


def main(rounds: int = 3) -> None:
    """Starts listeners of its own, one and then two on one port, and measures them."""
    uri, database = os.environ["MONGO_URI"], f"kindred_bench_{secrets.token_hex(4)}"
    raw = stamped(secrets.token_hex(6))
    print(f"bare parser, one thread: {rate(lambda: message.parse(raw), 2_000, rounds):.0f}/s of CPU")
    print(
        f"bare insert_one, majority and journal: {bare_inserts(uri, database, 1):.0f}/s by 1 client,", end=" "
    )
    print(f"{bare_inserts(uri, database, CONNECTIONS):.0f}/s by {CONNECTIONS}")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        environ = {
            "KINDRED_MONGO_URI": uri,
            "KINDRED_MONGO_DATABASE": database,
            "KINDRED_AMQP_URI": os.environ.get("AMQP_URI", "amqp://127.0.0.1:1/none"),
            "KINDRED_KEYS_DIR": str(keys.create(Path(folder) / "keys")),
            "KINDRED_HL7_SOURCES": ",".join(SOURCES),
            "KINDRED_MLLP_ADDRESS": f"127.0.0.1:{any_free()}",
            "KINDRED_MLLP_SHARED_PORT": "1",
        }
        stack.callback(lambda: mongo.connect(uri).drop_database(database))
        for number, named in enumerate(("one process", "two processes")):
            process = stack.enter_context(running("mllp", environ, Path(folder)))
            process.ready()
            hold(process.popen.pid, number)
            port = next(row["port"] for row in process.lines() if row["event"] == "listening")
            measure(port, rounds, named)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
