"""A referral as an R4 Task, and the answer to a submitted Bundle (DOMAIN 1: Task.status and business status)."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from typing import Any

from services.intake.domain.person import RecordNumber
from services.intake.domain.referral import Referral
from services.intake.domain.states import State

Resource = dict[str, Any]
SYSTEM = "https://kindred.example/fhir/"
REFERRAL_ID = SYSTEM + "identifier/referral"
PEER_ID = SYSTEM + "identifier/peer"
SOURCE_ID = SYSTEM + "identifier/source"
STATES = SYSTEM + "CodeSystem/referral-state"
REASONS = SYSTEM + "CodeSystem/referral-reason"
OUTPUTS = SYSTEM + "CodeSystem/task-output"
BUSINESS = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"
_IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_TASK_CODES = "http://hl7.org/fhir/CodeSystem/task-code"
_PRIORITIES = {"immediate": "stat", "urgent": "urgent", "routine": "routine"}

# State -> (Task.status, BSeR/360X business status or empty).
STATUS: dict[State, tuple[str, str]] = {
    State.SUBMITTED: ("requested", "2.0"),
    State.NEEDS_INFORMATION: ("on-hold", ""),
    State.REFUSED: ("rejected", "4.0"),
    State.SEEKING: ("accepted", "3.0"),
    State.UNFILLED: ("accepted", "3.0"),
    State.ASSIGNED: ("accepted", "5.1.1"),
    State.MET: ("in-progress", "5.1.4"),
    State.NOT_MET: ("in-progress", "5.1.2"),
    State.ENGAGED: ("in-progress", ""),
    State.CANCEL_REQUESTED: ("cancelled", "5.2"),
    State.CANCELLED: ("cancelled", "6.0"),
    State.DECLINED_BY_PEER: ("cancelled", "6.0"),
    State.REFERRED_ELSEWHERE: ("completed", "7.0"),
    State.COMPLETED: ("completed", "7.0"),
    State.EXPIRED: ("failed", "6.0"),
    State.ENTERED_IN_ERROR: ("entered-in-error", ""),
}


def of(referral: Referral, placers: tuple[RecordNumber, ...]) -> Resource:
    """The Task of a referral; both sides' identifiers are kept (placer and filler)."""
    status, business = STATUS[referral.state]
    task: Resource = {
        "resourceType": "Task",
        "id": referral.referral_id,
        "meta": {"versionId": str(referral.task_version), "lastUpdated": instant(referral.state_at)},
        "identifier": [_identifier("FILL", REFERRAL_ID, referral.referral_id), *_placed(placers)],
        "status": status,
        "businessStatus": {"coding": _business(referral.state, business), "text": referral.state.value},
        "intent": "order",
        "priority": _PRIORITIES[referral.urgency],
        "code": {"coding": [{"system": _TASK_CODES, "code": "fulfill"}]},
        "focus": {"type": "ServiceRequest", "identifier": _focus(referral, placers)},
        "for": {"type": "Patient", "identifier": {"system": PEER_ID, "value": referral.peer_id}},
        "authoredOn": instant(referral.submitted_at),
        "lastModified": instant(referral.state_at),
        "requester": {
            "type": "Organization",
            "identifier": {"system": SOURCE_ID, "value": referral.source_id},
        },
    }
    if referral.reason_code:
        task["statusReason"] = {"coding": [{"system": REASONS, "code": referral.reason_code}]}
    outputs = _outputs(referral)
    if outputs:
        task["output"] = outputs
    return task


def _business(state: State, business: str) -> list[Resource]:
    ours = {"system": STATES, "code": state.value}
    return [{"system": BUSINESS, "code": business}, ours] if business else [ours]


def _placed(placers: tuple[RecordNumber, ...]) -> list[Resource]:
    return [_identifier("PLAC", placer.system, placer.value) for placer in placers]


def _focus(referral: Referral, placers: tuple[RecordNumber, ...]) -> Resource:
    """The source's own number of its order where it gave one, else ours."""
    if placers:
        return {"system": _uri(placers[0].system), "value": placers[0].value}
    return {"system": REFERRAL_ID, "value": referral.referral_id}


def _identifier(kind: str, system: str, value: str) -> Resource:
    return {
        "type": {"coding": [{"system": _IDENTIFIER_TYPES, "code": kind}]},
        "system": _uri(system),
        "value": value,
    }


def _uri(system: str) -> str:
    """A number the source gave without a system gets one that names the source."""
    return SOURCE_ID + "/" + system.removeprefix("source:") if system.startswith("source:") else system


def _outputs(referral: Referral) -> list[Resource]:
    """What the specialist said about their coming; never computed."""
    outputs: list[Resource] = []
    if referral.promised_arrival_at is not None:
        moment = instant(referral.promised_arrival_at)
        outputs.append({"type": _output("promised-arrival"), "valueDateTime": moment})
    if referral.modality:
        outputs.append({"type": _output("modality"), "valueCode": referral.modality})
    return outputs


def _output(code: str) -> Resource:
    return {"coding": [{"system": OUTPUTS, "code": code}]}


def etag(referral: Referral) -> str:
    """The weak entity tag of the Task's version."""
    return f'W/"{referral.task_version}"'


def http_date(moment: datetime) -> str:
    """The moment as HTTP writes dates (RFC 9110, 5.6.7)."""
    return format_datetime(moment, usegmt=True)


def instant(moment: datetime) -> str:
    """The moment as R4 writes an instant."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def submitted(bundle_type: str, entry_types: list[str], referral: Referral, *, was_known: bool) -> Resource:
    """The answer to a Bundle: for a transaction one response per entry in its order, for a collection one.

    The ServiceRequest became the Task; the other resources were taken into the referral and are not served.
    """
    at_task = {
        "status": "200 OK" if was_known else "201 Created",
        "location": f"Task/{referral.referral_id}/_history/{referral.task_version}",
        "etag": etag(referral),
        "lastModified": instant(referral.state_at),
    }
    if bundle_type != "transaction":
        return {"resourceType": "Bundle", "type": "batch-response", "entry": [{"response": at_task}]}
    entries = [
        {"response": at_task if name == "ServiceRequest" else {"status": "202 Accepted"}}
        for name in entry_types
    ]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
