"""F-01 to F-05: intake's api is killed at the worst moments, stands still, is restarted under load and overloaded."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from kindred.intake.v1 import events_pb2
from tests.driving import a_referral, until
from tests.faults.ground import Cell

pytestmark = pytest.mark.slow_faults
API = "intake-api"
KILLS = 5
RESTARTS = 20


def killed_again_and_again(cell: Cell, where: str) -> None:
    """Submits go on while the api dies at its third passing of `where`, `KILLS` times."""
    with cell.load(5 * KILLS, over_s=12):
        for _ in range(KILLS):
            cell.kill(API) if cell.ground.is_alive(API) else None
            cell.ground.begin(API, KINDRED_FAILPOINTS=f"{where}=kill@3")
            until("it died at the point", lambda: not cell.ground.is_alive(API))
            cell.broke(API, f"kill -9 at {where}")
        cell.ground.up()


@pytest.mark.fault("F-01")
def test_killed_after_the_commit_before_the_answer(cell: Cell) -> None:
    """F-01: what was stored and not answered is answered to the retry with the same key; one referral, no orphan."""
    killed_again_and_again(cell, "api.after_call_before_answer")
    assert "UNAVAILABLE" in cell.clients.codes
    cell.conclude()


@pytest.mark.fault("F-02")
def test_killed_before_the_commit(cell: Cell) -> None:
    """F-02: what was neither stored nor answered is stored by the retry; one referral, no orphan."""
    killed_again_and_again(cell, "referrals.before_insert")
    assert "UNAVAILABLE" in cell.clients.codes
    cell.conclude()


@pytest.mark.fault("F-03")
def test_stands_still_with_calls_in_flight(cell: Cell) -> None:
    """F-03: clients' deadlines fire; a call nobody waits for any more is not begun once it moves again."""
    with cell.load(16, over_s=10):
        cell.rest(1)
        with cell.ground.frozen(API):
            cell.broke(API, "SIGSTOP 10 s")
            late = [
                cell.clients.er.stub.SubmitReferral.future(
                    _nobodys(cell, n), timeout=1.0, metadata=cell.clients.er.client.metadata
                )
                for n in range(8)
            ]
            cell.rest(10)
            codes = {one.code() for one in late}
        assert codes <= {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}, codes
    cell.conclude()
    keys = {f"MRN-late-{cell.clients.name}-{n}" for n in range(8)}
    assert keys
    assert _stored_late(cell) == 0


def _nobodys(cell: Cell, number: int):
    """A referral whose submitter leaves after a second; it is no line of the journal, and must leave nothing."""
    return a_referral(f"late-{cell.clients.name}-{number}", urgency=events_pb2.URGENCY_URGENT)


def _stored_late(cell: Cell) -> int:
    """Referrals submitted in this cell beyond those of its journal."""
    intake = cell.running.database("intake")
    said = intake.outbox.count_documents(
        {"seq": {"$gt": cell.since["intake"]}, "type": "referral.submitted.v1"}
    )
    return said - len(cell.journal.acknowledged())


@pytest.mark.fault("F-04")
def test_rolling_restarts_under_load(cell: Cell) -> None:
    """F-04: 20 restarts by SIGTERM; nobody hears anything but that the call was not carried out; the retry succeeds."""
    with cell.load(4 * RESTARTS, over_s=40):
        for _ in range(RESTARTS):
            assert cell.ground.stop_by_term(API) == "stopped"
            cell.broke(API, "SIGTERM")
            cell.ground.up()
            cell.rest(0.5)
    # CANCELLED: it came in the very moment the server stopped and was given to no method (chassis/grpc_client.py).
    assert cell.clients.codes <= {"UNAVAILABLE", "CANCELLED", "FAILED_PRECONDITION"}, cell.clients.codes
    cell.note_doubts()
    cell.conclude()


@pytest.mark.fault("F-05")
def test_five_times_the_load(cell: Cell) -> None:
    """F-05: what is too much is refused at once and honestly; what was accepted is whole, and afterwards all is well."""
    alone = _flood(cell, "alone", 20, at_once=2)
    flood = _flood(cell, "flood", 600, at_once=400)
    refused = [seconds for code, seconds in flood if code == "RESOURCE_EXHAUSTED"]
    served = sorted(seconds for code, seconds in flood if code == "OK")
    assert {code for code, _ in flood} <= {"OK", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED"}
    assert refused
    assert served
    cell.broke(API, "overload")
    quiet = sorted(seconds for _, seconds in alone)
    cell.notes |= {
        "served": len(served),
        "refused": len(refused),
        "p50 refused ms": round(sorted(refused)[len(refused) // 2] * 1000),
        "p99 served / quiet": round(served[int(len(served) * 0.99)] / quiet[-1], 1),
    }
    with cell.load(4, over_s=1):
        pass
    cell.conclude()


def _flood(cell: Cell, name: str, count: int, at_once: int) -> list[tuple[str, float]]:
    """How each of `count` submits ended and how long it took, `at_once` on the way at the same time."""
    er = cell.clients.er

    def one(number: int) -> tuple[str, float]:
        request = a_referral(f"{cell.clients.name}-{name}-{number}", urgency=events_pb2.URGENCY_URGENT)
        cell.journal.write("submit", "tried", visit=request.visit_number)
        begun = time.monotonic()
        try:
            told = er.stub.SubmitReferral(request, timeout=10.0, metadata=er.client.metadata)
        except grpc.RpcError as error:
            cell.journal.write("submit", "unknown", visit=request.visit_number, code=error.code().name)
            return error.code().name, time.monotonic() - begun
        took = time.monotonic() - begun
        cell.journal.write("submit", "told", visit=request.visit_number, referral=told.referral_id)
        return "OK", took

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, range(count)))
