"""F-30: the clocks of workers are five minutes behind, and a day ahead, of everybody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.ground import Cell

pytestmark = pytest.mark.slow_faults
PRELOADED = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
BEHIND, AHEAD = "-300s", "+86400s"


def begin_at(cell: Cell, name: str, shift: str) -> None:
    """The part runs, and its wall clock is that far from the machine's; its monotonic clock is the machine's."""
    if not PRELOADED.exists():
        pytest.skip(
            "libfaketime is not installed: `make faults` brings it where it may (deploy/bootstrap.sh faults)"
        )
    if cell.ground.is_alive(name):
        cell.kill(name)
    given = {"LD_PRELOAD": str(PRELOADED), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    cell.ground.begin(name, **given, DONT_FAKE_MONOTONIC="1")
    cell.broke(name, f"clock {shift}")


@pytest.mark.fault("F-30")
@pytest.mark.parametrize(
    ("names", "shift"),
    [
        (("matching-worker", "notifications-worker", "intake-worker"), BEHIND),
        (("audit-worker", "intake-worker"), AHEAD),
    ],
    ids=["behind", "ahead"],
)
def test_clocks_are_wrong(cell: Cell, names: tuple[str, ...], shift: str) -> None:
    """F-30: while clocks are wrong, and after they jumped back, no row is skipped and no lease is held twice."""
    with cell.load(12, over_s=4):
        for name in names:
            begin_at(cell, name, shift)
        cell.rest(3)
    with cell.load(6, over_s=2):
        for name in names:
            cell.kill(name)
        cell.ground.up()
        cell.broke("clocks", "jumped back")
    cell.conclude()
