"""What the fault tests share: a mongod and a RabbitMQ of our own to be frozen and killed, and one whole system."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chassis import mongo
from cli.local import children, mongod, ports, rabbit
from cli.local.children import Child
from cli.local.place import Place
from tests.driving import Running
from tests.faults.ground import Cell, Ground, begin_cell, open_ground
from tests.faults.table import ROW
from tests.system_watching import Watcher, watching


@dataclass(frozen=True)
class Own:
    """Both parts with their processes."""

    folder: Path
    mongo_uri: str
    amqp_uri: str
    amqp_port: int
    mongod: Child
    broker: Child

    def freeze(self, child: Child) -> None:
        """SIGSTOP: the sockets stay open, nobody answers."""
        os.kill(child.pid, signal.SIGSTOP)

    def thaw(self, child: Child) -> None:
        """SIGCONT."""
        os.kill(child.pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def own(tmp_path_factory: Any) -> Iterator[Own]:
    """Started once per run, in a folder of its own."""
    folder: Path = tmp_path_factory.mktemp("own")
    (folder / "run").mkdir()
    chosen = ports.choose(folder, "")
    try:
        database = mongod.start(folder, chosen.mongod)
        broker = rabbit.start(folder, chosen.amqp, chosen.erlang, chosen.epmd)
        yield Own(folder, database.uri, broker.uri, chosen.amqp, database.child, broker.child)
    finally:
        for name in ("rabbitmq", "epmd", "mongod"):
            if child := children.recall(folder / "run", name):
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGCONT)
                children.stop(folder / "run", child, grace_s=15.0)


@pytest.fixture(scope="session")
def own_client(own: Own) -> Iterator[Any]:
    """A client of our own mongod."""
    client = mongo.connect(own.mongo_uri)
    yield client
    client.close()


@pytest.fixture
def own_database(own_client: Any, request: Any) -> Iterator[Any]:
    """A fresh database in our own mongod."""
    name = f"kindred_fault_{os.urandom(4).hex()}"
    yield own_client[name]
    own_client.drop_database(name)


@pytest.fixture(scope="session")
def ground(tmp_path_factory: Any) -> Iterator[Ground]:
    """One whole system for all cells of a run: eleven processes, a broker, a database, a mail server."""
    folder: Path = tmp_path_factory.mktemp("ground")
    running = Running(Place(folder / "var"))
    try:
        yield open_ground(running, folder, specialists=40)
    finally:
        running.stop()


@pytest.fixture(scope="module")
def watcher(ground: Ground, tmp_path_factory: Any) -> Iterator[Watcher]:
    """A Prometheus that looks every second at the ground, with our rules in a hurry (tests/system_watching.py)."""
    ground.up()
    with watching(ground.running, tmp_path_factory.mktemp("prometheus"), is_hurried=True) as watcher:
        watcher.until(lambda: bool(watcher.values("kindred_ready")), "nothing is scraped", 120.0)
        yield watcher


@pytest.fixture
def recorded(record_property: Any) -> Any:
    """Closes a cell and puts its row into the report, however the test ended."""

    @contextmanager
    def running(cell: Cell) -> Iterator[Cell]:
        try:
            yield cell
        finally:
            cell.close()
            if not cell.is_control:
                record_property(ROW, json.dumps(cell.row()))

    return running


@pytest.fixture
def cell(request: Any, ground: Ground, recorded: Any) -> Iterator[Cell]:
    """The cell that the test's mark `fault` names, on the shared ground."""
    mark = request.node.get_closest_marker("fault")
    with recorded(begin_cell(ground, mark.args[0], is_tapped=mark.kwargs.get("is_tapped", True))) as cell:
        yield cell
