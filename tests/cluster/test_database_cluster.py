"""F-21: the primary of the database is killed and frozen, and its secondaries are, while submits go on."""

from __future__ import annotations

import time

import pytest

from tests.cluster import breaking, recovering
from tests.driving import until
from tests.faults.ground import Cell

pytestmark = pytest.mark.slow_faults


def _other_primary(cell: Cell, than: str) -> bool:
    return any(state == "PRIMARY" and name != than for name, state in breaking.members(cell.running).items())


@pytest.mark.fault("F-21")
def test_the_primary_is_killed(cell: Cell) -> None:
    """F-21: kill -9 to the primary, twice, under load; a submit of unknown fate is known by its key, and none fails."""
    with cell.load(24, over_s=30):
        for _ in range(2):
            cell.rest(2)
            was = breaking.primary(cell.running)
            cell.kill(was)
            killed_at = time.monotonic()
            until("another is primary", lambda old=was: _other_primary(cell, old), within_s=90)
            cell.notes["new primary s"] = round(time.monotonic() - killed_at, 1)
            cell.ground.up()
    recovering.conclude(cell)


@pytest.mark.fault("F-21")
def test_the_primary_is_isolated_while_writes_go_on(cell: Cell) -> None:
    """F-21: a primary that answers nobody for 30 s is replaced; awake again it steps down, and takes nothing with it."""
    with cell.load(24, over_s=30):
        cell.rest(2)
        was = breaking.primary(cell.running)
        with cell.ground.frozen(was):
            cell.broke(was, "SIGSTOP 30 s")
            frozen_at = time.monotonic()
            until("another is primary", lambda: _other_primary(cell, was), within_s=90)
            cell.notes["new primary s"] = round(time.monotonic() - frozen_at, 1)
            cell.rest(max(0.0, 30 - (time.monotonic() - frozen_at)))
    until("it is a secondary", lambda: was in breaking.secondaries(cell.running), within_s=90)
    recovering.conclude(cell)


@pytest.mark.fault("F-21")
def test_both_secondaries_are_frozen(cell: Cell) -> None:
    """F-21: without a majority nothing is acknowledged; what was tried meanwhile is told when they are back."""
    with cell.load(12, over_s=20):
        cell.rest(2)
        one, two = breaking.secondaries(cell.running)
        with cell.ground.frozen(one), cell.ground.frozen(two):
            cell.broke(one, "SIGSTOP 15 s")
            cell.broke(two, "SIGSTOP 15 s")
            cell.rest(3)  # what a majority had already may still be told
            told = len(cell.journal.acknowledged())
            cell.rest(12)
            assert len(cell.journal.acknowledged()) == told, "acknowledged without a majority"
    recovering.conclude(cell)
