"""Ten times what the system carries, for minutes: `make overload` (OVERLOAD_SECONDS=60, OVERLOAD_TIMES=10).

First it measures what the system carries.  Then a crowd of four hospitals sends many times that, over gRPC and FHIR, and
waits for nobody, while a probe in a process of its own asks ten times a second.  Told: what was taken and what refused,
how quickly, by urgency; the memory of every process and what waited where, each second; how long until a submit was
answered as before, and until no more waited than before.  Then the checker judges; what was refused must not be there.
Ends with 1 where a set is not empty, an answer was none of ours, or the system did not come back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from cli.local.place import Place
from tests.bench.system_bench import Numbers, end_to_end, memory_mb
from tests.driving import Running, until
from tests.faults import evidence
from tests.faults.flood import TOO_MUCH, Plan
from tests.faults.ground import Cell, begin_cell, open_ground
from tests.faults.journal import REFUSED, SUBMIT, TOLD, UNKNOWN, Line
from tests.faults.table import lines_of_cells

SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "60"))
TIMES = float(os.environ.get("OVERLOAD_TIMES", "10"))
HOSPITALS = ("er-st-brigid", "er-hallorans-bridge", "er-lakelight", "er-genesee-lamp")
PROBES_A_S, BEFORE_S, AFTER_S = 10.0, 8.0, 60.0
FHIR_SHARE = 0.1
DRAINED_WITHIN_S = 600.0
# A caller whose time ran out, or whom nobody let in, knows that it does not know.
_HONEST = {"OK", "200", "201", "504", *TOO_MUCH, "DEADLINE_EXCEEDED", "UNAVAILABLE"}
_HONEST |= {"TimeoutError", "ConnectionResetError", "ConnectionRefusedError", "IncompleteReadError"}
_ALIKE = 10  # so many submits in a row are answered as before


def main() -> int:
    """0 where nothing was lost, everybody was answered honestly, and the system came back."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it has started ends with it
    with tempfile.TemporaryDirectory(prefix="kindred-overload-") as folder:
        running = Running(
            Place(Path(folder) / "var"), {"KINDRED_WAVE_SECONDS": "3600,3600", "KINDRED_LOG_LEVEL": "warning"}
        )
        try:
            ground = open_ground(running, Path(folder), specialists=500)
            cell = begin_cell(ground, "F-05", is_tapped=False)
            try:
                return _overloaded(cell, Path(folder))
            finally:
                cell.close()
        finally:
            running.stop()


def _overloaded(cell: Cell, folder: Path) -> int:
    carried = _carried(cell)
    cell.since = evidence.numbers_now(cell.running)
    print(f"carries {carried:.0f} referrals/s; {TIMES:g} times that for {SECONDS:g} s", flush=True)
    probe = _plan(cell, folder, "probe", PROBES_A_S, BEFORE_S + SECONDS * 1.2 + AFTER_S)
    flood = _plan(cell, folder, "flood", carried * TIMES, SECONDS)
    watched = Watched(cell.running)
    with crowd(flood) as flooding, crowd(probe) as probing:
        probing.begin()
        usual = max(watched.look() for _ in range(int(BEFORE_S)))
        cell.broke("intake-api", f"{TIMES:g} times the load")
        begun = time.time()
        flooding.begin()
        while flooding.is_calling():
            watched.look()
        ended = time.time()
        rest_s: float | None = None
        while probing.is_calling():
            if watched.look() <= usual and rest_s is None:
                rest_s = round(time.time() - ended, 1)
    probes, floods = (_answers(cell, plan) for plan in (probe, flood))
    before = [line for line in probes if line.at < begun][_ALIKE:]
    after = [line for line in probes if line.at > ended]
    tell("probe before", before)
    tell("probe during", [line for line in probes if begun < line.at < ended])
    tell("probe after", after)
    for urgency in ("immediate", "routine"):
        tell(f"crowd, {urgency}", [line for line in floods if line.facts["urgency"] == urgency])
    taken = sum(1 for line in floods if line.outcome == TOLD)
    cell.notes |= {
        "carried /s": round(carried),
        "sent /s": round(len(floods) / (ended - begun)),
        "taken /s": round(taken / (ended - begun)),
        "answered as before s": back_s(before, after, ended),
        "no more waits than before s": rest_s,
    }
    print("\n".join(watched.lines()), flush=True)
    return _judged(cell, floods, [*probes, *floods])


def _judged(cell: Cell, floods: list[Line], answers: list[Line]) -> int:
    verdict = cell.conclude(DRAINED_WITHIN_S)
    _tell_offers(cell, floods)
    strange = Counter(line.facts["code"] for line in answers if line.facts["code"] not in _HONEST)
    # Whoever was refused was not taken; of those who do not know some were.
    silent = _stored(cell) - len(cell.journal.acknowledged())
    unknown = len(cell.journal.lines(SUBMIT, UNKNOWN))
    cell.notes |= {"stored untold": f"{silent} of {unknown} unknown", "strange answers": dict(strange)}
    print("\n".join(lines_of_cells([cell.row()])))
    is_back = None not in (cell.notes["answered as before s"], cell.notes["no more waits than before s"])
    return 0 if verdict.is_clean and is_back and not strange and silent <= unknown else 1


def _carried(cell: Cell) -> float:
    """Referrals a second whose offers are out, of 400 from 32 clients; the first 400 warm everything."""
    matching, numbers = cell.running.database("matching"), Numbers()
    rates = [end_to_end(cell.clients.er, cell.ground.officer, matching, numbers, 400) for _ in range(2)]
    until("at rest", lambda: evidence.is_at_rest(cell.running), within_s=120)
    return rates[-1][0]


def _plan(cell: Cell, folder: Path, kind: str, rate: float, seconds: float) -> Plan:
    known = cell.running.known
    is_crowd = kind == "flood"
    return Plan(
        grpc=known.grpc["intake"],
        http=known.http["intake"],
        keys=known.keys_dir,
        tokens={one: cell.running.token("nurse", f"nurse-{kind}", one) for one in HOSPITALS},
        name=f"{cell.clients.name}-{kind}",
        journal=str(folder / f"{kind}.journal.log"),
        rate=rate,
        seconds=seconds,
        fhir_share=FHIR_SHARE if is_crowd else 0.0,
        immediate_share=0.2 if is_crowd else 1.0,
    )


class Crowd:
    """The calls of a plan, made and waiting in a process of their own until they may begin."""

    def __init__(self, plan: Plan) -> None:
        argv = [sys.executable, "-m", "tests.faults.flood"]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        self._says = self._process.stdin
        self._says.write(json.dumps(asdict(plan)) + "\n")
        self._says.flush()

    def begin(self) -> None:
        """The first call leaves, as soon as all are made."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline()
        self._says.write("begin\n")
        self._says.flush()

    def is_calling(self) -> bool:
        """Some are still to come, or to be answered."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Nobody calls any more."""
        self._process.terminate()
        self._process.communicate()


@contextmanager
def crowd(plan: Plan) -> Iterator[Crowd]:
    """The crowd of the plan, gone after the block."""
    made = Crowd(plan)
    try:
        yield made
    finally:
        made.stop()


def _answers(cell: Cell, plan: Plan) -> list[Line]:
    """How each call of the plan ended; from now on the cell's journal knows them."""
    known = len(cell.journal.lines(SUBMIT))
    cell.journal.take_in(Path(plan.journal))
    return [line for line in cell.journal.lines(SUBMIT)[known:] if "took_ms" in line.facts]


class Watched:
    """Memory of every process, what waits in each inbox and in all outboxes: first, and at most."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.first = self.most = memory_mb(running)
        self.deepest: Counter[str] = Counter()

    def look(self) -> int:
        """One more look, a second after the last; how much waits now in all inboxes and outboxes."""
        time.sleep(1.0)
        now = memory_mb(self.running)
        self.most = {name: max(mb, self.most[name]) for name, mb in now.items()}
        seen = {f"{name}.inbox": depth for name, depth in evidence.depths(self.running).items()}
        seen["unsaid"] = evidence.unsaid(self.running)
        for name, depth in seen.items():
            self.deepest[name] = max(self.deepest[name], depth)
        return sum(seen.values())

    def lines(self) -> Iterator[str]:
        """A line of what waited, and one for each process."""
        yield "waited at most: " + ", ".join(f"{name} {count}" for name, count in self.deepest.items())
        for name, most in self.most.items():
            yield f"{name:22} {self.first[name]:6.0f} MB, at most {most:6.0f} MB"


def tell(name: str, answers: list[Line]) -> None:
    """How many were told, refused and left in doubt, and how long that took."""
    print(f"{name}: {len(answers)}")
    for outcome in (TOLD, REFUSED, UNKNOWN):
        mine = [line for line in answers if line.outcome == outcome]
        took = sorted(float(line.facts["took_ms"]) for line in mine)
        codes = Counter(f"{line.facts['door']} {line.facts['code']}" for line in mine)
        if mine:
            shown = " ".join(f"p{share} {took[(len(took) - 1) * share // 100]:.0f}" for share in (50, 95, 99))
            print(f"    {outcome:8}{len(mine):7}  ms {shown}  {dict(codes)}", flush=True)


def back_s(before: list[Line], after: list[Line], since: float) -> float | None:
    """Seconds until so many probes in a row were told within twice what the slowest took before; None if never."""
    limit_ms = 2 * max(float(line.facts["took_ms"]) for line in before)
    well = [line.outcome == TOLD and float(line.facts["took_ms"]) <= limit_ms for line in after]
    for at in range(len(well) - _ALIKE):
        if all(well[at : at + _ALIKE]):
            return round(after[at].at - since, 1)
    return None


def _tell_offers(cell: Cell, floods: list[Line]) -> None:
    """Seconds from a submit's answer to its offers, by urgency."""
    opened = {
        row["_id"]: row["opened_at"].timestamp()
        for row in cell.running.database("matching").cases.find({}, {"opened_at": 1})
    }
    for urgency in ("immediate", "routine"):
        mine = [line for line in floods if line.outcome == TOLD and line.facts["urgency"] == urgency]
        waits = sorted(opened[line.facts["referral"]] - line.at for line in mine)
        if waits:
            shown = " ".join(
                f"p{share} {waits[(len(waits) - 1) * share // 100]:.2f}" for share in (50, 99, 100)
            )
            print(f"answer to offers, {urgency}: s {shown}")


def _stored(cell: Cell) -> int:
    query = {"seq": {"$gt": cell.since["intake"]}, "type": "referral.submitted.v1"}
    return int(cell.running.database("intake").outbox.count_documents(query))


if __name__ == "__main__":
    sys.exit(main())
