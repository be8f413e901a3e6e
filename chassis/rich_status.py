"""Refusals as google.rpc.Status and back: what a gRPC caller of Kindred gets besides the status code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis.errors import GRPC_STATUS, Fault, Kind, Refusal

DOMAIN = "kindred"
_KIND_OF = {status: kind for kind, status in GRPC_STATUS.items()}


def code_name(number: int) -> str:
    """The name of a status code, such as "INVALID_ARGUMENT"."""
    return str(code_pb2.Code.Name(number))


def refusal_status(refusal: Refusal) -> status_pb2.Status:
    """The refusal as google.rpc.Status: ErrorInfo always, BadRequest for faults, RetryInfo where waiting helps."""
    facts = {name: str(value) for name, value in refusal.facts.items()}
    parts: list[Message] = [error_details_pb2.ErrorInfo(reason=refusal.code, domain=DOMAIN, metadata=facts)]
    if refusal.faults:
        parts.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=fault.path, description=fault.message, reason=fault.code
                    )
                    for fault in refusal.faults
                ]
            )
        )
    if refusal.retry_after_s is not None:
        delay = duration_pb2.Duration(seconds=refusal.retry_after_s)
        parts.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return _status(GRPC_STATUS[refusal.kind], refusal.message, parts)


def internal_status(error_id: str) -> status_pb2.Status:
    """INTERNAL with the error's id and no other word about it."""
    info = error_details_pb2.ErrorInfo(reason="internal", domain=DOMAIN, metadata={"error_id": error_id})
    return _status("INTERNAL", "Something went wrong here. Quote the error id.", [info])


def _status(code: str, message: str, parts: Sequence[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code_pb2.Code.Value(code), message=message)
    for part in parts:
        packed = any_pb2.Any()
        packed.Pack(part)
        status.details.append(packed)
    return status


def refused(error: grpc.RpcError) -> Refusal:
    """The refusal a server of ours sent, read back from the rich details of `error`.

    A status without details (an unreachable server, a limit of grpc itself) becomes a refusal whose code is the
    status in kebab case, such as "deadline-exceeded".
    """
    status_code: grpc.StatusCode = error.code()
    kind = _KIND_OF.get(status_code.name, Kind.UNAVAILABLE)
    code, message, facts = status_code.name.lower().replace("_", "-"), "", {}
    faults: list[Fault] = []
    retry_after_s: int | None = None
    status = _details(error)
    if status is not None:
        message = status.message
        for part in status.details:
            if part.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = _unpacked(part, error_details_pb2.ErrorInfo())
                code, facts = info.reason, dict(info.metadata)
            elif part.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = _unpacked(part, error_details_pb2.BadRequest())
                faults = [Fault(item.field, item.reason, item.description) for item in bad.field_violations]
            elif part.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry_after_s = int(_unpacked(part, error_details_pb2.RetryInfo()).retry_delay.seconds)
    refusal = Refusal(code, kind, message, faults=faults, retry_after_s=retry_after_s)
    refusal.facts = dict(facts)
    return refusal


def _details(error: grpc.RpcError) -> status_pb2.Status | None:
    try:
        return rpc_status.from_call(error)  # type: ignore[arg-type]
    except ValueError:  # details that do not agree with the status: somebody else's server
        return None


def _unpacked(part: any_pb2.Any, into: Message) -> Any:
    part.Unpack(into)
    return into
