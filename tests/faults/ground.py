"""The ground of the matrix: one whole running system, killed, frozen and restarted part by part, and one cell's run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc

from cli.local import children, ports, processes, rabbit
from cli.local.children import Child
from cli.local.faults import LocalFault
from cli.local.place import ROOT, recalled
from cli.local.processes import Part
from cli.local.readiness import wait_ready
from tests.driving import Officer, Roster, Running, a_specialist, a_supervisor, roster_csv, until
from tests.faults import evidence
from tests.faults.clients import IN_DOUBT, Clients
from tests.faults.evidence import BusTap
from tests.faults.journal import FAULT, Journal
from tests.faults.verdict import Verdict, judge

T = TypeVar("T")
SEED = int(os.environ.get("FAULT_SEED", "20261122"))
# Other work on the machine makes everything slower; nothing here says how fast anything must be.
PATIENCE_S = 300.0
# What is still missing after that long, with the system at rest, is lost.
SECOND_LOOK_S = 45.0


@dataclass(repr=False)
class Ground:
    """A running system with its roster and its officer."""

    running: Running
    folder: Path
    roster: Roster = field(init=False)
    officer: Officer = field(init=False)
    cells: int = 0
    # Parts that were started with something else than `up` gives them.
    odd: set[str] = field(default_factory=set)

    def up(self) -> None:
        """Every part runs and is ready; on a machine that is busy with other things that takes more than one look."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.running.start()
                return
            except LocalFault:
                if time.monotonic() > deadline:
                    raise

    def part(self, name: str) -> Part:
        """How this part is started, as `up` does it."""
        place = self.running.place
        known = processes.parts(place, self.running.known, recalled(place) or {})
        return next(part for part in known if part.name == name)

    def begin(self, name: str, argv: Sequence[str] = (), **extra: str) -> None:
        """Starts the part that was killed, with more in its environment or as another program, until it is ready."""
        part, child = self.part(name), self.spawn(name, argv, **extra)
        try:
            wait_ready(child, lambda: processes.missing(part), PATIENCE_S)
        except LocalFault:
            # Where it was told to die at a point, it may have come there before anybody saw it ready.
            if child.is_alive() or "KINDRED_FAILPOINTS" not in extra:
                raise

    def spawn(self, name: str, argv: Sequence[str] = (), **extra: str) -> Child:
        """Starts the part and does not wait for it."""
        if argv or extra:
            self.odd.add(name)
        place, part = self.running.place, self.part(name)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "KINDRED_"))}
        return children.spawn(
            place.run,
            name,
            tuple(argv) or part.argv,
            env=kept | dict(part.env) | extra,
            log=place.log / f"{name}.log",
            cwd=ROOT,
            fingerprint=part.fingerprint,
        )

    def dismiss_odd(self) -> None:
        """Whatever was started with something of its own is gone: the next `up` starts it as it should be."""
        while self.odd:
            name = self.odd.pop()
            if self.is_alive(name):
                self.running.signal(name)

    def is_alive(self, name: str) -> bool:
        """True while the part runs."""
        return children.recall(self.running.place.run, name) is not None

    def stop_by_term(self, name: str, grace_s: float = 30.0) -> str:
        """SIGTERM, and KILL after the grace: "stopped" or "killed"."""
        child = children.recall(self.running.place.run, name)
        assert child is not None, f"{name} does not run"
        return children.stop(self.running.place.run, child, grace_s)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """SIGSTOP for the block: its sockets stay open, and it answers nobody."""
        self.running.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError, AssertionError):
                self.running.signal(name, signal.SIGCONT)


@dataclass(repr=False)
class Cell:
    """One row of the matrix at work: its clients, their journal, what was broken, and the verdict at its end."""

    fault_id: str
    ground: Ground
    journal: Journal
    clients: Clients
    chance: random.Random
    tap: BusTap | None
    since: dict[str, int]
    verdict: Verdict | None = None
    is_control: bool = False  # made to fail: its counts are no part of the report
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def running(self) -> Running:
        return self.ground.running

    def broke(self, part: str, how: str) -> None:
        """A line in the journal: this was done to that part."""
        self.journal.write(FAULT, "made", part=part, how=how)

    def kill(self, name: str) -> None:
        """SIGKILL to the part and its session."""
        self.running.signal(name)
        self.broke(name, "kill -9")

    @contextmanager
    def load(self, referrals: int, over_s: float, within_s: float = PATIENCE_S) -> Iterator[None]:
        """Clients are at work during the block; after it everybody has been told and everything accepted."""
        self.clients.start(referrals, over_s)
        yield
        self.clients.finish(within_s)

    def note_doubts(self) -> None:
        """What callers heard instead of an answer is told in the report; on a busy machine that may be a deadline."""
        self.notes["heard"] = "+".join(sorted(self.clients.codes)) or "answers only"

    def rest(self, seconds: float) -> None:
        """A fault lasts so long."""
        time.sleep(seconds)

    def conclude(self, within_s: float = PATIENCE_S) -> Verdict:
        """Everything is started and comes to rest, and the checker finds nothing wrong; else fails with the culprits."""
        running = self.running
        self.ground.dismiss_odd()
        self.ground.up()
        begun = time.monotonic()
        with suppress(AssertionError):  # what has not come to rest is missing, and named so below
            until("at rest", lambda: evidence.is_at_rest(running), within_s=within_s)
        self.notes["drained_s"] = round(time.monotonic() - begun, 1)
        deadline = time.monotonic() + SECOND_LOOK_S
        officer, since = self.ground.officer, self.since
        while True:
            found = patiently(lambda: evidence.gather(running, officer, self.journal, since, self.tap))
            self.verdict = judge(self.journal, found)
            if self.verdict.is_clean or time.monotonic() > deadline:
                break
            time.sleep(1.0)
        assert self.verdict.is_clean, self.verdict
        return self.verdict

    def row(self) -> dict[str, Any]:
        """The cell's row of the report; without a verdict where the test did not get so far."""
        counts = {"faults": self.journal.faults(), "referrals": len(self.journal.visits())}
        told = self.verdict.counts() | {"absorbed": self.verdict.absorbed} if self.verdict else {}
        return {"id": self.fault_id, "seed": SEED, "notes": self.notes} | counts | told

    def close(self) -> None:
        """Nobody calls or listens any more."""
        self.clients.stop()
        self.ground.dismiss_odd()
        if self.tap:
            self.tap.close()
        self.journal.close()


def open_ground(running: Running, folder: Path, specialists: int) -> Ground:
    """The system is up, with a supervisor and so many specialists who may serve anybody."""
    ground = Ground(running, folder)
    ground.up()
    ground.roster, ground.officer = Roster(running), Officer(running)
    people = [a_supervisor(), *(a_specialist(f"spec-{number:03}") for number in range(specialists))]
    patiently(lambda: ground.roster.load(roster_csv(people)))
    return ground


def patiently(ask: Callable[[], T]) -> T:
    """The answer, asked for again where a service says that it has no time."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except grpc.RpcError as busy:
            if busy.code() not in IN_DOUBT or time.monotonic() > deadline:
                raise
            time.sleep(1.0)


def begin_cell(ground: Ground, fault_id: str, *, is_tapped: bool = True) -> Cell:
    """Everything runs, and a fresh journal is open."""
    ground.up()
    ground.cells += 1
    name = f"c{ground.cells}-{os.getpid()}"
    chance = random.Random(f"{SEED}-{fault_id}")
    journal = Journal(ground.folder / f"{name}-{fault_id}.journal.log")
    tap = BusTap(ground.running.known.amqp_uri) if is_tapped else None
    if tap:
        tap.open()
    since = evidence.numbers_now(ground.running)
    clients = Clients(ground.running, ground.roster, journal, name, chance)
    return Cell(fault_id, ground, journal, clients, chance, tap, since)


def rabbitmqctl(var: Path, *words: str) -> str:
    """What the broker of this folder answers its operator."""
    chosen = ports.choose(var, "", is_in_use=True)
    node = rabbit.only_node(var, chosen.amqp, chosen.erlang)
    program = rabbit.server().with_name("rabbitmqctl")
    argv = [str(program), "-n", node.name, *words]
    env = rabbit.environment(var, node, chosen.epmd)
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True, timeout=90).stdout
