"""Asking intake who somebody is: the only way from a name to an id, in the officer's own name, kept nowhere here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from chassis.grpc_client import channel
from kindred.intake.v1 import lookup_pb2 as pb
from kindred.intake.v1.lookup_pb2_grpc import LookupServiceStub

FIELDS = ("family_name", "given_name", "birth_date", "record_number", "record_system")
_WAIT_S = 5.0
_KINDS = {
    "INVALID_ARGUMENT": Kind.INVALID,
    "PERMISSION_DENIED": Kind.FORBIDDEN,
    "UNAUTHENTICATED": Kind.UNAUTHENTICATED,
}


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

    def __init__(self, address: str) -> None:
        self._address = address

    def is_there(self) -> bool:
        """Whether anybody can be asked."""
        return bool(self._address)

    def find(self, given: dict[str, str], token: str, purpose: str) -> Sequence[FoundPerson]:
        """Who answers to the description; intake has audited it before this returns. Raises Refusal."""
        asked = pb.FindPeopleRequest(**{name: given.get(name, "") for name in FIELDS})
        correlation_id = telemetry.current_cause().correlation_id
        with channel(self._address, token=token, purpose=purpose, correlation_id=correlation_id) as opened:
            try:
                answer = LookupServiceStub(opened).FindPeople(asked, timeout=_WAIT_S)
            except grpc.RpcError as refused:
                raise _refusal(refused) from None
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


def _refusal(refused: grpc.RpcError) -> Refusal:
    """Intake's refusal as ours, with the fields at fault; anything else says that intake does not answer."""
    kind = _KINDS.get(refused.code().name)
    if kind is None:
        return Refusal("intake-away", Kind.UNAVAILABLE, "Intake does not answer.", retry_after_s=2)
    code, faults = "lookup-refused", []
    status = rpc_status.from_call(cast(grpc.Call, refused))
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            code = info.reason
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            request = error_details_pb2.BadRequest()
            detail.Unpack(request)
            faults += [Fault(one.field, code, one.description) for one in request.field_violations]
    return Refusal(code, kind, "Intake refused.", faults=faults)
