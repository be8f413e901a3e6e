"""The clients of a cell: nurses who submit, specialists who accept, readers; each writes its own journal."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import httpx

from kindred.intake.v1 import events_pb2
from tests.driving import Er, Roster, Running, a_referral
from tests.faults.journal import ACCEPT, READ, REFUSED, SUBMIT, TOLD, TRIED, UNKNOWN, Journal

# Nobody knows whether the call was carried out: tried again, with the same key.
IN_DOUBT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
READER = "nurse-reader"
_AGAIN_S = 0.2
_READ_S = 4.0


@dataclass(repr=False)  # the addresses of a running system hold its passwords
class Clients:
    """Everybody who calls during one cell; `name` keeps its people and visits apart from those of other cells."""

    running: Running
    roster: Roster
    journal: Journal
    name: str
    chance: random.Random
    codes: set[str] = field(default_factory=set)  # every status a submitter was refused or left in doubt with

    def __post_init__(self) -> None:
        self.er = Er(self.running)
        self.actor = f"{READER}-{self.name}"
        self._reader = self.running.token("nurse", self.actor, self.er.source_id)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._submitters: list[threading.Thread] = []
        self.broken: list[BaseException] = []

    def start(self, referrals: int, over_s: float, submitters: int = 4) -> None:
        """`referrals` are submitted within about `over_s` seconds; what stands is accepted and read meanwhile."""
        moments = sorted(self.chance.uniform(0, over_s) for _ in range(referrals))
        begun = time.monotonic()
        self._stop.clear()
        self._threads.clear()
        self._submitters.clear()
        first = len(self.journal.visits())
        for turn in range(submitters):
            mine = [(at, first + n) for n, at in enumerate(moments) if n % submitters == turn]
            self._submitters.append(self._run(lambda mine=mine: self._submit_all(mine, begun)))
        self._run(self._accept_all)
        self._run(self._read_all)

    def finish(self, within_s: float) -> None:
        """Every submitter was told and every referral is somebody's; then nobody calls any more."""
        deadline = time.monotonic() + within_s
        try:
            while not self.broken and not self.is_done():
                if time.monotonic() > deadline:
                    told, taken = self.journal.acknowledged(), self.journal.accepted()
                    raise AssertionError(
                        f"after {within_s:.0f} s {len(told)} of {len(self.journal.visits())} were told, "
                        f"{len(taken)} accepted; codes seen: {sorted(self.codes)}"
                    )
                time.sleep(0.1)
        finally:
            self.stop()
        if self.broken:
            raise self.broken[0]

    def stop(self) -> None:
        """Nobody calls any more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def is_done(self) -> bool:
        """Every submitter was told, and whatever anybody was told of is somebody's."""
        told = set().union(*self.journal.acknowledged().values())
        return not any(one.is_alive() for one in self._submitters) and told <= self.journal.accepted().keys()

    def submit(self, number: int | str) -> str:
        """Until told; every try is a line."""
        # Urgent: its waves outlast a cell, so that no offer expires because its specialist was kept waiting.
        request = a_referral(f"{self.name}-{number}", urgency=events_pb2.URGENCY_URGENT)
        visit = request.visit_number
        while True:
            self.journal.write(SUBMIT, TRIED, visit=visit)
            try:
                told = self.er.submit(request)
            except grpc.RpcError as error:
                self._note(SUBMIT, error, visit=visit)
                if self._stop.wait(_AGAIN_S):
                    return ""
                continue
            self.journal.write(SUBMIT, TOLD, visit=visit, referral=told.referral_id)
            return told.referral_id

    def _submit_all(self, mine: list[tuple[float, int]], begun: float) -> None:
        for moment, number in mine:
            self._stop.wait(max(0.0, begun + moment - time.monotonic()))
            self.submit(number)

    def _note(self, what: str, error: grpc.RpcError, **facts: str) -> None:
        code = error.code()
        self.codes.add(code.name)
        outcome = UNKNOWN if code in IN_DOUBT else REFUSED
        self.journal.write(what, outcome, code=code.name, **facts)
        if outcome == REFUSED and what == SUBMIT:
            raise error

    def _accept_all(self) -> None:
        while not self._stop.wait(_AGAIN_S):
            taken = self.journal.accepted()
            for ids in self.journal.acknowledged().values():
                for referral_id in ids - taken.keys():
                    self._accept(referral_id)

    def _accept(self, referral_id: str) -> None:
        case = self.roster.case(referral_id)
        if case is None:
            return
        if case.state == "assigned":  # the answer to an acceptance got lost: the case says whose it is
            self.journal.write(ACCEPT, TOLD, referral=referral_id, specialist=case.assigned_specialist_id)
            return
        offer = next((one for one in case.offers if one.state == "open"), None)
        if offer is None:
            return
        who = {"referral": referral_id, "specialist": offer.specialist_id}
        self.journal.write(ACCEPT, TRIED, **who)
        try:
            self.roster.accept(offer)
        except grpc.RpcError as error:
            self._note(ACCEPT, error, **who)
            return
        self.journal.write(ACCEPT, TOLD, **who)

    def _read_all(self) -> None:
        sent = {"Authorization": f"Bearer {self._reader}", "X-Purpose-Of-Use": "TREAT"}
        with httpx.Client(headers=sent, timeout=_READ_S) as client:
            while not self._stop.wait(_AGAIN_S):
                known = [one for ids in self.journal.acknowledged().values() for one in ids]
                if known:
                    self.read(client, self.chance.choice(known))

    def read(self, client: httpx.Client, referral_id: str) -> int:
        """One read of the referral; the HTTP status, 0 where there was no answer."""
        facts = {"actor": self.actor, "referral": referral_id}
        self.journal.write(READ, TRIED, **facts)
        url = f"http://{self.running.known.http['intake']}/fhir/Task/{referral_id}"
        try:
            answer = client.get(url)
        except httpx.HTTPError:
            self.journal.write(READ, UNKNOWN, **facts)
            return 0
        outcome = TOLD if answer.status_code == 200 else REFUSED
        self.journal.write(READ, outcome, code=str(answer.status_code), **facts)
        return answer.status_code

    def reading(self) -> httpx.Client:
        """A connection that reads as this cell's reader."""
        sent = {"Authorization": f"Bearer {self._reader}", "X-Purpose-Of-Use": "TREAT"}
        return httpx.Client(headers=sent, timeout=_READ_S)

    def _run(self, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  told where the cell finishes
                self.broken.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread
