"""How fast HL7 v2 is parsed, read and answered durably, beside hl7apy and a bare insert_one.

python -m cli.local.testbed tests.bench.hl7_bench [rounds]     (with MONGO_URI set: python <file>)
Prints medians of the rounds and ratios; another run on another machine has other numbers, so trust the ratios.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hl7apy.parser import parse_message

from chassis import mongo
from cli.local import keys
from services.intake import taxonomy
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.hl7v2 import handling, message, reading
from services.intake.settings import Settings
from tests.bench.intake_bench import rate
from tests.unit.intake.hl7_builders import CON, PID, PV1, RF1, SENDER, SOURCES, a_referral, msh, segment

MESSAGES = 300
# Everybody is somebody else: people with one name and one birthday are compared with each other, and that takes time.
LETTERS = str.maketrans("0123456789abcdef", "bakelimonurstixo")


def stamped(number: str) -> bytes:
    """A referral of somebody new, with a consent signed just now."""
    now = datetime.now(UTC)
    signed, ends = (moment.strftime("%Y%m%d%H%M%S+0000") for moment in (now, now + timedelta(days=90)))
    con = CON.replace("20261121165500", signed).replace("20270221", ends[:8])
    family, given = (word.translate(LETTERS).title() for word in (number[:8], number[4:]))
    born = datetime(1940, 1, 1, tzinfo=UTC) + timedelta(days=int(number, 16) % 23_000)
    pid = PID.replace("MRN-70077", f"MRN-{number}").replace("QUILLFEATHER^WREN^J", f"{family}^{given}")
    pid = pid.replace("19880401", f"{born:%Y%m%d}").replace("5550177", str(int(number, 16))[:7])
    pv1 = PV1.replace("V-1", f"V-{number}").replace("20261121164000", signed)
    rf1 = RF1.replace("PEER-881", f"PEER-{number}")
    return a_referral(control_id=f"B{number}"[:20], pid=pid, pv1=pv1, rf1=rf1, con=con)


def feed(number: str) -> bytes:
    """An A08 about somebody who was never referred: most of what a feed sends."""
    pid = segment("PID", {3: f"OTHER-{number}^^^BRIGID&2.999.1&ISO^MR", 5: "SOMEBODY^ELSE", 7: "19700101"})
    return "\r".join([msh("ADT^A08^ADT_A01", f"F{number}"[:20]), "EVN|A08|20261121", pid, ""]).encode()


def pure(rounds: int) -> None:
    """Parsing and reading of one message, in one thread."""
    raw = a_referral()
    parsed, known, now = message.parse(raw), taxonomy.load(), datetime.now(UTC)
    print(f"one REF^I12 of {len(parsed.segments)} segments, {len(raw)} bytes; per second of CPU")
    for name, work, times in (
        ("our parser", lambda: message.parse(raw), 3_000),
        ("parse and read", lambda: reading.read(message.parse(raw), SENDER, known, now), 1_000),
        ("hl7apy", lambda: parse_message(raw.decode()), 20),
    ):
        print(f"  {name:<18}{rate(work, times, rounds):>9.0f}")


def spread(threads: int, bodies: list[bytes], work: Callable[[bytes], object]) -> tuple[float, list[float]]:
    """Bodies a second shared by the threads, and each call's seconds."""
    waiting, taken, lock = iter(bodies), [], threading.Lock()

    def one() -> None:
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            started = time.perf_counter()
            work(body)
            taken.append(time.perf_counter() - started)

    crew = [threading.Thread(target=one) for _ in range(threads)]
    started = time.perf_counter()
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return len(bodies) / (time.perf_counter() - started), taken


def durable(room: Room, threads: int, rounds: int, name: str, make: Callable[[str], bytes]) -> None:
    """Messages answered AA a second, each stored by a majority first."""

    def answered(raw: bytes) -> None:
        told = handling.handle(room, raw)
        assert b"MSA|AA|" in told, told

    document = {"sealed": secrets.token_bytes(1_500)}
    rates, times, bares = [], [], []
    for _ in range(rounds):
        bares.append(
            spread(threads, [b""] * MESSAGES, lambda _: room.database["bare"].insert_one({**document}))[0]
        )
        one_rate, one_times = spread(threads, [make(secrets.token_hex(6)) for _ in range(MESSAGES)], answered)
        rates.append(one_rate)
        times += one_times
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    middle, bare = statistics.median(rates), statistics.median(bares)
    print(
        f"  {name:<12}{threads:>3} threads: {middle:>6.0f}/s, p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms;"
        f" bare insert_one {bare:.0f}/s, ratio {middle / bare:.2f}"
    )


def handled(uri: str, rounds: int) -> None:
    """`handle` with a real store, without a socket: the limit of what the listener can do in one process."""
    name = f"kindred_bench_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            mongo_uri=uri,
            mongo_database=name,
            amqp_uri="amqp://127.0.0.1:1/none",
            keys_dir=keys.create(Path(folder) / "keys"),
            hl7_sources=SOURCES,
        )
        room = build_room(settings)
        prepare(room)
        print("handle, durable, one process")
        for kind, make in (("REF^I12 new", stamped), ("ADT^A08 feed", feed)):
            for threads in (1, 8):
                durable(room, threads, rounds, kind, make)
        mongo.connect(uri).drop_database(name)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    pure(count)
    handled(os.environ["MONGO_URI"], count)
