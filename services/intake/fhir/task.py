"""A referral as an R4 Task, and the answer to a submitted Bundle (DOMAIN 1: Task.status and business status)."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from typing import Any

from services.intake.domain.person import RecordNumber
from services.intake.domain.referral import Referral
from services.intake.domain.states import State
from services.intake.fhir import outcome
from services.intake.fhir.names import (
    BUSINESS,
    IDENTIFIER_TYPES,
    INPUTS,
    OUTPUTS,
    PEER_ID,
    PLATFORM_ID,
    REASONS,
    REFERRAL_ID,
    SOURCE_ID,
    SPECIALIST_ID,
    STATES,
    TASK_CODES,
    uri,
)

Resource = dict[str, Any]
PRIORITIES = {"immediate": "stat", "urgent": "urgent", "routine": "routine"}

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
        "identifier": [identifier_of("FILL", REFERRAL_ID, referral.referral_id), *placed(placers)],
        "status": status,
        "businessStatus": {"coding": _business(referral.state, business), "text": referral.state.value},
        "intent": "order",
        "priority": PRIORITIES[referral.urgency],
        "code": {"coding": [{"system": TASK_CODES, "code": "fulfill"}]},
        "focus": {
            "reference": f"ServiceRequest/{referral.referral_id}",
            "type": "ServiceRequest",
            "identifier": _focus(referral, placers),
        },
        "for": {"type": "Patient", "identifier": {"system": PEER_ID, "value": referral.peer_id}},
        "authoredOn": instant(referral.submitted_at),
        "lastModified": instant(referral.state_at),
        "requester": {
            "type": "Organization",
            "identifier": {"system": SOURCE_ID, "value": referral.source_id},
        },
        "owner": _owner(referral),
    }
    if referral.reason_code:
        task["statusReason"] = {"coding": [{"system": REASONS, "code": referral.reason_code}]}
    if referral.expected_departure_at is not None:
        leaves = {"coding": [{"system": INPUTS, "code": "expected-departure"}]}
        task["input"] = [{"type": leaves, "valueDateTime": instant(referral.expected_departure_at)}]
    outputs = _outputs(referral)
    if outputs:
        task["output"] = outputs
    return task


def _owner(referral: Referral) -> Resource:
    """The specialist who accepted, by a pseudonym; before that, and where nobody did, the platform."""
    if referral.specialist_id:
        known = {"system": SPECIALIST_ID, "value": referral.specialist_id}
        return {"type": "Practitioner", "identifier": known}
    return {"type": "Organization", "identifier": {"system": PLATFORM_ID, "value": "kindred"}}


def _business(state: State, business: str) -> list[Resource]:
    ours = {"system": STATES, "code": state.value}
    return [{"system": BUSINESS, "code": business}, ours] if business else [ours]


def placed(placers: tuple[RecordNumber, ...]) -> list[Resource]:
    """The source's own numbers of its order."""
    return [identifier_of("PLAC", placer.system, placer.value) for placer in placers]


def _focus(referral: Referral, placers: tuple[RecordNumber, ...]) -> Resource:
    """The source's own number of its order where it gave one, else ours."""
    if placers:
        return {"system": uri(placers[0].system), "value": placers[0].value}
    return {"system": REFERRAL_ID, "value": referral.referral_id}


def identifier_of(kind: str, system: str, value: str) -> Resource:
    """An Identifier that says whose number it is: PLAC the source's, FILL ours."""
    return {
        "type": {"coding": [{"system": IDENTIFIER_TYPES, "code": kind}]},
        "system": uri(system),
        "value": value,
    }


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
    """The answer to a Bundle: for a transaction one response per entry in its order, for another one.

    The ServiceRequest and its Task are served; the other resources were taken into the referral.
    """
    status = "200 OK" if was_known else "201 Created"
    if bundle_type != "transaction":
        return {
            "resourceType": "Bundle",
            "type": "batch-response",
            "entry": [_entry("Task", referral, status)],
        }
    entries = [
        _entry(name, referral, status)
        if name in ("ServiceRequest", "Task")
        else {"response": {"status": "202 Accepted"}}
        for name in entry_types
    ]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}


def _entry(name: str, referral: Referral, status: str) -> Resource:
    response: Resource = {
        "status": status,
        "location": f"{name}/{referral.referral_id}/_history/{referral.task_version}",
        "etag": etag(referral),
        "lastModified": instant(referral.state_at),
    }
    if name == "ServiceRequest":
        response["outcome"] = outcome.told(f"Task/{referral.referral_id} tells how it stands.")
    return {"response": response}
