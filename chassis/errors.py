"""The one error a service refuses with, and how each kind of refusal looks in every protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Every way Kindred says no; a closed set, and each table below names all of them."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    TOO_LARGE = "too-large"
    EXHAUSTED = "exhausted"
    TOO_EARLY = "too-early"
    UNAVAILABLE = "unavailable"


class End(StrEnum):
    """The three ends of a message (RELIABILITY, "The three ends")."""

    HANDLED = "handled"
    RETRIED = "retried"
    PARKED = "parked"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an input: where, which, and a sentence without the value that was sent."""

    path: str
    code: str
    message: str


class Refusal(Exception):  # noqa: N818  a refusal is an answer, not an accident
    """A request or message that Kindred understood and will not carry out.

    `code` is stable and public. `facts` hold ids and numbers only, never PHI.
    `is_on_record` is True where whoever raises it has written the denial down, with the record's id.
    """

    is_on_record = False

    def __init__(
        self,
        code: str,
        kind: Kind,
        message: str = "",
        *,
        faults: Sequence[Fault] = (),
        retry_after_s: int | None = None,
        **facts: str | int,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.kind = kind
        self.message = message or code.replace("-", " ")
        self.faults = tuple(faults)
        self.retry_after_s = retry_after_s
        self.facts = facts


# Names of grpc.StatusCode members; kept as text so that a worker never imports grpc.
GRPC_STATUS: dict[Kind, str] = {
    Kind.INVALID: "INVALID_ARGUMENT",
    Kind.UNAUTHENTICATED: "UNAUTHENTICATED",
    Kind.FORBIDDEN: "PERMISSION_DENIED",
    Kind.NOT_FOUND: "NOT_FOUND",
    Kind.CONFLICT: "FAILED_PRECONDITION",
    Kind.TOO_LARGE: "OUT_OF_RANGE",
    Kind.EXHAUSTED: "RESOURCE_EXHAUSTED",
    Kind.TOO_EARLY: "ABORTED",
    Kind.UNAVAILABLE: "UNAVAILABLE",
}

HTTP_STATUS: dict[Kind, int] = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.EXHAUSTED: 429,
    Kind.TOO_EARLY: 425,
    Kind.UNAVAILABLE: 503,
}

# FHIR R4 value set issue-type (OperationOutcome.issue.code).
OUTCOME_TYPE: dict[Kind, str] = {
    Kind.INVALID: "invalid",
    Kind.UNAUTHENTICATED: "login",
    Kind.FORBIDDEN: "forbidden",
    Kind.NOT_FOUND: "not-found",
    Kind.CONFLICT: "conflict",
    Kind.TOO_LARGE: "too-long",
    Kind.EXHAUSTED: "throttled",
    Kind.TOO_EARLY: "transient",
    Kind.UNAVAILABLE: "transient",
}

# HL7 table 0357 (ERR-3) for the kind as a whole; a fault of its own may say more.
HL7_ERR: dict[Kind, str] = {
    Kind.INVALID: "102",
    Kind.UNAUTHENTICATED: "207",
    Kind.FORBIDDEN: "207",
    Kind.NOT_FOUND: "204",
    Kind.CONFLICT: "205",
    Kind.TOO_LARGE: "207",
    Kind.EXHAUSTED: "207",
    Kind.TOO_EARLY: "206",
    Kind.UNAVAILABLE: "206",
}

WORKER_END: dict[Kind, End] = {
    Kind.INVALID: End.HANDLED,
    Kind.UNAUTHENTICATED: End.HANDLED,
    Kind.FORBIDDEN: End.HANDLED,
    Kind.NOT_FOUND: End.HANDLED,
    Kind.CONFLICT: End.HANDLED,
    Kind.TOO_LARGE: End.HANDLED,
    Kind.EXHAUSTED: End.RETRIED,
    Kind.TOO_EARLY: End.RETRIED,
    Kind.UNAVAILABLE: End.RETRIED,
}
