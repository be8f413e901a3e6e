"""How fast the log is written and checked, beside a bare insert_many of documents of the same size.

PYTHONPATH=.:gen MONGO_URI=... python tests/bench/audit_bench.py [rounds]
Beside it also pymerkle over SQLite and a table in PostgreSQL, where they are installed (`beside.py`).
Prints medians of the rounds and ratios; another run on another machine has other numbers, so trust the ratios.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from chassis import mongo
from chassis.envelope import Envelope
from services.audit import codec, handlers
from services.audit.tlog.merkle import leaf_hash
from services.audit.tlog.tiles import Edge
from tests.audit_builders import a_read, a_room, an_envelope
from tests.bench import beside

BATCH = 2_048
BATCHES = 4
TRICKLE = 40


def _per_second(number: int, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return number / (time.perf_counter() - started)


def _events(number: int, first: int) -> list[tuple[Envelope, object]]:
    messages = [a_read(peer_id=f"peer_{each % 500}", actor_id=f"nurse-{each % 40}") for each in range(number)]
    return [
        (an_envelope(message, producer_seq=first + each), message) for each, message in enumerate(messages)
    ]


def measure() -> dict[str, float]:
    """One round on a fresh database: entries or documents per second, bytes per entry, milliseconds."""
    client = mongo.connect(os.environ["MONGO_URI"])
    name = f"kindred_bench_{secrets.token_hex(4)}"
    database = client[name]
    with tempfile.TemporaryDirectory() as keys_dir:
        room = a_room(database, Path(keys_dir), os.environ["MONGO_URI"])
        room.sequencer.recover()
        total = BATCH * BATCHES
        events = _events(total, 1)

        def write() -> None:
            for at in range(0, total, BATCH):
                piece = events[at : at + BATCH]
                handlers.record(room, [codec.facts_from_event(*each) for each in piece])

        found = {"recorded_per_s": _per_second(total, write)}
        facts = [codec.facts_from_event(*each) for each in events]
        found["sealed_per_s"] = _per_second(total, lambda: room.sealer.seal(facts))
        found["duplicates_per_s"] = _per_second(BATCH, lambda: handlers.record(room, facts[:BATCH]))
        single = _events(TRICKLE, total + 1)
        started = time.perf_counter()
        for each in single:
            handlers.record(room, [codec.facts_from_event(*each)])
        found["one_at_a_time_ms"] = (time.perf_counter() - started) / TRICKLE * 1_000
        found["checked_per_s"] = _per_second(total, room.inspection.check)
        leaves = list(room.store.leaves(0, total))
        found["hashed_and_grown_per_s"] = _per_second(
            total, lambda: Edge().grow([leaf_hash(leaf) for leaf in leaves])
        )
        found["proofs_per_s"] = _per_second(
            50, lambda: [handlers.prove_inclusion(room, each * 100, 0) for each in range(50)]
        )
        sample = [room.store.entries.find_one({"_id": each}) for each in range(100)]
        found["leaf_bytes"] = statistics.mean(len(each["leaf"]) for each in sample)
        found["body_bytes"] = statistics.mean(len(each["body"]) for each in sample)
        size = int(found["leaf_bytes"] + found["body_bytes"])

        content = secrets.token_bytes(size + BATCH)

        def bare() -> None:
            for _ in range(BATCHES):
                documents = [{"content": content[at : at + size]} for at in range(BATCH)]
                database["bare"].insert_many(documents, ordered=False)

        found["bare_insert_many_per_s"] = _per_second(total, bare)
    for suffix in ("", "_keys", "_signer"):
        client.drop_database(name + suffix)
    client.close()
    return found


def main(rounds: int) -> None:
    """Medians of the rounds, as JSON, with the ratio to the bare insert."""
    runs = [measure() for _ in range(rounds)]
    medians = {key: round(statistics.median(run[key] for run in runs), 1) for key in runs[0]}
    medians["recorded_to_bare"] = round(medians["recorded_per_s"] / medians["bare_insert_many_per_s"], 3)
    found: dict[str, object] = {"rounds": rounds, "load": round(os.getloadavg()[0], 1), **medians}
    size = int(medians["leaf_bytes"] + medians["body_bytes"])
    found |= {"pymerkle": beside.pymerkle(20_000, size), "postgresql": beside.postgresql(20_000, size)}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
