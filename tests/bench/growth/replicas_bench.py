"""Referrals a second against replicas of every `api` and `worker`: `make bench B=growth.replicas_bench` (REPLICAS=1,2,4).

Each number of replicas is a system of its own on the same machine, with one broker and one database; what is measured is
the same as in `system_bench`.  Where the machine's cores are all in use by one of each, more of them bring nothing; the
CPU a referral takes says so, and what a further machine would bring is a question for `make capacity`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import psutil

from cli.local import children
from cli.local.shape import Shape
from tests.bench.system_bench import Numbers, end_to_end
from tests.bench.whole_system import a_whole_system
from tests.driving import Er, Officer, Roster, Running, a_specialist, a_supervisor, roster_csv, until
from tests.faults import evidence

REPLICAS = [int(one) for one in os.environ.get("REPLICAS", "1,2,4").split(",")]
REFERRALS = int(os.environ.get("BENCH_REFERRALS", "400"))
RUNS = 2


def main() -> None:
    """Measures and prints."""
    for replicas in REPLICAS:
        with a_whole_system(Shape(1, replicas)) as running:
            print(json.dumps({"replicas": measured(running, replicas)}), flush=True)


def measured(running: Running, replicas: int) -> dict[str, Any]:
    """Referrals a second until all are offered and until all are audited, and what each took."""
    roster, er, officer, numbers = Roster(running), Er(running), Officer(running), Numbers()
    people = [a_supervisor(), *(a_specialist(f"spec-{n:04}", capacity="50") for n in range(500))]
    roster.load(roster_csv(people))
    matching = running.database("matching")
    end_to_end(er, officer, matching, numbers, 100)
    until("at rest", lambda: evidence.is_at_rest(running), within_s=120)
    load, before = round(os.getloadavg()[0], 1), _cpu_s(running)
    rates = [end_to_end(er, officer, matching, numbers, REFERRALS) for _ in range(RUNS)]
    until("at rest", lambda: evidence.is_at_rest(running), within_s=120)
    used = _cpu_s(running) - before
    return {
        "replicas": replicas,
        "offered_per_s": round(max(offered for offered, _ in rates), 1),
        "audited_per_s": round(max(audited for _, audited in rates), 1),
        "cpu_ms": round(used / REFERRALS / RUNS * 1e3, 1),
        "memory_mb": round(_memory_mb(running)),
        "load": load,
    }


def _processes(running: Running) -> Iterator[psutil.Process]:
    """Every process of the system, with its children."""
    for name in children.recorded(running.place.run):
        if child := children.recall(running.place.run, name):
            process = psutil.Process(child.pid)
            yield from (process, *process.children(recursive=True))


def _cpu_s(running: Running) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in _processes(running))


def _memory_mb(running: Running) -> float:
    return sum(one.memory_info().rss for one in _processes(running)) / 1e6


if __name__ == "__main__":
    main()
