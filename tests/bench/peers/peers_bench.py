"""What a team would otherwise pick, beside Kindred, in one run: `make bench B=peers.peers_bench`.

Celery's tasks, nameko's own `event_handler`, and one program with a loop do the same steps (`steps.py`) on the same
broker and database with the same durability.  Each is measured undisturbed (referrals/s until all are told, CPU of a
referral), and then while its worker is killed with -9 half-way and started again: what never ended, what was told
twice.  The run ends with Kindred's own line (`system_bench`); its referrals are also consented, sealed, explained and
signed for, which the peers' are not.  Celery stays in an environment of its own, which CELERY_PYTHON names
(`python -m venv ENV && ENV/bin/pip install celery pymongo starlette uvicorn`); without it its line says so.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import httpx
import psutil
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as TakenMail
from pymongo import MongoClient

from tests.bench.peers import steps
from tests.driving import at_once, until

HERE = Path(__file__).parent
REFERRALS = int(os.environ.get("BENCH_REFERRALS", "300"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
CLIENTS = 16
GIVES_UP_S = 60.0
WORKERS = {
    "celery": (
        "-m",
        "celery",
        "-A",
        "celery_tasks",
        "worker",
        "-c",
        "2",
        "-l",
        "warning",
        "--without-gossip",
    ),
    "nameko": ("nameko_service.py",),
    "monolith": ("monolith.py",),
}


class Mailbox(TakenMail):
    """The far side: how often each offer was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Counter[str] = Counter()

    def handle_message(self, message: Message) -> None:
        """Counts the mail."""
        self.told[str(message["X-Offer"])] += 1


class Peer:
    """One peer's processes over a database of its own."""

    def __init__(self, kind: str, python: str, post: int) -> None:
        self.kind, self.python = kind, python
        self.door = f"http://127.0.0.1:{(port := _free_port())}"
        name = f"peer_{kind}_{secrets.token_hex(3)}"
        self.environ = os.environ | {
            "PEER": kind, "PEER_DATABASE": name, "PEER_SMTP_PORT": str(post), "PEER_DOOR_PORT": str(port),
            "PYTHONPATH": str(HERE), "EVENTLET_NO_GREENDNS": "yes",
        }  # fmt: skip
        client: MongoClient[dict[str, Any]] = MongoClient(os.environ["MONGO_URI"])
        self.database = client[name]
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, role: str) -> None:
        """The door or the worker runs."""
        argv = ("door.py",) if role == "door" else WORKERS[self.kind]
        self.running[role] = subprocess.Popen(
            [self.python, *argv], cwd=HERE, env=self.environ, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self, role: str) -> None:
        """The process and its children are gone at once."""
        os.killpg(self.running[role].pid, signal.SIGKILL)
        self.running[role].wait()

    def cpu_s(self) -> float:
        """Seconds of CPU its processes have used."""
        found = [psutil.Process(one.pid) for one in self.running.values()]
        return sum(
            sum(each.cpu_times()[:2]) for one in found for each in (one, *one.children(recursive=True))
        )

    def submit(self, numbers: list[str]) -> None:
        """Each referral is accepted by the door."""
        local = threading.local()

        def post(number: str) -> None:
            local.client = getattr(local, "client", None) or httpx.Client(timeout=30)
            local.client.post(f"{self.door}/referrals", json=steps.a_referral(number)).raise_for_status()

        at_once(post, numbers, threads=CLIENTS)


@contextmanager
def a_peer(kind: str, python: str, post: int) -> Iterator[Peer]:
    """The peer, ready: one referral went all its way."""
    peer = Peer(kind, python, post)
    os.environ["PEER_DATABASE"], os.environ["PEER_SMTP_PORT"] = peer.database.name, str(post)
    steps.Steps().prepare()
    try:
        peer.start("door")
        peer.start("worker")
        until("the door answers", lambda: _answers(peer.door), within_s=60)
        peer.submit(["warm-up"])
        until("the worker works", lambda: _told(peer, "warm-up") == steps.OFFERS, within_s=60)
        yield peer
    finally:
        for role in list(peer.running):
            peer.kill(role)
        peer.database.client.drop_database(peer.database.name)


def main() -> None:
    """Measures and prints."""
    mailbox = Mailbox()
    post = Controller(mailbox, hostname="127.0.0.1", port=_free_port())
    post.start()
    print(f"{os.cpu_count()} cores, medians of {RUNS} runs of {REFERRALS} referrals, {CLIENTS} clients")
    print(
        f"{'peer':10} {'referrals/s':>11} {'CPU ms each':>11}   killed once: never ended, told twice",
        flush=True,
    )
    for kind in WORKERS:
        python = os.environ.get("CELERY_PYTHON", "") if kind == "celery" else sys.executable
        if not python:
            print(f"{kind:10} not measured: CELERY_PYTHON names no Python", flush=True)
            continue
        with a_peer(kind, python, post.port) as peer:
            told = _measured(peer, mailbox)
        print(" ".join(f"{value:>11}" for value in told.values()), flush=True)
        print(json.dumps({"peers": told}), flush=True)
    post.stop()
    if os.environ.get("PEERS_ONLY") != "1":
        subprocess.run([sys.executable, "-m", "tests.bench.system_bench"], check=True)


def _measured(peer: Peer, mailbox: Mailbox) -> dict[str, Any]:
    rates, costs = [], []
    for run in range(RUNS):
        numbers = [f"{peer.kind}-{run}-{number}" for number in range(REFERRALS)]
        cpu, began = peer.cpu_s(), time.perf_counter()
        peer.submit(numbers)
        until(
            "all told",
            lambda run=run: _told(peer, f"{peer.kind}-{run}-") == REFERRALS * steps.OFFERS,
            within_s=300,
        )
        rates.append(REFERRALS / (time.perf_counter() - began))
        costs.append((peer.cpu_s() - cpu) / REFERRALS * 1e3)
    lost, twice = _killed(peer, mailbox)
    return {
        "peer": peer.kind,
        "referrals_per_s": round(statistics.median(rates)),
        "cpu_ms": round(statistics.median(costs), 1),
        "never_ended": lost,
        "told_twice": twice,
    }


def _killed(peer: Peer, mailbox: Mailbox) -> tuple[int, int]:
    """Referrals that never ended, and offers told twice, after the worker was killed half-way."""
    prefix = f"{peer.kind}-killed-"
    threading.Timer(0.5, peer.submit, ([f"{prefix}{number}" for number in range(REFERRALS)],)).start()
    until("half is told", lambda: _told(peer, prefix) >= REFERRALS * steps.OFFERS // 2, within_s=120)
    peer.kill("worker")
    peer.start("worker")
    last, since = -1, time.monotonic()
    while time.monotonic() - since < GIVES_UP_S and last < REFERRALS * steps.OFFERS:
        if (now := _told(peer, prefix)) != last:
            last, since = now, time.monotonic()
        time.sleep(0.5)
    ended = peer.database.notices.aggregate(
        [
            {"$match": {"state": "sent", "_id": {"$regex": f"^{prefix}"}}},
            {"$group": {"_id": {"$first": {"$split": ["$_id", "/"]}}, "told": {"$sum": 1}}},
            {"$match": {"told": steps.OFFERS}},
        ]
    )
    twice = sum(1 for offer, times in mailbox.told.items() if offer.startswith(prefix) and times > 1)
    return REFERRALS - len(list(ended)), twice


def _told(peer: Peer, prefix: str) -> int:
    return peer.database.notices.count_documents({"state": "sent", "_id": {"$regex": f"^{prefix}"}})


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/referrals", timeout=2).status_code == 405
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
