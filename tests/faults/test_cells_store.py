"""F-20, F-22 to F-24: the database is killed, stands still, runs full, takes no audit entry; a reader's api dies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.place import Place
from tests.driving import Running, until
from tests.faults.ground import Cell, Ground, begin_cell, open_ground
from tests.faults.journal import READ, TOLD, UNKNOWN

pytestmark = pytest.mark.slow_faults
NOBODY_FITS = {"$expr": {"$eq": [1, 0]}}
# What a mongod of ours needs to stand, and what is left to fill.
DISK_MB = 700
LEFT_BYTES = 1_000_000


@pytest.mark.fault("F-20")
def test_the_database_is_killed_under_load(cell: Cell) -> None:
    """F-20: three kills of mongod among submits, reads, acceptances and everything behind them."""
    with cell.load(24, over_s=15):
        for _ in range(3):
            cell.rest(cell.chance.uniform(1, 3))
            cell.kill("mongod")
            cell.ground.up()
    cell.conclude()


@pytest.mark.fault("F-20")
def test_the_database_stands_still_under_load(cell: Cell) -> None:
    """F-20: frozen for 25 s; nobody is told of anything that was not stored, no read is answered without an entry."""
    with cell.load(20, over_s=8):
        cell.rest(2)
        told = len(cell.journal.acknowledged())
        with cell.ground.frozen("mongod"):
            cell.broke("mongod", "SIGSTOP 25 s")
            cell.rest(2)
            before = len(cell.journal.acknowledged()), len(cell.journal.lines(READ, TOLD))
            cell.rest(23)
            during = len(cell.journal.acknowledged()), len(cell.journal.lines(READ, TOLD))
        assert during == before, "somebody was answered out of a frozen database"
        assert told <= before[0]
    assert cell.clients.codes & {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    cell.conclude()


@pytest.mark.fault("F-23")
def test_no_read_without_its_entry(cell: Cell) -> None:
    """F-23: where intake cannot write its access events, every read of a person is refused; afterwards all is well."""
    with cell.load(4, over_s=1):
        until("all are told", lambda: len(cell.journal.acknowledged()) == 4)
    referral_id = min(one for ids in cell.journal.acknowledged().values() for one in ids)
    intake = cell.running.database("intake")
    with cell.clients.reading() as client:
        assert cell.clients.read(client, referral_id) == 200
        intake.command("collMod", "accesses", validator=NOBODY_FITS)
        try:
            cell.broke("intake", "accesses takes no document")
            codes = [cell.clients.read(client, referral_id) for _ in range(5)]
        finally:
            intake.command("collMod", "accesses", validator={})
        assert not [code for code in codes if code < 500], codes
        cell.notes["reads refused"] = len(codes)
        assert cell.clients.read(client, referral_id) == 200
    cell.conclude()


def _reads_through_kills(cell: Cell, argv: tuple[str, ...] = ()) -> None:
    """Reads while intake's api dies between a read's entry and its answer, four times."""
    with cell.load(6, over_s=1):
        pass
    known = sorted(one for ids in cell.journal.acknowledged().values() for one in ids)
    with cell.clients.reading() as client:
        for _ in range(4):
            if cell.ground.is_alive("intake-api"):
                cell.kill("intake-api")
            points = "access.after_write_before_answer=kill@3;control.after_answer_before_write=kill@3"
            cell.ground.begin("intake-api", argv, KINDRED_FAILPOINTS=points)
            deadline = time.monotonic() + 30
            while cell.ground.is_alive("intake-api"):
                cell.clients.read(client, cell.chance.choice(known))
                assert time.monotonic() < deadline, "it never died"
            cell.broke("intake-api", "kill -9 between entry and answer")


@pytest.mark.fault("F-24")
def test_killed_between_the_entry_and_the_answer(cell: Cell) -> None:
    """F-24: an entry whose answer never left may be there; an answer without an entry never is."""
    _reads_through_kills(cell)
    cell.conclude()
    assert len(cell.journal.lines(READ, UNKNOWN)) >= 4


@pytest.mark.fault("F-24c")
def test_the_control_that_answers_first_is_caught(cell: Cell) -> None:
    """An api that writes the entry after the answer leaves reads without one in the same fault: the checker sees it."""
    _reads_through_kills(cell, (sys.executable, "-m", "tests.faults.answers_first", "intake", "api"))
    with pytest.raises(AssertionError):
        cell.conclude()
    assert cell.verdict is not None
    found = cell.verdict.unaudited
    assert found
    assert all("was read" in one for one in found), found
    cell.is_control = True


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ground, Path]]:
    """A system whose database lies on a file system of its own, small enough to be filled."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount the small file system that this fault fills")
    folder = tmp_path_factory.mktemp("small")
    place = Place(folder / "var")
    place.make()
    disk = place.var / "mongo"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts nothing: the disk of a database cannot be filled here")
    running = Running(place)
    try:
        yield open_ground(running, folder, specialists=20), disk
    finally:
        running.stop()
        subprocess.run(["umount", str(disk)], check=False)


@pytest.fixture
def small_cell(small_disk: tuple[Ground, Path], request: pytest.FixtureRequest, recorded) -> Iterator[Cell]:
    """A cell on the small disk."""
    with recorded(begin_cell(small_disk[0], "F-22")) as cell:
        yield cell


@pytest.mark.fault("F-22")
@pytest.mark.timeout(900)
def test_the_databases_disk_runs_full(small_cell: Cell, small_disk: tuple[Ground, Path]) -> None:
    """F-22: a full disk ends the database, and nobody is told of anything; with room again all that was told is whole."""
    cell, (_, disk) = small_cell, small_disk
    ballast = disk / "ballast"
    with cell.load(40, over_s=75):
        until("some are told", lambda: len(cell.journal.acknowledged()) >= 3)
        _fill(ballast, disk)
        cell.broke("mongod", "disk full")
        # It writes to room it has set aside, and ends itself at its next checkpoint, a minute later at the latest.
        until("the database ends itself", lambda: not cell.ground.is_alive("mongod"), within_s=180)
        cell.notes["told with a full disk"] = len(cell.journal.acknowledged())
        cell.rest(3)
        ballast.unlink()
        cell.ground.up()
    cell.conclude()


def _fill(ballast: Path, disk: Path) -> None:
    """Nothing is left of the disk but a little; then that too."""
    with ballast.open("wb") as file:
        while (free := shutil.disk_usage(disk).free) > 0:
            try:
                file.write(b"\0" * min(free, LEFT_BYTES))
                file.flush()
            except OSError:
                return
