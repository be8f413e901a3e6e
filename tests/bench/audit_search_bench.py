"""How long the ten commonest questions to the log take at several sizes, each with its audit write, opening and proofs.

make bench B=audit_search_bench                  (100,000 entries, in memory, forgotten afterwards)
KEPT=<folder> SIZES=100000,1000000,10000000 make bench B=audit_search_bench
    (fills what is not there yet, half an hour and 20 GB of that folder; measures; the next time it only measures)
Prints, for each size, p50 and p95 in milliseconds of each question, beside a bare indexed find of as many documents in
the same run; how long after its commit an entry is found; and what each collection weighs an entry as it is stored.
Entries are made by the real sealer and stored as the sequencer stores them, to REAL of them (a million); above that see
`audit_filling`.  The machine's load is printed, because other work on it shows in every figure.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from chassis import garbage, roles
from chassis.envelope import Cause
from chassis.identity import Caller
from kindred.access.v1.events_pb2 import AccessDenied, RecordRead
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1.events_pb2 import DisclosureMade
from kindred.matching.v1.events_pb2 import OfferMade
from services.audit.reports import running
from services.audit.search import asked, finding
from services.audit.search.follower import Follower
from tests.audit_facts import MOMENT, facts_of
from tests.audit_reading import ReadLog, a_read_log
from tests.bench.audit_filling import fill
from tests.bench.audit_kept import a_kept_log

REAL = int(os.environ.get("REAL", "1000000"))
OFFICER, CAUSE = Caller("officer-vera", "compliance", "kindred", "HCOMPL"), Cause("req_bench")
ROUNDS = 60
WARM_ROUNDS = int(os.environ.get("WARM_ROUNDS", "120"))
# Seconds between two entries: a million of them are about four months.
PACE_S = 10


def _message(chance: random.Random, people: int) -> Any:
    """Mostly reads by three hundred nurses of five hospitals; a few write much, most a little."""
    actor, person = int(chance.paretovariate(1.1)) % 300, chance.randrange(people)
    who = Provenance(
        actor_id=f"nurse-{actor}",
        actor_role="nurse",
        organization_id=f"er-{actor % 5}",
        purpose_of_use=chance.choices(("TREAT", "COC", "BTG"), (80, 19, 0.1))[0],
        peer_id=f"peer_{person}",
    )
    kind = chance.random()
    if kind < 0.55:
        return RecordRead(
            provenance=who, record_type="Referral", record_id=f"ref_{person}", action="read",
            referral_id=f"ref_{person}",
        )  # fmt: skip
    if kind < 0.65:
        who.peer_id = ""
        return RecordRead(provenance=who, record_type="Referral", action="search", criteria=["state"])
    if kind < 0.67:
        who.peer_id = ""
        return AccessDenied(
            provenance=who, record_type="Referral", record_id=f"ref_{person}", action="read",
            reason_code="not-your-referral",
        )  # fmt: skip
    if kind < 0.75:
        return DisclosureMade(
            provenance=who, referral_id=f"ref_{person}", consent_id=f"con_{person}", consent_version=1,
            recipient_id=f"sp-{person % 500}", recipient_class="peer-support-specialist",
        )  # fmt: skip
    system = Provenance(actor_id="system:matching", actor_role="system", peer_id=f"peer_{person}")
    return OfferMade(
        provenance=system, offer_id=f"off_{chance.getrandbits(40):x}", referral_id=f"ref_{person}",
        specialist_id=f"sp-{person % 500}", wave=1,
    )  # fmt: skip


def _facts(chance: random.Random, people: int) -> Callable[[int], Any]:
    """What the entry of this number says."""
    return lambda number: _fact(chance, people, number)


def _fact(chance: random.Random, people: int, number: int) -> Any:
    """Its id and time come of its number, so that a kept log can be added to by another process."""
    after = timedelta(seconds=PACE_S * number)
    return facts_of(_message(chance, people), event_id=f"evt_{number:032x}", after=after)


def _people(size: int) -> int:
    """How many people a log of this size is about."""
    return max(1_000, min(size, REAL) // 12)


def _questions(size: int, chance: random.Random) -> dict[str, Callable[[], Any]]:
    """The ten commonest, each asked about somebody or something else every time."""
    people = _people(size)
    end = MOMENT + timedelta(seconds=PACE_S * size)

    def person() -> str:
        return f"peer_{chance.randrange(people)}"

    def nurse() -> str:
        return f"nurse-{chance.randrange(1, 40)}"

    def day() -> str:
        return (end - timedelta(days=chance.uniform(0, PACE_S * size / 86_400))).date().isoformat()

    return {
        "who saw this person": lambda: f"patient={person()}&_count=50",
        "reads of this person": lambda: f"patient={person()}&event-type=record.read.v1&_count=50",
        "what did this user do": lambda: f"agent={nurse()}&_count=50",
        "this user and this person": lambda: f"agent={nurse()}&patient={person()}&_count=50",
        "this user on this day": lambda: f"agent={nurse()}&date={day()}&_count=50",
        "denied lately": lambda: "outcome=8&_count=50",
        "denied to this user": lambda: f"agent={nurse()}&outcome=8&_count=50",
        "broken glass": lambda: "purpose=BTG&_count=50",
        "everything about a referral": lambda: f"entity=ref_{chance.randrange(people)}&_count=50",
        "disclosures of a day": lambda: f"event-type=disclosure.made.v1&date={day()}&_count=50",
    }


def _timed(rounds: int, once: Callable[[], int]) -> dict[str, float]:
    """Milliseconds at p50 and p95, our own processor time on average, and hits on average."""
    times, hits, busy = [], 0, time.process_time()
    for _ in range(rounds):
        started = time.perf_counter()
        hits += once()
        times.append((time.perf_counter() - started) * 1_000)
    busy = time.process_time() - busy
    times.sort()
    return {
        "p50_ms": round(statistics.median(times), 1),
        "p95_ms": round(times[int(len(times) * 0.95) - 1], 1),
        "cpu_ms": round(busy / rounds * 1_000, 1),
        "hits": round(hits / rounds, 1),
    }


def _searcher(log: ReadLog, query: Callable[[], str]) -> Callable[[], int]:
    def once() -> int:
        given = [tuple(pair.split("=", 1)) for pair in query().split("&")]
        wanted = asked.read(given, log.room.clock.now())
        return len(finding.search(log.room, wanted, OFFICER, CAUSE).hits)

    return once


def _prove(log: ReadLog, query: str) -> None:
    """What is measured is what it claims to be: every hit's proof leads to the root."""
    given = [tuple(pair.split("=", 1)) for pair in query.split("&")]
    page = finding.search(log.room, asked.read(given, log.room.clock.now()), OFFICER, CAUSE)
    assert all(page.proofs[hit.number].shows(hit.leaf) for hit in page.hits), query


def _bare(log: ReadLog, size: int, chance: random.Random) -> Callable[[], int]:
    """The raw limit: fifty entries by their numbers, nothing opened, proven or noted."""

    def once() -> int:
        numbers = [chance.randrange(size) for _ in range(50)]
        return len(list(log.room.store.entries.find({"_id": {"$in": numbers}})))

    return once


def _found_after(log: ReadLog) -> dict[str, float]:
    """Milliseconds from commit to being found: by a search that begins then, and in the index by itself."""
    follower = Follower(log.room)
    searched, followed = [], []
    for each in range(40):
        is_followed = bool(each % 2)
        if each == 1:
            threading.Thread(target=follower.run, daemon=True).start()
        facts = _fact(random.Random(each), 1_000, log.edge.size)
        number = log.record([facts]) - 1
        started = time.perf_counter()
        if is_followed:
            while log.room.finds.reached() <= number:
                time.sleep(0.005)
        else:
            wanted = asked.read([("_id", facts.event_id.replace("_", "-"))], log.room.clock.now())
            assert finding.search(log.room, wanted, OFFICER, CAUSE).hits
        (followed if is_followed else searched).append((time.perf_counter() - started) * 1_000)
    follower.stop()
    return {
        "by_a_search_ms_p50": round(statistics.median(searched), 1),
        "by_itself_ms_p50": round(statistics.median(followed), 1),
        "by_itself_ms_max": round(max(followed), 1),
    }


def _weights(log: ReadLog, size: int) -> dict[str, int]:
    """Bytes an entry takes in each collection, as MongoDB stores it, indexes included."""
    log.room.database.client.admin.command("fsync")
    found = {}
    for name in ("entries", "rows", "tiles", "finds"):
        stats = log.room.database.command("collStats", name)
        found[name] = round((stats["storageSize"] + stats["totalIndexSize"]) / size)
    return found


def measure(log: ReadLog, size: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Every question at this size, asked as often about others before: what is measured is a log that is in use."""
    for query in _questions(size, random.Random(-size)).values():
        _timed(WARM_ROUNDS, _searcher(log, query))
    chance = random.Random(size)
    for name, query in _questions(size, chance).items():
        once = _searcher(log, query)
        _prove(log, query())
        once()
        yield name, _timed(ROUNDS, once)
    yield "bare find of 50 entries", _timed(ROUNDS, _bare(log, size, chance))
    since = MOMENT + timedelta(seconds=PACE_S * max(0, size - 8_640))
    given = {"from": since.isoformat(), "until": (since + timedelta(days=2)).isoformat()}
    started = time.perf_counter()
    result = running.run(log.room, "no-relationship", given, OFFICER, CAUSE)
    seconds = time.perf_counter() - started
    yield "report no-relationship, one day", {"s": round(seconds, 2), "rows": len(result.rows)}


def told(log: ReadLog, size: int) -> dict[str, Any]:
    """The log has this many entries, and this is what was measured of it, in a process that is set up as an `api` is."""
    roles.take_short_turns()
    garbage.look_seldom()
    per_second = fill(log, size, _facts(random.Random(size), _people(size)), PACE_S, REAL)
    found = {
        "entries": size,
        "load": round(os.getloadavg()[0], 1),
        "indexed_per_s": round(per_second),
        "bytes_per_entry": _weights(log, size),
        "questions": dict(measure(log, size)),
        "found_after": _found_after(log),
    }
    worst = max(each["p95_ms"] for each in found["questions"].values() if "p95_ms" in each)
    return found | {"worst_p95_ms": worst}


def main(sizes: list[int]) -> None:
    """Each size on top of the one before in one database, or each in a kept one."""
    if kept := os.environ.get("KEPT"):
        for size in sizes:
            with a_kept_log(Path(kept).resolve(), size) as log:
                print(json.dumps(told(log, size), indent=1), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder, a_read_log(os.environ["MONGO_URI"], Path(folder)) as log:
        for size in sizes:
            print(json.dumps(told(log, size), indent=1), flush=True)


if __name__ == "__main__":
    main([int(each) for each in os.environ.get("SIZES", "100000").split(",")])
