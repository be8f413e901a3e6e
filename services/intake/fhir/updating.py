"""What a Task that is sent back asks of its referral: to end, to be withdrawn as an error, or that the peer leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.errors import Fault, Kind, Refusal
from services.intake.domain.commands import CANCEL_REASONS, PEER_REASONS
from services.intake.domain.states import State
from services.intake.fhir import names
from services.intake.fhir.ordering import business_codes
from services.intake.fhir.parcel import end_of

Resource = dict[str, Any]
# Elements a source may change; of the others the server's own word stands, and who changes them is told so.
_SETTABLE = frozenset({"status", "statusReason", "businessStatus", "restriction", "input"})
# The server sets these itself, whatever is sent (R4 http.html#update); words for people change nothing.
_SERVERS = frozenset({"meta", "lastModified", "text", "output", "language"})
# Who ends a referral is not asked to send the rest as it was read: a sender's own copy of its Task is enough.
_ENDING = frozenset({"cancelled", "entered-in-error"})
_ENDED = frozenset({"5.2", "6.0"})


@dataclass(frozen=True)
class Cancel:
    """The source takes the referral back."""

    reason_code: str


@dataclass(frozen=True)
class Decline:
    """The peer said no."""

    reason_code: str


@dataclass(frozen=True)
class EnterInError:
    """It should never have been submitted."""


@dataclass(frozen=True)
class Leave:
    """The peer leaves at this time."""

    at: datetime


Ask = Cancel | Decline | EnterInError | Leave | None


def read(current: Resource, sent: Resource) -> Ask:
    """What changed and so is asked; None where nothing did.

    Raises Refusal INVALID with every fault: what only this server says, a contradiction, a missing reason.
    """
    status = sent.get("status")
    foreign = [] if status in _ENDING else _foreign(current, sent)
    faults = [*foreign, *_contradictions(current, sent)]
    if faults:
        raise Refusal(faults[0].code, Kind.INVALID, faults[0].message, faults=faults)
    if status == "cancelled":
        return _cancel(current, sent)
    if status == "entered-in-error":
        return None if current["status"] == status else EnterInError()
    if status != current["status"]:
        message = (
            "A source may set cancelled or entered-in-error; how far the referral is, is not its to say."
        )
        fault = Fault("Task.status", "status-not-settable", message)
        raise Refusal(fault.code, Kind.INVALID, message, faults=[fault])
    leaves_at = _departure(current, sent)
    return Leave(leaves_at) if leaves_at is not None else None


def _foreign(current: Resource, sent: Resource) -> list[Fault]:
    message = "A source does not set this element; send it as it was read, or not at all."
    changed = [
        key for key, value in sent.items() if key not in _SETTABLE | _SERVERS and value != current.get(key)
    ]
    return [Fault(f"Task.{key}", "element-not-settable", message) for key in changed]


def _contradictions(current: Resource, sent: Resource) -> list[Fault]:
    """A business status that was left as it was read says nothing; a new one must fit the status."""
    if "businessStatus" not in sent or sent["businessStatus"] == current.get("businessStatus"):
        return []
    codes = set(business_codes(sent))
    allowed = _ENDED if sent.get("status") == "cancelled" else set(business_codes(current))
    if codes <= allowed:
        return []
    message = "The business status contradicts the status."
    return [Fault("Task.businessStatus", "task-status-contradictory", message)]


def _cancel(current: Resource, sent: Resource) -> Ask:
    if current["status"] == "cancelled":
        return None
    codings = sent.get("statusReason", {}).get("coding", [])
    ours = [coding.get("code", "") for coding in codings if coding.get("system") == names.REASONS]
    if not ours:
        return Cancel(_unspecified(sent, codings))
    code = ours[0]
    if _is_by_peer(sent) and code in PEER_REASONS:
        return Decline(code)
    if code in CANCEL_REASONS:
        return Cancel(code)
    if code in PEER_REASONS:
        return Decline(code)
    known = ", ".join(dict.fromkeys((*CANCEL_REASONS, *PEER_REASONS)))
    raise _reason_fault("reason-unknown", f"The reasons are: {known}.")


def _unspecified(sent: Resource, codings: list[Resource]) -> str:
    """A reason in somebody else's words is a reason of its own; none at all is not (DOMAIN 1)."""
    if not codings and not sent.get("statusReason", {}).get("text", "").strip():
        raise _reason_fault("reason-missing", "Say why: who cancels gives a reason.")
    return "other"


def _reason_fault(code: str, message: str) -> Refusal:
    return Refusal(code, Kind.INVALID, message, faults=[Fault("Task.statusReason", code, message)])


def _is_by_peer(sent: Resource) -> bool:
    codings = sent.get("businessStatus", {}).get("coding", [])
    state = State.DECLINED_BY_PEER.value
    return any(one.get("system") == names.STATES and one.get("code") == state for one in codings)


def _departure(current: Resource, sent: Resource) -> datetime | None:
    """A new time of departure: a changed input "expected-departure", else a changed end of the restriction."""
    known = _inputs(current)
    said = [*(one for one in _inputs(sent) if one not in known), *_restricted(sent)]
    return next((moment for moment in said if moment not in known), None)


def _inputs(task: Resource) -> list[datetime]:
    found = []
    for one in task.get("input", []):
        codings = one["type"].get("coding", [])
        is_departure = any(
            coding.get("system") == names.INPUTS and coding.get("code") == "expected-departure"
            for coding in codings
        )
        moment = end_of(one.get("valueDateTime")) if is_departure else None
        found += [moment] if moment is not None else []
    return found


def _restricted(task: Resource) -> list[datetime]:
    moment = end_of(task.get("restriction", {}).get("period", {}).get("end"))
    return [moment] if moment is not None else []
