"""F-18, F-19, F-37: workers die in the middle, wake up on a dead socket, end with a backlog; everything dies at once."""

from __future__ import annotations

import time

import pytest

from tests.driving import KEEPERS, PROCESSES, until
from tests.faults import evidence
from tests.faults.ground import Cell

pytestmark = pytest.mark.slow_faults
WORKERS = tuple(name for name in PROCESSES if name.endswith("-worker"))
# Longer than two heartbeats of the broker (15 s): it has closed the connection and given the messages to others.
DEAD_SOCKET_S = 40.0
UP_S = 60.0
TERM_S = 30.0


@pytest.mark.fault("F-18")
def test_workers_die_in_the_middle_of_their_work(cell: Cell) -> None:
    """F-18: each worker dies three times at a moment of its own, wherever it is in its transactions."""
    with cell.load(24, over_s=12):
        for _ in range(3):
            for name in cell.chance.sample(WORKERS, len(WORKERS)):
                cell.rest(cell.chance.uniform(0.2, 0.8))
                cell.kill(name)
            cell.ground.up()
    cell.note_doubts()
    cell.conclude()


@pytest.mark.fault("F-18")
def test_workers_die_after_the_effect_before_the_answer(cell: Cell) -> None:
    """F-18 on the whole system: three workers each die after their handler, before the broker knows."""
    doomed = ("matching-worker", "notifications-worker", "audit-worker")
    with cell.load(24, over_s=15):
        for name in doomed:
            cell.kill(name)
            cell.ground.begin(name, KINDRED_FAILPOINTS="worker.after_handler_before_answer=kill@2")
            until(f"{name} died at the point", lambda name=name: _dies(cell, name), within_s=120)
            cell.broke(name, "kill -9 at worker.after_handler_before_answer")
            cell.ground.up()
    cell.conclude()


def _dies(cell: Cell, name: str) -> bool:
    """True where it is dead; while it lives it gets something to hear."""
    if cell.ground.is_alive(name):
        cell.clients.submit(f"more-{len(cell.journal.visits())}")
    return not cell.ground.is_alive(name)


@pytest.mark.fault("F-19")
def test_workers_wake_up_on_dead_sockets(cell: Cell) -> None:
    """F-19: frozen with messages in hand until the broker has given them up; what they then answer harms nobody."""
    with cell.load(16, over_s=6):
        cell.rest(1.5)
        with cell.ground.frozen("matching-worker"), cell.ground.frozen("notifications-worker"):
            cell.broke("matching-worker", f"SIGSTOP {DEAD_SOCKET_S:.0f} s")
            cell.broke("notifications-worker", f"SIGSTOP {DEAD_SOCKET_S:.0f} s")
            cell.rest(DEAD_SOCKET_S)
        woken = time.monotonic()
        until("it takes work again", cell.clients.is_done, within_s=150)
        cell.notes["recovered_s"] = round(time.monotonic() - woken, 1)
    cell.conclude()


@pytest.mark.fault("F-19")
def test_workers_end_in_time_with_a_backlog(cell: Cell) -> None:
    """F-19: told to end with a full inbox, every worker does within 30 s; the next one has the rest."""
    for name in WORKERS:
        cell.kill(name)
    with cell.load(40, over_s=2):
        until("an inbox is full", lambda: evidence.depths(cell.running)["matching"] >= 20)
        for _ in range(2):
            cell.ground.up()
            for name in WORKERS:
                begun = time.monotonic()
                assert cell.ground.stop_by_term(name, TERM_S) == "stopped"
                cell.broke(name, "SIGTERM with a backlog")
                cell.notes["slowest TERM s"] = max(
                    cell.notes.get("slowest TERM s", 0.0), round(time.monotonic() - begun, 1)
                )
        cell.ground.up()
    cell.conclude()


@pytest.mark.fault("F-37")
@pytest.mark.timeout(1200)
def test_everything_is_killed_within_a_second(cell: Cell) -> None:
    """F-37: all processes, broker and database die at once; started in any order the system is up and whole again."""
    everything = [*PROCESSES, *KEEPERS, "mail", "rabbitmq", "mongod"]
    everything = list(dict.fromkeys(everything))
    with cell.load(20, over_s=10):
        cell.rest(2)
        for turn in range(2):
            begun = time.monotonic()
            for name in cell.chance.sample(everything, len(everything)):
                cell.kill(name)
            cell.notes["killed within s"] = round(time.monotonic() - begun, 1)
            first = time.monotonic()
            if turn:  # every part before what it needs: it waits, and says so
                services = [name for name in everything if name not in ("rabbitmq", "mongod")]
                for name in cell.chance.sample(services, len(services)):
                    cell.ground.spawn(name)
            cell.ground.up()
            cell.notes["up again s"] = max(
                cell.notes.get("up again s", 0), round(time.monotonic() - first, 1)
            )
            cell.rest(2)
    cell.conclude()
