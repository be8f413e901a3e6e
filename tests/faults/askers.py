"""Who asks beside the clients of a cell: officers and supervisors, through the services that ask intake for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import grpc
import httpx

from chassis import tls
from chassis.errors import Kind, Refusal
from services.audit.web import people as of_audit
from services.matching import people as of_matching
from tests.driving import Officer, Running
from tests.faults.ground import Cell
from tests.faults.journal import READ, REFUSED, TOLD, TRIED, UNKNOWN

GLASS = "glass"
BROKEN = "glass.broken.v1"
LEADER = "supervisor-odell"
_PAUSE_S = 0.3
_ASK_S = 3.0


@dataclass(repr=False)
class Askers:
    """Each asks again and again for as long as the block, and writes down what was answered."""

    cell: Cell
    answered: dict[str, int] = field(default_factory=dict)
    broken: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Askers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Nobody asks any more; raises what ended an asker."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
        if self.broken:
            raise self.broken[0]

    def look_up(self, intake: str, named: tls.Files | None) -> None:
        """As the log's console does: an officer looks for the people of this cell by their record numbers."""
        people, running = of_audit.People(intake, named), self.cell.running
        actor = f"officer-{self.cell.clients.name}"
        token = running.token("compliance", actor, "kindred")

        def ask(turn: int) -> None:
            visits = sorted(self.cell.journal.acknowledged())
            if not visits:
                return
            number = visits[turn % len(visits)].removeprefix("V-")
            given = {"record_number": f"MRN-{number}", "record_system": "urn:oid:2.999.1"}
            self._noted(READ, {"actor": actor, "referral": ""}, lambda: people.find(given, token, "HCOMPL"))

        self._ask_on("look up", ask)

    def break_glass(self, intake: str, named: tls.Files | None) -> None:
        """As matching's board does: who leads the programme asks who somebody is, and says why."""
        people, running = of_matching.People(intake, named), self.cell.running
        token = running.token("supervisor", LEADER, "harbor")

        def ask(turn: int) -> None:
            taken = sorted(self.cell.journal.accepted())
            if taken:
                referral_id = taken[turn % len(taken)]
                call = lambda: people.break_glass(referral_id, "care-now", token)  # noqa: E731
                self._noted(GLASS, {"actor": LEADER, "referral": referral_id}, call)

        self._ask_on("break the glass", ask)

    def look_around(self, seen: Running) -> None:
        """The doors that the clients of a cell do not use: notices and log over gRPC, and each service's pages."""
        officer, actor = Officer(seen), "officer-noor"

        def notices(turn: int) -> None:
            told = sorted(one for ids in self.cell.journal.acknowledged().values() for one in ids)
            if told:
                referral_id = told[turn % len(told)]
                facts = {"actor": actor, "referral": referral_id}
                self._noted(READ, facts, lambda: officer.notices(referral_id))

        def head(_: int) -> None:
            self._noted("head", {}, officer.check_size)

        self._ask_on("notices", notices)
        self._ask_on("head of the log", head)
        for service in ("matching", "notifications", "audit"):
            self._ask_on(f"{service} http", lambda _, at=seen.known.http[service]: self._page(at))

    def assert_on_record(self) -> None:
        """Every glass that was answered is in the log."""
        for referral_id in {line.facts["referral"] for line in self.cell.journal.lines(GLASS, TOLD)}:
            told = [x for x in self.cell.journal.lines(GLASS, TOLD) if x.facts["referral"] == referral_id]
            found = self.cell.ground.officer.entries(referral_id=referral_id, event_type=BROKEN)
            assert len(found) >= len(told), (referral_id, len(found), len(told))

    def _page(self, address: str) -> None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://{address}/readyz", timeout=_ASK_S).status_code == 200:
                name = f"http {address}"
                self.answered[name] = self.answered.get(name, 0) + 1

    def _noted(self, what: str, facts: dict[str, str], call: Callable[[], object]) -> None:
        journal = self.cell.journal
        journal.write(what, TRIED, **facts)
        try:
            call()
        except Refusal as no:
            outcome = UNKNOWN if no.kind in (Kind.UNAVAILABLE, Kind.TOO_EARLY) else REFUSED
            journal.write(what, outcome, code=no.code, **facts)
        except grpc.RpcError as no:
            journal.write(what, UNKNOWN, code=no.code().name, **facts)
        else:
            journal.write(what, TOLD, **facts)
            self.answered[what] = self.answered.get(what, 0) + 1

    def _ask_on(self, name: str, ask: Callable[[int], None]) -> None:
        def again_and_again() -> None:
            turn = 0
            try:
                while not self._over.wait(_PAUSE_S):
                    ask(turn)
                    turn += 1
            except BaseException as error:  # noqa: BLE001  told at the end of the block
                self.broken.append(error)

        thread = threading.Thread(target=again_and_again, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
