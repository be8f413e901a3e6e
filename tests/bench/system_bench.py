"""How fast the whole system is, from outside: submits, end to end, latency at a steady rate, CPU, memory; then the bus.

make bench            starts a system of its own, measures, prints medians, stops it
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from cli.local import children
from tests.bench import strangers
from tests.bench.whole_system import a_whole_system
from tests.driving import (
    PROCESSES,
    Er,
    Officer,
    Roster,
    Running,
    a_specialist,
    a_supervisor,
    at_once,
    roster_csv,
    until,
)

RUNS = int(os.environ.get("BENCH_RUNS", "3"))
SPECIALISTS = 500
REFERRALS = int(os.environ.get("BENCH_REFERRALS", "600"))


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Numbers:
    """Numbers that never repeat, for referrals that are all different."""

    def __init__(self) -> None:
        self._next = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> list[str]:
        """The next `count` of them."""
        with self._lock:
            start, self._next = self._next, self._next + count
        return [f"bench-{os.getpid()}-{number}" for number in range(start, start + count)]


def submits_by_grpc(er: Er, numbers: Numbers, clients: int) -> float:
    """Submits per second over gRPC."""
    items = [strangers.referral(number) for number in numbers.take(50 if clients == 1 else 320)]
    return len(items) / _timed(lambda: at_once(er.submit, items, threads=clients))


def submits_by_fhir(er: Er, numbers: Numbers, clients: int) -> float:
    """Submits per second over FHIR, with kept-alive connections."""
    items = [strangers.bundle(number) for number in numbers.take(50 if clients == 1 else 320)]
    url = f"http://{er.running.known.http['intake']}/fhir"
    headers = {
        "Authorization": f"Bearer {er.token}",
        "Content-Type": "application/fhir+json",
        "X-Purpose-Of-Use": "TREAT",
    }
    local = threading.local()

    def post(body: dict) -> None:
        client = getattr(local, "client", None) or httpx.Client(headers=headers, timeout=30)
        local.client = client
        client.post(url, json=body).raise_for_status()

    return len(items) / _timed(lambda: at_once(post, items, threads=clients))


def end_to_end(er: Er, officer: Officer, matching, numbers: Numbers, count: int) -> tuple[float, float]:
    """Referrals per second from the first submit until the last has its offers, and until all is audited."""
    items = [strangers.referral(number) for number in numbers.take(count)]
    entries_before = officer.check_size()
    start = time.perf_counter()
    ids = at_once(lambda request: er.submit(request).referral_id, items, threads=32)
    query = {"_id": {"$in": ids}}
    until("all offered", lambda: matching.cases.count_documents(query) == count, within_s=600)
    offered = time.perf_counter() - start
    # 1 submitted + 3 offers + 3 notices + 1 status a referral at least
    until("all audited", lambda: officer.check_size() - entries_before >= count * 8, within_s=600)
    return count / offered, count / (time.perf_counter() - start)


def steady(er: Er, roster: Roster, matching, numbers: Numbers, rate: int, seconds: int = 20) -> list[float]:
    """Milliseconds from the ER's send to the stored offers, at a steady rate of referrals per second."""
    items = [
        (position / rate, strangers.referral(number))
        for position, number in enumerate(numbers.take(rate * seconds))
    ]
    sent: dict[str, float] = {}
    begin = time.time()

    def send(item) -> None:
        due, request = item
        time.sleep(max(0.0, begin + due - time.time()))
        at = time.time()
        sent[er.submit(request).referral_id] = at

    at_once(send, items, threads=16)
    query = {"_id": {"$in": list(sent)}}
    until("all offered", lambda: matching.cases.count_documents(query) == len(sent), within_s=120)
    made: list[float] = []
    for referral_id, at in sent.items():
        case = roster.case(referral_id)
        made.append((case.opened_at.ToDatetime().timestamp() - at) * 1_000)
    return sorted(made)


def cpu_s(running: Running) -> dict[str, float]:
    """Seconds of CPU each part has used, with its children."""
    used = {}
    for name in (*PROCESSES, "mongod", "rabbitmq"):
        if child := children.recall(running.place.run, name):
            process = psutil.Process(child.pid)
            family = [process, *process.children(recursive=True)]
            used[name] = sum(sum(one.cpu_times()[:2]) for one in family)
    return used


def memory_mb(running: Running) -> dict[str, float]:
    """Resident memory of each process, in MB."""
    found = {}
    for name in PROCESSES:
        child = children.recall(running.place.run, name)
        status = Path(f"/proc/{child.pid}/status").read_text()
        found[name] = int(status.split("VmRSS:")[1].split()[0]) / 1024
    return found


def _share(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def main() -> None:
    """Measures and prints."""
    parts = {name: os.environ.pop(name) for name in ("MONGO_URI", "AMQP_URI") if name in os.environ}
    with a_whole_system() as running:
        measure(running)
    print("the bus beside bare kombu and pymongo:", flush=True)
    argv = [sys.executable, "-m", "tests.bench.bus_bench"]
    subprocess.run(argv, env=os.environ | parts, check=True)


def measure(running: Running) -> None:
    """The whole table, medians of RUNS runs."""
    roster, er, officer, numbers = Roster(running), Er(running), Officer(running), Numbers()
    rows = [a_supervisor(), *(a_specialist(f"spec-{n:04}", capacity="50") for n in range(SPECIALISTS))]
    roster.load(roster_csv(rows))
    er.submit(strangers.referral("warm-up"))
    print(f"{os.cpu_count()} cores, medians of {RUNS} runs, roster of {SPECIALISTS}")
    for clients in (1, 32):
        for name, one in (("gRPC", submits_by_grpc), ("FHIR", submits_by_fhir)):
            rates = [one(er, numbers, clients) for _ in range(RUNS)]
            print(f"submits/s over {name}, {clients:2} clients   {statistics.median(rates):8.0f}", flush=True)
    matching = running.database("matching")
    until("quiet", lambda: is_quiet(running), within_s=600)
    before = cpu_s(running)
    rates = [end_to_end(er, officer, matching, numbers, REFERRALS) for _ in range(RUNS)]
    used = {
        name: (seconds - before[name]) / (REFERRALS * RUNS) * 1e3 for name, seconds in cpu_s(running).items()
    }
    print(f"end to end, submit to offers out       {statistics.median(r[0] for r in rates):8.0f} referrals/s")
    print(
        f"end to end, submit to all audited      {statistics.median(r[1] for r in rates):8.0f} referrals/s",
        flush=True,
    )
    print(f"CPU a referral, all parts              {sum(used.values()):8.1f} ms, of which", flush=True)
    for name, milliseconds in sorted(used.items(), key=lambda one: -one[1]):
        print(f"    {name:34} {milliseconds:8.1f} ms")
    for rate in (20, 50):
        until("quiet", lambda: is_quiet(running), within_s=600)
        times = steady(er, roster, matching, numbers, rate)
        shown = "  ".join(f"p{int(share * 100)} {_share(times, share):.0f} ms" for share in (0.5, 0.95, 0.99))
        print(f"submit to offer at {rate}/s               {shown}", flush=True)
    for name, megabytes in memory_mb(running).items():
        print(f"memory of {name:22} {megabytes:8.0f} MB")


def is_quiet(running: Running) -> bool:
    """Nothing waits in any outbox, and every notice has ended."""
    for service in ("intake", "matching", "notifications"):
        if running.database(service).outbox.count_documents({"state": "pending"}, limit=1):
            return False
    return (
        running.database("notifications").notices.count_documents(
            {"state": {"$in": ["due", "sending"]}}, limit=1
        )
        == 0
    )


if __name__ == "__main__":
    main()
