"""Asking intake who somebody is: the only way from a name to an id, in the officer's own name, kept nowhere here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.grpc_client import channel
from chassis.rich_status import refused
from chassis.tls import Files
from kindred.intake.v1 import lookup_pb2 as pb
from kindred.intake.v1.lookup_pb2_grpc import LookupServiceStub

FIELDS = ("family_name", "given_name", "birth_date", "record_number", "record_system")
_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """PHI: shown to the officer who asked, and in no store, log or address of this service."""

    peer_id: str
    family_name: str
    given_name: str
    birth_date: str
    also_known_as: tuple[str, ...]
    likeness: str
    sources: tuple[str, ...]


class People:
    """Intake's LookupService at an address; "" where nobody said where it is."""

    def __init__(self, address: str, named: Files | None = None) -> None:
        self._address, self._named = address, named

    def is_there(self) -> bool:
        """Whether anybody can be asked."""
        return bool(self._address)

    def find(self, given: dict[str, str], token: str, purpose: str) -> Sequence[FoundPerson]:
        """Who answers to the description; intake has audited it before this returns. Raises Refusal."""
        asked = pb.FindPeopleRequest(**{name: given.get(name, "") for name in FIELDS})
        correlation_id = telemetry.current_cause().correlation_id
        call = {"token": token, "purpose": purpose, "correlation_id": correlation_id}
        with channel(self._address, named=self._named, **call) as opened:
            try:
                answer = LookupServiceStub(opened).FindPeople(asked, timeout=_WAIT_S)
            except grpc.RpcError as failed:
                raise _refusal(failed) from None
        return [
            FoundPerson(
                one.peer_id,
                one.family_name,
                one.given_name,
                one.birth_date,
                tuple(one.also_known_as),
                one.likeness,
                tuple(one.sources),
            )
            for one in answer.people
        ]


def _refusal(failed: grpc.RpcError) -> Refusal:
    """Intake's refusal with the fields at fault; whatever says nothing of the question says that intake is away."""
    told = refused(failed)
    if told.kind in (Kind.INVALID, Kind.FORBIDDEN, Kind.UNAUTHENTICATED):
        return told
    return Refusal("intake-away", Kind.UNAVAILABLE, "Intake does not answer.", retry_after_s=2)
