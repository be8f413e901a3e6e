"""F-40: processes get no more memory, one after the other, under load; the watch starts whatever ends."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from cli.local import children
from tests.driving import KEEPERS, PROCESSES
from tests.faults.ground import Cell

pytestmark = [pytest.mark.slow_faults, pytest.mark.timeout(900)]
APIS, WORKERS = (tuple(name for name in PROCESSES if name.endswith(role)) for role in ("-api", "-worker"))
OTHERS = ("intake-mllp", *KEEPERS)
STARVED_S = 12.0
_UNLIMITED = resource.RLIM_INFINITY


@contextmanager
def watched(cell: Cell) -> Iterator[None]:
    """The watch of `kindred up` looks after the system during the block."""
    cell.running.start(is_watched=True)
    try:
        yield
    finally:
        cell.ground.up()


@contextmanager
def starved(cell: Cell, name: str) -> Iterator[None]:
    """For the block, not a page more than the process has; whoever takes its place has what it wants."""
    child = children.recall(cell.running.place.run, name)
    assert child is not None, f"{name} does not run"
    room = psutil.Process(child.pid).memory_info().vms
    resource.prlimit(child.pid, resource.RLIMIT_AS, (room, _UNLIMITED))
    cell.broke(name, f"not a byte beyond {room // 1_000_000} MB")
    try:
        yield
    finally:
        if child.is_alive():
            resource.prlimit(child.pid, resource.RLIMIT_AS, (_UNLIMITED, _UNLIMITED))
            cell.notes["lived"] = "+".join(filter(None, [cell.notes.get("lived", ""), name]))
        else:
            cell.notes["ended"] = "+".join(filter(None, [cell.notes.get("ended", ""), name]))


@pytest.mark.fault("F-40")
@pytest.mark.parametrize("names", [APIS, WORKERS, OTHERS], ids=["apis", "workers", "others"])
def test_processes_get_no_more_memory(cell: Cell, names: tuple[str, ...]) -> None:
    """What cannot go on without memory ends and is started again; what it had in hand is whole."""
    with watched(cell), cell.load(60, over_s=len(names) * STARVED_S):
        for name in cell.chance.sample(names, len(names)):
            with starved(cell, name):
                time.sleep(STARVED_S)
    cell.note_doubts()
    cell.conclude()
