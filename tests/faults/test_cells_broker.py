"""F-11, F-12: the broker is killed, and stands still, under load on the whole system."""

from __future__ import annotations

import time

import pytest

from tests.driving import until
from tests.faults.ground import Cell

pytestmark = pytest.mark.slow_faults
NOTICED_S = 30.0


@pytest.mark.fault("F-11")
def test_the_broker_is_killed_under_load(cell: Cell) -> None:
    """F-11: three kills of the broker among the submits; nobody is refused, and everything drains."""
    with cell.load(24, over_s=20):
        for _ in range(3):
            cell.rest(cell.chance.uniform(1, 3))
            cell.kill("rabbitmq")
            cell.ground.up()
    cell.note_doubts()
    cell.conclude()


@pytest.mark.fault("F-12")
@pytest.mark.parametrize("seconds", [5, 40])
def test_the_broker_stands_still_under_load(cell: Cell, seconds: int) -> None:
    """F-12: submits go on while the broker answers nobody; what was said meanwhile arrives afterwards."""
    with cell.load(16, over_s=8):
        cell.rest(2)
        with cell.ground.frozen("rabbitmq"):
            cell.broke("rabbitmq", f"SIGSTOP {seconds} s")
            frozen_at = time.monotonic()
            until("all are told while it stands", lambda: len(cell.journal.acknowledged()) == 16)
            cell.rest(max(0.0, seconds - (time.monotonic() - frozen_at)))
    cell.note_doubts()
    cell.conclude()
