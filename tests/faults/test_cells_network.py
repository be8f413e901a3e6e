"""F-39: between any two parts bytes pass one way only, late, or half-way until a reset; under load, on the whole system.

Each cell breaks every connection of its kind by itself, one after the other, then all of them at once for longer than
whoever waits there waits; nothing is closed, and no process is started anew unless it ended by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.driving import Running
from tests.faults import wires as at
from tests.faults.askers import Askers
from tests.faults.ground import Cell
from tests.faults.proxy import Fault
from tests.faults.wires import Wire, WiredGround

pytestmark = [pytest.mark.slow_faults, pytest.mark.timeout(900)]
EACH_S = 5.0
# Longer than the 20 s of a call to the database, than two heartbeats of the broker (15 s), than a mail's 10 s.
DATABASE_S, BROKER_S, OTHERS_S = 25.0, 36.0, 15.0
SLOW_S = 15.0
TEARS, TEAR_S, WHOLE_S = 6, 2.0, 1.0
WAYS = pytest.mark.parametrize("way", ["asks-held", "answers-held", "slow", "torn"])
HELD = {"asks-held": Fault.HOLD_ASKS, "answers-held": Fault.HOLD_ANSWERS}


@pytest.fixture(scope="module")
def wired(tmp_path_factory: Any) -> Iterator[tuple[WiredGround, Running]]:
    """One system behind proxies for all cells of this file, and how it looks to callers."""
    ground = at.open_wired(tmp_path_factory.mktemp("wired"), specialists=40)
    try:
        yield ground, ground.seen_by_callers()
    finally:
        ground.running.stop()
        ground.close()
        ground.running.phones.stop()


@pytest.fixture
def wired_cell(wired: tuple[WiredGround, Running], recorded: Any) -> Iterator[Cell]:
    """A cell of this file's row."""
    with recorded(at.begin_wired(wired[0], "F-39", wired[1])) as cell:
        yield cell


def broken(
    cell: Cell,
    wires: list[Wire],
    way: str,
    *,
    all_s: float,
    each_s: float = EACH_S,
    askers: Askers | None = None,
) -> None:
    """Load runs while the wires are broken that way; then everything comes to rest, and the checker finds nothing."""
    ground = cell.ground
    assert isinstance(ground, WiredGround)
    assert wires
    ended, touched, torn = len(ground.ended), at.count_touched(wires), at.count_torn(wires)
    lasts_s = {"slow": SLOW_S, "torn": TEARS * (TEAR_S + WHOLE_S)}.get(way, len(wires) * each_s + all_s)
    with ground.supervised():
        with cell.load(20, over_s=lasts_s):
            if way == "slow":
                at.break_all(cell, wires, Fault.DELAY, SLOW_S)
            elif way == "torn":
                _tear(cell, wires)
            else:
                at.cut_in_turn(cell, wires, HELD[way], each_s)
                at.break_all(cell, wires, HELD[way], all_s)
        if askers:
            askers.stop()
        cell.notes["what"] = f"{way}: {', '.join(sorted({wire.far for wire in wires}))}"
        cell.notes["bytes met it"] = at.count_touched(wires) - touched
        assert cell.notes["bytes met it"], "nobody noticed"
        if way == "torn":
            cell.notes["torn"] = at.count_torn(wires) - torn
            assert cell.notes["torn"], "nothing was torn"
        cell.note_doubts()
        cell.conclude()
    if ground.ended[ended:]:
        cell.notes["ended by themselves"] = "+".join(ground.ended[ended:])


def _tear(cell: Cell, wires: list[Wire]) -> None:
    """By turns asks and answers pass by half, and the connection is reset; each that is torn is a fault."""
    before = {wire: wire.proxy.torn for wire in wires}
    for turn in range(TEARS):
        with at.set_to(wires, Fault.TEAR_ANSWERS if turn % 2 else Fault.TEAR_ASKS):
            time.sleep(TEAR_S)
        time.sleep(WHOLE_S)
    for wire in wires:
        for _ in range(wire.proxy.torn - before[wire]):
            cell.broke(str(wire), "reset half-way")


@WAYS
def test_between_services_and_the_database(wired_cell: Cell, wired: Any, way: str) -> None:
    """Nobody is told of what the database was not heard to store, and what it stored unheard is found by its key."""
    broken(wired_cell, wired[0].between(at.DATABASE), way, all_s=DATABASE_S)


@WAYS
def test_between_services_and_the_broker(wired_cell: Cell, wired: Any, way: str) -> None:
    """An event whose confirm does not come is said again, a message whose answer does not arrive is absorbed."""
    broken(wired_cell, wired[0].between(at.BROKER), way, all_s=BROKER_S)


@WAYS
def test_between_callers_and_doors(wired_cell: Cell, wired: Any, way: str) -> None:
    """Whoever hears no answer asks again with the same key, over gRPC and HTTP, at each of the four doors."""
    with Askers(wired_cell) as askers:
        askers.look_around(wired[1])
        broken(wired_cell, wired[0].between(near=at.CALLER), way, all_s=OTHERS_S, askers=askers)
    wired_cell.notes["answered beside"] = sum(askers.answered.values())
    assert len(askers.answered) == 5, askers.answered


@WAYS
def test_between_doors_and_intake(wired_cell: Cell, wired: Any, way: str) -> None:
    """Who asks intake through matching's or the log's door is told that it is away, or what is on record already."""
    ground = wired[0]
    with Askers(wired_cell) as askers:
        askers.look_up(*ground.intake_for("audit"))
        askers.break_glass(*ground.intake_for("matching"))
        wires = ground.between(at.INTAKE)[-2:]
        broken(wired_cell, wires, way, all_s=OTHERS_S, each_s=10.0, askers=askers)
    wired_cell.notes["answered"] = sum(askers.answered.values())
    assert len(askers.answered) == 2, askers.answered
    askers.assert_on_record()


@WAYS
def test_between_notifications_and_far_sides(wired_cell: Cell, wired: Any, way: str) -> None:
    """A mail or an SMS that may have been taken is sent again with a mark, and within the policy."""
    texts = len(wired[0].running.texts())
    broken(
        wired_cell, [*wired[0].between(at.MAIL), *wired[0].between(at.SMS)], way, all_s=OTHERS_S, each_s=12.0
    )
    wired_cell.notes["texts"] = len(wired[0].running.texts()) - texts
    assert wired_cell.notes["texts"], "nobody was told by SMS"


@WAYS
def test_between_the_log_and_its_keepers(wired_cell: Cell, wired: Any, way: str) -> None:
    """A signature or cosignature that was made and not heard is made again, the same; the log stays one."""
    broken(wired_cell, [*wired[0].between(at.SIGNER), *wired[0].between(at.WITNESS)], way, all_s=OTHERS_S)
