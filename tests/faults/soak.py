"""A nemesis for as long as one likes: seeded faults on the running system, and how its memory and descriptors grow.

make soak                       (SOAK_MINUTES=30, FAULT_SEED)
Every round breaks one or two parts, submits, settles, and is judged as a cell of the matrix is.  Memory and open files
of each process are taken at rest; a process that was started again begins a new line.  Prints the schedule as it goes
and ends with the sums, the slopes, and 1 where a set was not empty.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from cli.local import children
from cli.local.place import Place
from tests.driving import PROCESSES, Running
from tests.faults.ground import SEED, Cell, Ground, begin_cell, open_ground, rabbitmqctl
from tests.faults.table import COUNTED, lines_of_cells

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
REFERRALS = 12
PARTS = (*PROCESSES, "rabbitmq", "mongod", "mail")
# The keepers, broker and database are not of our making; what they hold is theirs to bound.
Sample = tuple[float, float, float]  # seconds, MB, descriptors


class Nemesis:
    """Chooses what happens next, by the seed alone."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def strike(self, cell: Cell) -> str:
        """Something is broken and, where it does not heal by itself, mended; what it was."""
        ways: list[Callable[[Cell], str]] = [
            self._kill,
            self._kill,
            self._freeze,
            self._kill_two,
            self._alarm,
        ]
        return self.chance.choice(ways)(cell)

    def _kill(self, cell: Cell) -> str:
        name = self.chance.choice(PARTS)
        cell.kill(name)
        cell.rest(self.chance.uniform(0, 3))
        cell.ground.up()
        return f"kill {name}"

    def _kill_two(self, cell: Cell) -> str:
        names = self.chance.sample(PARTS, 2)
        for name in names:
            cell.kill(name)
        cell.ground.up()
        return f"kill {' and '.join(names)}"

    def _freeze(self, cell: Cell) -> str:
        name, seconds = self.chance.choice(PARTS), self.chance.uniform(5, 30)
        with cell.ground.frozen(name):
            cell.broke(name, f"SIGSTOP {seconds:.0f} s")
            cell.rest(seconds)
        return f"freeze {name} {seconds:.0f} s"

    def _alarm(self, cell: Cell) -> str:
        var = cell.running.place.var
        rabbitmqctl(var, "set_disk_free_limit", "100000GB")
        cell.broke("rabbitmq", "disk alarm")
        cell.rest(self.chance.uniform(5, 20))
        rabbitmqctl(var, "set_disk_free_limit", "200MB")
        return "disk alarm"


class Growth:
    """Memory and descriptors of every process, by pid, at each rest."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._lines: dict[tuple[str, int], list[Sample]] = {}

    def take(self, running: Running) -> None:
        """One sample of everything that runs."""
        for name in PROCESSES:
            if child := children.recall(running.place.run, name):
                process = psutil.Process(child.pid)
                sample = time.monotonic() - self._begun, process.memory_info().rss / 1e6, process.num_fds()
                self._lines.setdefault((name, child.pid), []).append(sample)

    def lines(self) -> list[str]:
        """For each process that lived through three rests or more: MB and descriptors an hour, by least squares."""
        told = []
        for (name, _), samples in sorted(self._lines.items()):
            # The first sample is taken while everything is still loaded for the first time.
            kept = samples[1:]
            if len(kept) < 3:
                continue
            hours = [at / 3600 for at, _, _ in kept]
            memory = statistics.linear_regression(hours, [mb for _, mb, _ in kept]).slope
            files = statistics.linear_regression(hours, [fds for _, _, fds in kept]).slope
            told.append(
                f"{name:<22}{len(kept):>3} rests  {kept[-1][1]:>7.1f} MB {memory:>+9.1f} MB/h  "
                f"{kept[-1][2]:>5.0f} files {files:>+8.1f} files/h"
            )
        return told


def main() -> int:
    """0 where every set stayed empty."""
    chance, growth, rows = random.Random(SEED), Growth(), []
    print(f"seed {SEED}, {MINUTES:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="kindred-soak-") as folder:
        running = Running(Place(Path(folder) / "var"))
        try:
            ground, nemesis = open_ground(running, Path(folder), specialists=100), Nemesis(chance)
            until = time.monotonic() + MINUTES * 60
            while time.monotonic() < until:
                rows.append(_round(ground, nemesis, len(rows) + 1))
                growth.take(running)
                if "lost" not in rows[-1] or any(rows[-1][name] for name in COUNTED):
                    break
        finally:
            running.stop()
    print("\n".join([*lines_of_cells(rows), "", *growth.lines()]))
    return 0 if all(not row.get(name, 1) for row in rows for name in COUNTED) else 1


def _round(ground: Ground, nemesis: Nemesis, number: int) -> dict:
    cell = begin_cell(ground, f"R-{number:03}")
    try:
        with cell.load(REFERRALS, over_s=8, within_s=300):
            cell.notes["what"] = nemesis.strike(cell)
        cell.conclude()
    except AssertionError as found:
        print(f"round {number}: {found}", file=sys.stderr)
    finally:
        cell.close()
    print(f"round {number}: {cell.notes}", flush=True)
    return cell.row()


if __name__ == "__main__":
    sys.exit(main())
