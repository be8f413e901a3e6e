"""A listener is dead for an hour's worth of events: `make backlog` (BACKLOG_REFERRALS=600, LISTENERS=matching,audit).

For each listener: its worker is killed, so many referrals are submitted as quickly as the system takes them, and its
inbox holds what it did not hear.  Others are looked at meanwhile: the time from a submit to its answer and to its
offers, beside the same with everybody alive.  Then the worker is started and its inbox drains, at a rate that is told;
the checker judges the whole.  The busiest hour of the whole country, with a twentieth of all visits referred, is 2,660
referrals (`make capacity`): BACKLOG_REFERRALS=2660.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from cli.local.place import Place
from tests.bench import strangers
from tests.driving import Running, at_once, until
from tests.faults import evidence
from tests.faults.ground import Cell, begin_cell, open_ground
from tests.faults.journal import SUBMIT, TOLD, TRIED
from tests.faults.table import COUNTED, lines_of_cells

REFERRALS = int(os.environ.get("BACKLOG_REFERRALS", "600"))
LISTENERS = os.environ.get("LISTENERS", "notifications,audit,matching").split(",")
DRAINED_WITHIN_S = 600.0
PROBED, PROBES_A_S = 60, 10.0


def main() -> int:
    """0 where nothing was lost and every inbox was drained."""
    rows = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it has started ends with it
    with tempfile.TemporaryDirectory(prefix="kindred-backlog-") as folder:
        running = Running(
            Place(Path(folder) / "var"), {"KINDRED_WAVE_SECONDS": "3600,3600", "KINDRED_LOG_LEVEL": "warning"}
        )
        try:
            ground = open_ground(running, Path(folder), specialists=500)
            for listener in LISTENERS:
                cell = begin_cell(ground, "F-18", is_tapped=False)
                try:
                    _dead(cell, listener)
                finally:
                    cell.close()
                    rows.append(cell.row())
        finally:
            running.stop()
    print("\n".join(lines_of_cells(rows)))
    return 0 if all(not row.get(name, 1) for row in rows for name in COUNTED) else 1


def _dead(cell: Cell, listener: str) -> None:
    """The listener dies, the others work on, and it hears everything in the end."""
    alive = _probed(cell, "alive")
    cell.kill(f"{listener}-worker")
    submitted, began = REFERRALS - PROBED, time.monotonic()
    at_once(lambda number: _submit(cell, f"much-{number}"), list(range(submitted)), threads=16)
    cell.notes["submitted /s"] = round(submitted / (time.monotonic() - began))
    # What was sent so quickly is behind them: what is left is the dead one's backlog alone.
    until("the others are at rest", lambda: _others_rest(cell.running, listener), within_s=DRAINED_WITHIN_S)
    dead = _probed(cell, "dead", is_offered=listener != "matching")
    cell.notes |= {f"{name} p50 ms, alive and dead": f"{alive[name]:.0f} {dead[name]:.0f}" for name in dead}
    until("the others are at rest", lambda: _others_rest(cell.running, listener), within_s=DRAINED_WITHIN_S)
    deep = evidence.depths(cell.running)[listener]
    began = time.monotonic()
    cell.ground.up()
    cell.notes["up s"] = round(time.monotonic() - began, 1)
    until("drained", lambda: not evidence.depths(cell.running)[listener], within_s=DRAINED_WITHIN_S)
    took = time.monotonic() - began
    cell.notes |= {"of": listener, "waited": deep, "drained /s": round(deep / took)}
    cell.conclude(DRAINED_WITHIN_S)
    print(f"{listener}: {cell.notes}", flush=True)


def _submit(cell: Cell, name: str) -> tuple[str, float]:
    """The referral's id, and when it was sent."""
    request = strangers.referral(f"{cell.clients.name}-{name}")
    visit = request.visit_number
    cell.journal.write(SUBMIT, TRIED, visit=visit)
    sent = time.time()
    referral_id = cell.clients.er.submit_until_told(request)
    cell.journal.write(SUBMIT, TOLD, visit=visit, referral=referral_id)
    return referral_id, sent


def _probed(cell: Cell, name: str, *, is_offered: bool = True) -> dict[str, float]:
    """The middle of the milliseconds to the answer and to the offers, of referrals that come one after the other."""
    sent: dict[str, float] = {}
    answered = []
    for number in range(PROBED // 2):
        began = time.time()
        referral_id, sent_at = _submit(cell, f"{name}-{number}")
        sent[referral_id] = sent_at
        answered.append(time.time() - began)
        time.sleep(max(0.0, 1 / PROBES_A_S - (time.time() - began)))
    told = {"answer": sorted(answered)[len(answered) // 2] * 1e3}
    if is_offered:
        cases = cell.running.database("matching").cases
        query = {"_id": {"$in": list(sent)}}
        until("all offered", lambda: cases.count_documents(query) == len(sent), within_s=DRAINED_WITHIN_S)
        waits = sorted(row["opened_at"].timestamp() - sent[row["_id"]] for row in cases.find(query))
        told["offers"] = waits[len(waits) // 2] * 1e3
    return told


def _others_rest(running: Running, listener: str) -> bool:
    """Nothing waits to be said, and nobody but the dead one has anything to hear."""
    waiting = {name: depth for name, depth in evidence.depths(running).items() if name != listener}
    return not evidence.unsaid(running) and not any(waiting.values())


if __name__ == "__main__":
    sys.exit(main())
