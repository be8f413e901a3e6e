"""One cluster on loopback for all cells: three nodes of the broker and of the database, two of each api and worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.local import shape
from cli.local.place import Place
from tests import driving
from tests.cluster import breaking
from tests.driving import Running, until
from tests.faults.ground import Cell, Ground, begin_cell, open_ground
from tests.faults.table import ROW

# Three databases on one machine, and whatever else runs on it: a write that waits for a majority takes its time.
DEADLINE_S = 15.0


@pytest.fixture(scope="session")
def ground(tmp_path_factory: Any) -> Iterator[Ground]:
    """A whole cluster, up, with its roster."""
    folder: Path = tmp_path_factory.mktemp("cluster")
    running = Running(Place(folder / "var"), wanted=shape.CLUSTER)
    usual, driving.RPC_S = driving.RPC_S, DEADLINE_S
    try:
        yield open_ground(running, folder, specialists=40)
    finally:
        driving.RPC_S = usual
        running.stop()


@pytest.fixture
def cell(request: Any, ground: Ground, record_property: Any) -> Iterator[Cell]:
    """The cell the test's mark `fault` names; every node is there when it begins."""
    mark = request.node.get_closest_marker("fault")
    ground.up()
    until("the broker is whole", lambda: breaking.whole(ground.running), within_s=120)
    cell = begin_cell(ground, mark.args[0])
    try:
        yield cell
    finally:
        cell.close()
        record_property(ROW, json.dumps(cell.row()))
