"""Every node and every process of the cluster is restarted, one after the other, under load: nobody is told no."""

from __future__ import annotations

import pytest

from cli.local import children, processes
from tests.cluster import breaking, recovering
from tests.driving import until
from tests.faults.ground import Cell

pytestmark = pytest.mark.slow_faults


def _processes(cell: Cell) -> list[str]:
    """Every process of ours that may be one of two, the first of each kind before the second."""
    names = [f"{name}-{role}" for name, role in processes.names() if role in processes.REPLICATED]
    return [f"{name}{again}" for again in ("", "-2") for name in names]


def _again(cell: Cell, name: str) -> None:
    assert cell.ground.stop_by_term(name) == "stopped", f"{name} did not end when it was told to"
    cell.broke(name, "restart")
    cell.ground.up()


@pytest.mark.fault("F-04")
def test_everything_is_restarted_under_load(cell: Cell) -> None:
    """Three nodes of the broker, three of the database and sixteen processes: no submit fails after its retries."""
    with cell.load(80, over_s=240, within_s=600):
        for node in breaking.nodes(cell.running):
            _again(cell, node.record)
            until("the broker is whole", lambda: breaking.whole(cell.running), within_s=120)
        for name in [*breaking.secondaries(cell.running), breaking.primary(cell.running)]:
            _again(cell, name)
            until("three members", lambda: len(breaking.members(cell.running)) == 3, within_s=90)
            until("one primary", lambda: breaking.primary(cell.running), within_s=90)
        for name in _processes(cell):
            _again(cell, name)
    assert not cell.clients.broken
    recovering.conclude(cell)
    assert children.recall(cell.running.place.run, "intake-api-2")
