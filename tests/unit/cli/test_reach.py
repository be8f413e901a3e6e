"""How the command line asks again: only what reads, and only where a part is away for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from cli import reach
from kindred.audit.v1 import audit_pb2
from kindred.intake.v1 import intake_pb2
from kindred.matching.v1 import matching_pb2, matching_pb2_grpc
from kindred.notifications.v1 import notifications_pb2

FILES = (audit_pb2, intake_pb2, matching_pb2, notifications_pb2)


def test_an_entry_about_an_officers_call_names_their_organization(monkeypatch):
    """Whoever exports or erases is of somewhere, as whoever reads a report is."""
    minted: list[tuple[str, ...]] = []
    monkeypatch.setattr(reach.Reach, "token", lambda self, *who: minted.append(who) or "token")
    assert dict(reach.Reach().officer())["x-purpose-of-use"] == "HCOMPL"
    assert minted == [("compliance", "cli-compliance", "kindred")]


class Busy(matching_pb2_grpc.MatchingServiceServicer):
    """A matching service whose database is slow the first time."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ListOffers(self, request: Any, context: Any) -> Any:
        """Answered at the second try."""
        return self._second(context, "ListOffers", matching_pb2.ListOffersResponse())

    def AcceptOffer(self, request: Any, context: Any) -> Any:
        """Would be answered at the second try."""
        return self._second(context, "AcceptOffer", matching_pb2.AcceptOfferResponse())

    def _second(self, context: Any, name: str, answer: Any) -> Any:
        self.asked.append(name)
        if self.asked.count(name) < 2:
            context.abort(grpc.StatusCode.UNAVAILABLE, "slow")
        return answer


@pytest.fixture
def busy() -> Iterator[tuple[Busy, Any]]:
    """The service, and the stub of a command."""
    served = Busy()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    matching_pb2_grpc.add_MatchingServiceServicer_to_server(served, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = reach._opened(f"127.0.0.1:{port}", None)
    yield served, matching_pb2_grpc.MatchingServiceStub(channel)
    channel.close()
    server.stop(None)


def test_what_reads_is_asked_again(busy: tuple[Busy, Any]):
    """One slow answer of a busy machine ends no demonstration."""
    served, stub = busy
    stub.ListOffers(matching_pb2.ListOffersRequest(), timeout=20)
    assert served.asked == ["ListOffers", "ListOffers"]


def test_what_changes_something_is_not(busy: tuple[Busy, Any]):
    """Whoever accepts is told, and decides: nothing is done twice behind their back."""
    served, stub = busy
    with pytest.raises(grpc.RpcError):
        stub.AcceptOffer(matching_pb2.AcceptOfferRequest(), timeout=20)
    assert served.asked == ["AcceptOffer"]


def test_what_is_asked_again_is_there():
    """A method that was renamed would silently be asked once only."""
    there = {
        (service.full_name, method.name)
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert {(service, method) for service, methods in reach.READS.items() for method in methods} <= there
