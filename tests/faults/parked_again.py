"""What an operator does with parked events, over the services' own doors: `kindred parked list`, `replay`, `discard`."""

from __future__ import annotations

from typing import Any

from kindred.operations.v1 import operations_pb2, operations_pb2_grpc
from tests.driving import SERVICES, Client, Running

_DEADLINE_S = 30.0


def parked(running: Running, service: str) -> list[Any]:
    """The service's parked events, with the code of why, oldest first."""
    told = _ask(running, service, "ListParked", operations_pb2.ListParkedRequest(limit=1_000))
    return list(told.parked)


def replayed(running: Running, reason: str) -> int:
    """Every event that any service parked for this reason is in its inbox again; how many those are."""
    count = 0
    for service in SERVICES:
        ids = [one.parked_id for one in parked(running, service) if one.reason_code == reason]
        if ids:
            request = operations_pb2.ReplayParkedRequest(parked_ids=ids)
            count += _ask(running, service, "ReplayParked", request).replayed
    return count


def discarded(running: Running, service: str, why: str) -> int:
    """Whatever the service parked is given up, with the reason; how many events those are."""
    rows = parked(running, service)
    for one in rows:
        request = operations_pb2.DiscardParkedRequest(parked_id=one.parked_id, reason=why)
        _ask(running, service, "DiscardParked", request)
    return len(rows)


def _ask(running: Running, service: str, method: str, request: Any) -> Any:
    client = Client(running, service, running.token("engineer", "engineer-wei", "kindred"), "HOPERAT")
    try:
        stub = operations_pb2_grpc.OperationsServiceStub(client.channel)
        return getattr(stub, method)(request, timeout=_DEADLINE_S, metadata=client.metadata)
    finally:
        client.channel.close()
