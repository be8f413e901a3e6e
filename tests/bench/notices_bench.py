"""How fast notices leave: a worker's rate against smtplib with one reused connection, and the wait at a steady rate.

python -m cli.local.testbed tests/bench/notices_bench.py     (or with MONGO_URI and AMQP_URI set: python <this file>)
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import secrets
import signal
import smtplib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import structlog

from chassis import mongo
from chassis import settings as chassis_settings
from chassis.envelope import Cause
from chassis.sealing import PublicSeal
from cli.local import keys
from services.notifications import handlers
from services.notifications.bootstrap import Room, build_room, prepare
from services.notifications.channels.mail import compose
from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import TABLE, Channel, Happening, notice_id
from services.notifications.domain.notices import Attempt
from services.notifications.domain.opening import open_notice
from services.notifications.settings import Settings
from services.notifications.wording.letters import Letters
from tests.integration.notifications.processes import Broker, running, until

NOTICES = int(os.environ.get("BENCH_NOTICES", "4000"))
# Due in one minute, as after a quiet night.
SCHEDULED = int(os.environ.get("BENCH_SCHEDULED", "100000"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
# Which parts: costs, rates, waits, scheduled.
PARTS = os.environ.get("BENCH_PARTS", "costs rates waits scheduled").split()
PER_SECOND = 50
SECONDS = 10


class Sink:
    """Takes every mail and writes one line for each: when, and which notice."""

    def __init__(self, lines: Path) -> None:
        self.out = lines.open("a", buffering=1)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Accepts."""
        head = envelope.content.partition(b"Message-ID: <")[2]
        self.out.write(f"{time.time():.4f} {head.partition(b'@')[0].decode()}\n")
        return "250 OK"


def serve_sink(lines: Path, port: int) -> None:
    """Runs the sink until it is ended."""
    from aiosmtpd.controller import UnthreadedController

    loop = asyncio.new_event_loop()
    controller = UnthreadedController(Sink(lines), hostname="127.0.0.1", port=port, loop=loop)
    controller.begin()
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    loop.run_forever()


@contextmanager
def sink(folder: Path) -> Iterator[tuple[int, Path]]:
    """A sink in a process of its own: its port, and the file of its lines."""
    lines = folder / "taken.txt"
    lines.touch()
    port = 20_000 + secrets.randbelow(20_000)
    process = subprocess.Popen([sys.executable, __file__, "--sink", str(lines), str(port)])
    try:
        until("the sink listens", lambda: _answers(port))
        yield port, lines
    finally:
        process.terminate()
        process.wait(10)


class SmsSink(BaseHTTPRequestHandler):
    """Answers as a Twilio-compatible API, and writes one line for each: when, and which notice."""

    protocol_version = "HTTP/1.1"
    # Head and body of an answer are two writes: on a kept connection the second would wait 40 ms for an ACK.
    disable_nagle_algorithm = True
    taken = 0
    out: Any = None

    def do_POST(self) -> None:
        """Accepts."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        SmsSink.taken += 1
        notice_id = body.partition(b"%2Fsms%2Fstatus%2F")[2].partition(b"%2F")[0].decode() or "none"
        SmsSink.out.write(f"{time.time():.4f} {notice_id}\n")
        text = b'{"sid": "SM%032x", "status": "queued"}' % SmsSink.taken
        self.send_response(201)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def serve_sms(lines: Path, port: int) -> None:
    """Runs the SMS side until it is ended."""
    SmsSink.out = lines.open("a", buffering=1)
    ThreadingHTTPServer(("127.0.0.1", port), SmsSink).serve_forever()


@contextmanager
def sms_sink(folder: Path) -> Iterator[tuple[int, Path]]:
    """An SMS side in a process of its own: its port, and the file of its lines."""
    lines = folder / "texted.txt"
    lines.touch()
    port = 20_000 + secrets.randbelow(20_000)
    process = subprocess.Popen([sys.executable, __file__, "--sms", str(lines), str(port)])
    try:
        until("the SMS side listens", lambda: _listens(port))
        yield port, lines
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def sms_limit_per_s(port: int) -> tuple[float, float]:
    """One POST after the other over one kept connection, as the channel does it: a second, and CPU seconds of each."""
    body = b"To=%2B13125550123&From=%2B13125550100&Body=Please+answer"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    started, cpu_s = time.perf_counter(), time.process_time()
    line = http.client.HTTPConnection("127.0.0.1", port)
    line.connect()
    line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(NOTICES):
        line.request("POST", "/2010-04-01/Accounts/AC1/Messages.json", body, headers)
        line.getresponse().read()
    line.close()
    return NOTICES / (time.perf_counter() - started), (time.process_time() - cpu_s) / NOTICES


def with_sms(environ: dict[str, str], port: int) -> dict[str, str]:
    """The environment of a worker with an SMS account."""
    return environ | {
        "KINDRED_SMS_URL": f"http://127.0.0.1:{port}",
        "KINDRED_SMS_ACCOUNT": "AC1",
        "KINDRED_SMS_TOKEN": "token",
        "KINDRED_SMS_FROM": "+13125550100",
        "KINDRED_NOTICES_URL": "https://notices.example.org",
        "KINDRED_POST_ALLOW_PRIVATE": "true",
    }


def sms_cpu_s(environ: dict[str, str]) -> float:
    """A room's senders on a backlog of notices for people who read SMS first: CPU seconds of each."""
    room = build_room(chassis_settings.read(Settings, environ))
    tag = secrets.token_hex(4)
    query = {"offer_id": {"$regex": f"^off_{tag}"}, "state": "sent"}
    handlers.tell(room, a_backlog(tag, "sms"))
    cpu_s = time.process_time()
    room.sending.start()
    until(
        "all sent", lambda: _seldom() or room.database.notices.count_documents(query) == NOTICES, within_s=300
    )
    cpu_s = time.process_time() - cpu_s
    room.sending.stop()
    return cpu_s / NOTICES


def a_backlog(tag: str, whose: str) -> list[tuple[Happening, Cause]]:
    """So many offers to a hundred people who read mails ("sp") or SMS ("sms")."""
    offers = [an_offer(f"{tag}_{number}") for number in range(NOTICES)]
    people = [offer.recipient_id.replace("sp_", f"{whose}_") for offer in offers]
    return [
        (
            replace(offer, recipient_id=person, contact_id=f"specialist-contact:{person}"),
            Cause(f"cor_{number}", f"evt_{tag}_{number}"),
        )
        for number, (offer, person) in enumerate(zip(offers, people, strict=True))
    ]


def costs(room: Room, uri: str) -> dict[str, dict[str, float]]:
    """What one notice costs, however busy the machine is: processor time here, reads and updates in the database."""
    client = mongo.connect(uri)
    found = {}
    room.sending.start()
    for name, count, bunch, pause_s in (
        ("one by one", 80, 1, 0.05),
        ("fours", 120, 4, 0.05),
        ("backlog", 240, 50, 0.0),
    ):
        tag = secrets.token_hex(4)
        told = [(an_offer(f"{tag}_{n}"), Cause(f"cor_{n}", f"evt_{tag}_{n}")) for n in range(count)]
        before, cpu_s = _counters(client), time.process_time()
        for start in range(0, count, bunch):
            handlers.tell(room, told[start : start + bunch])
            time.sleep(pause_s)
        query = {"offer_id": {"$regex": f"^off_{tag}"}, "state": "sent"}
        while room.database.notices.count_documents(query) < count:
            time.sleep(0.3)
        cpu_s, after = time.process_time() - cpu_s, _counters(client)
        spent = {what: (after[what] - before[what]) / count for what in before}
        found[name] = {"ms": cpu_s / count * 1000, **spent}
    room.sending.stop()
    client.close()
    return found


def _counters(client: Any) -> dict[str, float]:
    status = client.admin.command("serverStatus")
    return {"reads": status["opcounters"]["query"], "updates": status["metrics"]["document"]["updated"]}


def scheduled(room: Room, lines: Path) -> tuple[float, list[float], float, float]:
    """So many routine notices due at once.

    Seconds to store them, how long each of 20 immediate offers among them takes, how many go out in a second, and the
    longest time in which none did.
    """
    now = datetime.now(UTC)
    rows = [
        (
            replace(
                an_offer(f"night_{n}"),
                event="checkin.due.v1",
                number=n,
                urgency="routine",
                link_token="",
                deadline_at=now + timedelta(hours=8),
            ),
            Cause(f"cor_{n}", f"evt_night_{n}"),
        )
        for n in range(SCHEDULED)
    ]
    started = time.perf_counter()
    for start in range(0, SCHEDULED, 1_000):
        handlers.tell(room, rows[start : start + 1_000])
    stored_s = time.perf_counter() - started
    room.sending.courier.packing.pace.per_hour = SCHEDULED
    room.sending.start()
    waits, before = [], len(taken(lines))
    for n in range(20):
        offer = an_offer(f"now_{secrets.token_hex(4)}_{n}")
        at = time.perf_counter()
        handlers.tell(room, [(offer, Cause(f"cor_now_{n}", f"evt_now_{offer.offer_id}"))])
        query = {"offer_id": offer.offer_id, "state": "sent"}
        until("the offer is out", lambda query=query: room.database.notices.find_one(query, {"_id": 1}))
        waits.append(time.perf_counter() - at)
    # For so long at least, to see whether anything stands still.
    while len(taken(lines)) - before < min(SCHEDULED, 10_000):
        _seldom()
    room.sending.stop()
    times = sorted(at for at, _ in taken(lines)[before:])
    gap_s = max(later - one for one, later in pairwise(times))
    return stored_s, sorted(waits), len(times) / (times[-1] - times[0]), gap_s


def _answers(port: int) -> bool:
    try:
        smtplib.SMTP("127.0.0.1", port, local_hostname="bench", timeout=2).quit()
    except OSError:
        return False
    return True


def taken(lines: Path) -> list[tuple[float, str]]:
    """When each notice arrived."""
    rows = [line.split() for line in lines.read_text().splitlines() if line.count(" ") == 1]
    return [(float(row[0]), row[1]) for row in rows if len(row) == 2]


def _seldom() -> None:
    """Who measures must not take the cores from who is measured."""
    time.sleep(0.2)


def arrivals(lines: Path) -> int:
    """How many mails were taken, at next to no cost."""
    _seldom()
    return lines.read_bytes().count(b"\n")


def an_offer(number: str) -> Happening:
    """An offer to one of a hundred specialists."""
    now = datetime.now(UTC)
    specialist_id = f"sp_{hash(number) % 100:03}"
    return Happening(
        event="offer.made.v1",
        happened_at=now,
        referral_id=f"ref_{number}",
        recipient_id=specialist_id,
        contact_id=f"specialist-contact:{specialist_id}",
        offer_id=f"off_{number}",
        deadline_at=now + timedelta(hours=1),
        urgency="immediate",
        link_token=secrets.token_urlsafe(32),
    )


def limit_per_s(port: int, room: Room) -> float:
    """smtplib, one reused connection, the same message already composed."""
    rule = TABLE[0]
    notice, _ = open_notice(rule, an_offer("limit"), datetime.now(UTC), is_reachable=True)
    letter = Letters("https://answers.example.org").write(notice, Contact(language="es"), "tok")
    server = room.sending.courier.ways[Channel.EMAIL].server
    message = compose(
        letter,
        notice,
        Attempt(1, datetime.now(UTC)),
        address="a@example.org",
        server=server,
        now=datetime.now(UTC),
    )
    with smtplib.SMTP("127.0.0.1", port, local_hostname="bench") as smtp:
        started = time.perf_counter()
        for _ in range(NOTICES):
            smtp.sendmail("notices@kindred.example.org", ["a@example.org"], message)
        return NOTICES / (time.perf_counter() - started)


def backlog_per_s(
    environ: dict[str, str], folder: Path, room: Room, lines: Path, host: str, whose: str = "sp"
) -> float:
    """A worker that finds a backlog: notices per second after its first tenth.

    Its first letters pay for what a process does once (catalogs, zones, connections, hands that grow); the smtplib
    beside it has a process that runs already.
    """
    told = a_backlog(secrets.token_hex(4), whose)
    for start in range(0, NOTICES, 200):
        handlers.tell(room, told[start : start + 200])
    before = len(taken(lines))
    with running("worker", environ, folder, KINDRED_WORKER_HOST=host):
        until("all sent", lambda: arrivals(lines) >= before + NOTICES, within_s=300)
    times = sorted(at for at, _ in taken(lines)[before:])[NOTICES // 10 :]
    return (len(times) - 1) / (times[-1] - times[0])


def waits_s(environ: dict[str, str], folder: Path, broker: Broker, lines: Path, host: str) -> list[float]:
    """Event on the bus to mail taken, at a steady rate."""
    from kindred.matching.v1.events_pb2 import OfferMade

    seal = PublicSeal.from_dir(Path(environ["KINDRED_KEYS_DIR"]), "notifications")
    said: dict[str, float] = {}
    with running("worker", environ, folder, KINDRED_WORKER_HOST=host) as worker:
        worker.ready()
        started = time.perf_counter()
        for number in range(PER_SECOND * SECONDS):
            happening = an_offer(f"{host}_{secrets.token_hex(4)}")
            event = OfferMade(
                offer_id=happening.offer_id,
                referral_id=happening.referral_id,
                specialist_id=happening.recipient_id,
                urgency="immediate",
                sealed_link_token=seal.seal(b"tok", f"offer-link:{happening.offer_id}"),
            )
            event.deadline_at.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
            time.sleep(max(0.0, started + number / PER_SECOND - time.perf_counter()))
            said[notice_id(TABLE[0], happening)] = time.time()
            broker.say(event, happening.offer_id)
        until(
            "all taken",
            lambda: arrivals(lines) and said.keys() <= {one for _, one in taken(lines)},
            within_s=120,
        )
    arrived = {one: at for at, one in reversed(taken(lines))}
    return sorted(arrived[one] - at for one, at in said.items())


def main() -> None:
    """Measures and prints; asserts nothing about time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    uri, database_name = os.environ["MONGO_URI"], f"kindred_bench_{secrets.token_hex(4)}"
    client = mongo.connect(uri)
    with tempfile.TemporaryDirectory() as name, sink(Path(name)) as (port, lines):
        folder = Path(name)
        environ = {
            "KINDRED_MONGO_URI": uri,
            "KINDRED_MONGO_DATABASE": database_name,
            "KINDRED_AMQP_URI": os.environ["AMQP_URI"],
            "KINDRED_KEYS_DIR": str(keys.create(folder / "keys")),
            "KINDRED_PUBLIC_URL": "https://answers.example.org",
            "KINDRED_SMTP_HOST": "127.0.0.1",
            "KINDRED_SMTP_PORT": str(port),
            "KINDRED_SMTP_FROM": "Kindred <notices@kindred.example.org>",
        }
        room = build_room(chassis_settings.read(Settings, environ))
        prepare(room)
        broker = Broker(os.environ["AMQP_URI"])
        try:
            enroll(room)
            print(f"load of the machine (1, 5, 15 min): {os.getloadavg()}, cores: {os.cpu_count()}")
            if "costs" in PARTS:
                print_costs(environ, uri)
            if "rates" in PARTS:
                measure_rates(environ, folder, room, lines, port)
            if "waits" in PARTS:
                measure_waits(environ, folder, broker, lines)
            if "scheduled" in PARTS and SCHEDULED:
                measure_scheduled(room, lines)
        finally:
            broker.close()
            client.drop_database(database_name)


def enroll(room: Room) -> None:
    """A hundred specialists who read mails, and a hundred who read SMS."""
    from services.notifications.domain.contacts import Card

    cards = [
        Card(f"specialist-contact:{whose}_{n:03}", f"{whose}_{n:03}", 1, contact)
        for n in range(100)
        for whose, contact in (
            ("sp", Contact(f"sp{n}@example.org", "es", "America/Chicago")),
            ("sms", Contact("", "es", "UTC", f"+1312555{n:04}")),
        )
    ]
    handlers.keep_contacts(room, cards)


def print_costs(environ: dict[str, str], uri: str) -> None:
    """What one notice costs, whatever else the machine does."""
    for name, one in costs(build_room(chassis_settings.read(Settings, environ)), uri).items():
        print(
            f"one notice, {name:<12} {one['ms']:5.2f} ms, {one['reads']:4.1f} reads, {one['updates']:4.1f} updates"
        )


def measure_rates(environ: dict[str, str], folder: Path, room: Room, lines: Path, port: int) -> None:
    """The limits, both hosts and both channels in turn, so that a slow moment of the machine hits all of them."""
    limits, rates, bare = [], {"nameko": [], "threads": []}, []
    texted = {"nameko": [], "threads": []}
    with sms_sink(folder) as (sms_port, sms_lines):
        sms_environ = with_sms(environ, sms_port)
        for _ in range(RUNS):
            limits.append(limit_per_s(port, room))
            for host, found in rates.items():
                found.append(backlog_per_s(environ, folder, room, lines, host))
            bare.append(sms_limit_per_s(sms_port))
            for host, found in texted.items():
                found.append(backlog_per_s(sms_environ, folder, room, sms_lines, host, "sms"))
        own_s = sms_cpu_s(sms_environ)
    limit, posts = statistics.median(limits), statistics.median(rate for rate, _ in bare)
    print(
        f"smtplib, one reused connection       {limit:7.0f} mails/s   (median of {RUNS}, {NOTICES} mails each)"
    )
    for host, found in rates.items():
        rate = statistics.median(found)
        print(f"one worker, {host:<8} mails           {rate:7.0f} notices/s {rate / limit:5.2f} of that")
    print(
        f"bare POSTs, one kept connection      {posts:7.0f}/s ({bare[0][1] * 1e6:.0f} us of processor time each)"
    )
    for host, found in texted.items():
        rate = statistics.median(found)
        print(
            f"one worker, {host:<8} SMS             {rate:7.0f} notices/s {rate / limit:5.2f} of smtplib, "
            f"{rate / posts:5.2f} of bare POSTs"
        )
    print(f"one SMS by a room's senders          {own_s * 1e6:7.0f} us of processor time")


def measure_waits(environ: dict[str, str], folder: Path, broker: Broker, lines: Path) -> None:
    """From an event to its mail, at a steady rate."""
    for host in ("nameko", "threads"):
        waits = waits_s(environ, folder, broker, lines, host)
        p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        print(
            f"one worker, {host:<8} {PER_SECOND}/s for {SECONDS} s  "
            f"event to mail taken: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, max {waits[-1] * 1000:.0f} ms"
        )


def measure_scheduled(room: Room, lines: Path) -> None:
    """A quiet night's end."""
    stored_s, waits, rate, gap_s = scheduled(room, lines)
    print(
        f"{SCHEDULED} routine notices due at once, stored in {stored_s:.0f} s: 20 immediate offers among them took "
        f"p50 {waits[10] * 1000:.0f} ms, max {waits[-1] * 1000:.0f} ms; "
        f"{rate:.0f}/s go out, and the longest pause was {gap_s * 1000:.0f} ms"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sms"]:
        serve_sms(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["--sink"]:
        serve_sink(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
