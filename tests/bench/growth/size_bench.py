"""What a referral costs beside many that are stored: `make bench B=growth.size_bench` (SIZES=1000,10000,100000).

A few referrals go all the way to their end; what they left in intake, matching and notifications, but for events that
are forgotten after a month, is copied until so many are there (`synthetic.py`).  At each size 200 more are taken: CPU of
every part, time of a submit, time of what a hospital asks.  The audit log has a figure of its own (`audit_growth.py`).
A million referrals take 26 GiB and as long as it takes to write them.
Prints the figures as JSON, a line for each size, which `growth.drawn` keeps.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import httpx

from tests.bench import strangers
from tests.bench.growth.synthetic import Mold, copied, is_its_own
from tests.bench.system_bench import Numbers, cpu_s
from tests.bench.whole_system import a_whole_system
from tests.driving import Er, Roster, Running, a_specialist, a_supervisor, at_once, roster_csv, until
from tests.faults import evidence

SIZES = [int(one) for one in os.environ.get("SIZES", "1000,10000,100000").split(",")]
MOLDS = 20
REFERRALS = 200
SERVICES = ("intake", "matching", "notifications")
# Forgotten after a month, or as large as the roster: they do not grow with what is stored.
NOT_COPIED = frozenset({"outbox", "specialists", "caseloads", "inbox", "handled"})


def main() -> None:
    """Measures and prints."""
    with a_whole_system() as running:
        grown(running)


def grown(running: Running) -> None:
    """A line for each size."""
    roster, er, numbers = Roster(running), Er(running), Numbers()
    people = [a_supervisor(), *(a_specialist(f"spec-{n:04}", capacity="50") for n in range(300))]
    roster.load(roster_csv(people))
    molds, each = _molds(running, er, roster, numbers)
    stored = MOLDS
    for size in SIZES:
        began = time.monotonic()
        _fill(running, molds, stored, size)
        filled_s, stored = time.monotonic() - began, size
        told = _asked(running, er, numbers)
        told |= {"referrals": size, "filled_s": round(filled_s), "load": round(os.getloadavg()[0], 1)}
        told["documents"] = round(each, 1)
        told["gib"] = round(sum(_bytes(running, name) for name in SERVICES) / 2**30, 2)
        print(json.dumps({"size": told}), flush=True)
        stored += REFERRALS + 20


def _molds(
    running: Running, er: Er, roster: Roster, numbers: Numbers
) -> tuple[dict[tuple[str, str], list[Mold]], float]:
    """What the referrals left that went all the way, by collection, and how many documents each left."""
    until("the roster is known everywhere", lambda: evidence.is_at_rest(running), within_s=120)
    time.sleep(3)
    before = {name: _ids(running, name) for name in SERVICES}
    for number in numbers.take(MOLDS):
        referral_id = er.submit(strangers.referral(number)).referral_id
        offer = until("offers", lambda one=referral_id: roster.open_offers(one))[0]
        roster.accept(offer)
        roster.record_handoff(offer.specialist_id, referral_id)
        roster.complete(offer.specialist_id, referral_id, "engaged")
    until("at rest", lambda: evidence.is_at_rest(running), within_s=120)
    found: dict[tuple[str, str], list[Mold]] = {}
    for service in SERVICES:
        database = running.database(service)
        for name, known in before[service].items():
            new = [row for row in database[name].find() if str(row["_id"]) not in known]
            left = [row for row in new if is_its_own(row["_id"])]
            if name not in NOT_COPIED and len(left) >= MOLDS:
                found[service, name] = [Mold(row) for row in left]
    return found, sum(map(len, found.values())) / MOLDS


def _ids(running: Running, service: str) -> dict[str, set[str]]:
    database = running.database(service)
    kept = database.list_collection_names(filter={"type": "collection"})  # others are views of the same
    names = [name for name in kept if not name.startswith("system.")]
    return {name: {str(row["_id"]) for row in database[name].find({}, {"_id": 1})} for name in names}


def _fill(running: Running, molds: dict[tuple[str, str], list[Mold]], stored: int, size: int) -> None:
    """As many are stored; each number is a copy of all molds, so `size` is reached in steps of as many."""
    first, last = stored // MOLDS + 1, size // MOLDS
    at_once(
        lambda one: copied(running.database(one[0])[one[1]], molds[one], first, last - first + 1),
        sorted(molds),
        threads=2,
    )


def _asked(running: Running, er: Er, numbers: Numbers) -> dict[str, Any]:
    at_once(er.submit, [strangers.referral(number) for number in numbers.take(20)], threads=4)
    until("at rest", lambda: evidence.is_at_rest(running), within_s=300)
    running.database("intake").client.admin.command("fsync")
    time.sleep(3)
    before, took = cpu_s(running), []

    def submit(request: Any) -> None:
        began = time.perf_counter()
        er.submit(request)
        took.append((time.perf_counter() - began) * 1e3)

    at_once(submit, [strangers.referral(number) for number in numbers.take(REFERRALS)], threads=4)
    until("at rest", lambda: evidence.is_at_rest(running), within_s=300)
    used = {name: (now - before[name]) / REFERRALS * 1e3 for name, now in cpu_s(running).items()}
    took.sort()
    return {
        "cpu_ms": {name: round(ms, 2) for name, ms in used.items()},
        "cpu_ms_all": round(sum(used.values()), 1),
        "submit_ms_p50": round(took[len(took) // 2], 1),
        "submit_ms_p99": round(took[int(len(took) * 0.99)], 1),
        "tasks_ms": _tasks_ms(running, er),
    }


def _tasks_ms(running: Running, er: Er) -> float:
    """The middle of 20 times that the hospital asked for its newest twenty."""
    sent = {"Authorization": f"Bearer {er.token}", "X-Purpose-Of-Use": "TREAT"}
    url = f"http://{running.known.http['intake']}/fhir/Task?_count=20"
    times = []
    with httpx.Client(headers=sent, timeout=60) as client:
        for _ in range(20):
            began = time.perf_counter()
            client.get(url).raise_for_status()
            times.append((time.perf_counter() - began) * 1e3)
    return round(sorted(times)[len(times) // 2], 1)


def _bytes(running: Running, service: str) -> float:
    told = running.database(service).command("dbStats")
    return float(told["storageSize"] + told["indexSize"])


if __name__ == "__main__":
    main()
