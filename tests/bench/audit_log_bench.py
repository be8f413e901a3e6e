"""The log by size: proofs, the fast check and an export's verification, and how long a checkpoint takes.

`make bench B=audit_log_bench` prints JSON; SIZES (default 10000,1000000) may name 10000000 where there is half a
gigabyte to spare for its tiles. The trees of these sizes are made of synthetic leaves of an entry's length.
pymerkle and PostgreSQL are measured beside it where they are installed (`beside.py`), and named as absent where not.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chassis import mongo
from chassis.envelope import Cause
from chassis.identity import Caller
from cli.local import keys
from services.audit import bootstrap, handlers
from services.audit.custody import deeds
from services.audit.domain.entry import Head
from services.audit.handlers import Search
from services.audit.offline.export import Export
from services.audit.store.entries import Store
from services.audit.tlog.checkpoints import Checkpoint, sign_checkpoint
from services.audit.tlog.merkle import leaf_hash
from services.audit.tlog.notes import NoteSigner
from services.audit.tlog.tiles import TILE_WIDTH, Edge
from tests.audit_builders import a_room, a_witness, some_reads
from tests.bench import beside

_LEAF_BYTES = 230
_WITH_BUNDLES_UP_TO = 1_000_000
_STEP = TILE_WIDTH * 256
OFFICER = Caller("officer-3", "compliance", "kindred", "HCOMPL")
CAUSE = Cause("cor_bench")


@contextmanager
def a_log(name: str) -> Iterator[Any]:
    """A witnessed room on a database of its own."""
    client = mongo.connect(os.environ["MONGO_URI"])
    folder = Path(tempfile.mkdtemp())
    try:
        with a_witness(keys.create(folder)):
            yield a_room(client[name], folder, os.environ["MONGO_URI"])
    finally:
        for suffix in ("", "_keys"):
            client.drop_database(name + suffix)
        client.close()
        shutil.rmtree(folder, ignore_errors=True)


def _synthetic(room: Any, size: int) -> dict[str, float]:
    """A log of this size with tiles (and bundles, where they fit) and a signed head; how fast it was made."""
    store: Store = room.store
    edge = Edge()
    started = time.process_time()
    for at in range(0, size, _STEP):
        leaves = [b"%0230d" % number for number in range(at, min(at + _STEP, size))]
        edge, tiles = edge.grow([leaf_hash(leaf) for leaf in leaves])
        bundles = {}
        if size <= _WITH_BUNDLES_UP_TO:
            whole = len(leaves) // TILE_WIDTH
            bundles = {
                at // TILE_WIDTH + n: leaves[n * TILE_WIDTH : (n + 1) * TILE_WIDTH] for n in range(whole)
            }
        _write(store, tiles, bundles)
    seconds = time.process_time() - started
    key = NoteSigner.from_pem(
        room.settings.audit_origin, (room.settings.keys_dir / "audit.signer.pem").read_bytes()
    )
    checkpoint = Checkpoint(room.settings.audit_origin, size, edge.root())
    store.begin(Head(size, edge.root(), sign_checkpoint(checkpoint, key)), "2026Q4")
    tail = size % TILE_WIDTH
    store.entries.insert_many(
        [{"_id": number, "leaf": b"%0230d" % number} for number in range(size - tail, size)] or [{"_id": -1}]
    )
    return {"grown_per_cpu_s": round(size / seconds)}


def _write(store: Store, tiles: Any, bundles: Any) -> None:
    full = [tile for tile in tiles if tile.place.is_full]
    partial = [tile for tile in tiles if not tile.place.is_full]
    for at in range(0, len(full), 500):
        store.write_tiles(full[at : at + 500], {})
    store.write_tiles(partial, {})
    numbers = sorted(bundles)
    for at in range(0, len(numbers), 100):
        store.write_tiles([], {number: bundles[number] for number in numbers[at : at + 100]})


def by_size(size: int) -> dict[str, float]:
    """Milliseconds of a proof (median, 95th percentile) and entries a second of the fast check."""
    with a_log(f"kindred_bench_{secrets.token_hex(4)}") as room:
        found = _synthetic(room, size)
        took = []
        cpu = time.process_time()
        for _ in range(200):
            index = secrets.randbelow(size)
            started = time.perf_counter()
            handlers.prove_inclusion(room, index, 0)
            took.append((time.perf_counter() - started) * 1_000)
        found["proof_cpu_ms"] = round((time.process_time() - cpu) * 1_000 / len(took), 2)
        took.sort()
        found |= {"proof_ms_p50": round(took[100], 2), "proof_ms_p95": round(took[190], 2)}
        if size <= _WITH_BUNDLES_UP_TO:
            seconds, cpu = _timed(lambda: room.inspection.check(with_bodies=False))
            found |= {"fsck_tree_per_s": round(size / seconds), "fsck_tree_per_cpu_s": round(size / cpu)}
        return found


def real_log(size: int) -> dict[str, float]:
    """A real log of this size: full check, export and its verification, bytes of each part."""
    with a_log(f"kindred_bench_{secrets.token_hex(4)}") as room:
        publisher = bootstrap.publisher(room)
        for at in range(0, size, 2_000):
            handlers.record(room, some_reads(2_000, first=at + 1))
        publisher.turn()
        seconds, _ = _timed(room.inspection.check)
        found = {"fsck_full_per_s": round(size / seconds)}
        path = room.settings.keys_dir / "export.zip"

        def export() -> None:
            pieces = deeds.export(room, Search(), (0, 0), (), caller=OFFICER, cause=CAUSE)
            path.write_bytes(b"".join(pieces))

        found["export_s"] = round(_timed(export)[0], 2)
        found["offline_verification_s"] = round(_timed(lambda: Export(path))[0], 2)
        found["export_bytes_per_entry"] = round(path.stat().st_size / size)
        for name in ("entries", "rows", "tiles"):
            stats = room.database.command("collStats", name)
            found[f"{name}_bytes"] = round((stats["storageSize"] + stats["totalIndexSize"]) / size)
        return found


def to_checkpoint(number: int) -> dict[str, float]:
    """Seconds from recording an event to the cosigned checkpoint over it, signer and witness over HTTP."""
    with a_log(f"kindred_bench_{secrets.token_hex(4)}") as room:
        publisher = bootstrap.publisher(room)
        thread = threading.Thread(target=publisher.run, daemon=True)
        thread.start()
        took = []
        for each in range(number):
            started = time.perf_counter()
            handlers.record(room, some_reads(1, first=each + 1))
            while not (cosigned := room.store.cosigned()) or cosigned[0].size <= each:
                time.sleep(0.01)
            took.append(time.perf_counter() - started)
            time.sleep(0.3 * secrets.randbelow(100) / 100)
        publisher.stop()
        thread.join(5)
        took.sort()
        return {
            "to_checkpoint_s_p50": round(statistics.median(took), 2),
            "to_checkpoint_s_p95": round(took[int(len(took) * 0.95)], 2),
        }


def others() -> dict[str, Any]:
    """What others do on this machine in this run."""
    return {"pymerkle": beside.pymerkle(20_000, _LEAF_BYTES), "postgresql": beside.postgresql(20_000, 550)}


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, max(time.process_time() - cpu, 1e-9)


def main() -> None:
    """Prints one JSON object."""
    sizes = [int(size) for size in os.environ.get("SIZES", "10000,1000000").split(",")]
    report: dict[str, Any] = {"load": os.getloadavg()[0], "sizes": {size: by_size(size) for size in sizes}}
    report |= {"real_10000": real_log(10_000), **to_checkpoint(40), "beside": others()}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
