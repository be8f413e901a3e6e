"""Which order a sending is about, for whom, and whether the Task that came with it says the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from chassis.errors import Fault
from services.intake.fhir import names
from services.intake.fhir.parcel import Laid, Parcel, end_of

Resource = dict[str, Any]
_ORDERS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
# What a Task that asks for something may say of itself; everything else is ours to say (DOMAIN 1).
_ASKING = frozenset({"requested", "ready"})
_ASKED = frozenset({"2.0"})
_OURS = re.compile(r"(?:\A|/)ServiceRequest/(ref-[0-9a-f]+)(?:/_history/\d+)?\Z")
_URGENCIES = {"stat": "immediate", "asap": "immediate", "urgent": "urgent", "routine": "routine"}


def only_request(parcel: Parcel, faults: list[Fault], statuses: Collection[str] = ("active",)) -> Laid | None:
    """The one order; a fault where there is none, several, or one that orders nothing."""
    found = parcel.of_type("ServiceRequest")
    if not found:
        faults.append(_no_request(parcel))
        return None
    for extra in found[1:]:
        message = "One ServiceRequest is wanted, not several."
        faults.append(Fault(extra.path, "service-request-several", message))
    request = found[0]
    if request.resource.get("status") not in statuses:
        faults.append(Fault(request.path + ".status", "request-not-active", "The request is not active."))
    if request.resource.get("intent") not in _ORDERS:
        faults.append(Fault(request.path + ".intent", "request-not-an-order", "The request is not an order."))
    if request.resource.get("doNotPerform"):
        message = "The request says that nothing is to be done."
        faults.append(Fault(request.path + ".doNotPerform", "request-not-an-order", message))
    return request


def _no_request(parcel: Parcel) -> Fault:
    place = "Bundle.entry" if parcel.bundle_type else parcel.laid[0].path + ".focus"
    message = "A ServiceRequest is wanted: in this sending, or one that is here already."
    return Fault(place, "service-request-missing", message)


def asks_for_ours(parcel: Parcel) -> tuple[Laid, str] | None:
    """A Task that came without a request and asks for one that was made here, and the id of that one."""
    tasks = parcel.of_type("Task")
    if parcel.of_type("ServiceRequest") or len(tasks) != 1:
        return None
    found = _OURS.search(tasks[0].resource.get("focus", {}).get("reference", ""))
    return (tasks[0], found[1]) if found else None


def second_asking(task: Laid, urgency: str, numbers: Mapping[str, Collection[str]]) -> list[Fault]:
    """What contradicts itself, or the request that is here, in a Task that asks for it after it was made.

    `numbers`: what its subject is known by, by system; a number of another system contradicts nothing.
    """
    found, said = _asking(task), task.resource
    named = said.get("for", {}).get("identifier", {})
    if named.get("value", "") not in numbers.get(named.get("system", ""), [named.get("value", "")]):
        message = "The Task is for somebody else than the subject of its ServiceRequest."
        found.append(Fault(task.path + ".for", "task-for-other", message))
    if "priority" in said and _URGENCIES.get(said["priority"]) != urgency:
        found.append(_other_priority(task))
    return found


def subject(parcel: Parcel, request: Laid, faults: list[Fault]) -> Laid | None:
    """The Patient of the order: in the Bundle, contained, or known by an identifier alone."""
    reference = request.resource["subject"]
    found = parcel.resolve(reference, request)
    identifier = reference.get("identifier", {})
    if found is None and not reference.get("reference") and _is_number(reference, identifier):
        found = parcel.know(identifier, request.path + ".subject")
    if found is None or found.resource["resourceType"] != "Patient":
        message = "The subject is a Patient in this Bundle, contained, or named by a record number."
        faults.append(Fault(request.path + ".subject", "subject-not-in-bundle", message))
        return None
    if "deceasedDateTime" in found.resource or found.resource.get("deceasedBoolean"):
        faults.append(Fault(found.path + ".deceased", "person-deceased", "The person has died."))
    return found


def _is_number(reference: Resource, identifier: Resource) -> bool:
    """Our own pseudonym is no record number: nobody is found by it who was not sent."""
    is_patient = reference.get("type", "Patient") == "Patient"
    return is_patient and bool(identifier.get("value")) and identifier.get("system") != names.PEER_ID


def task_of(parcel: Parcel, request: Laid, person: Laid | None, faults: list[Fault]) -> Laid | None:
    """The Task that asks for the order, if one came; each contradiction is a fault, and nothing is guessed."""
    found = parcel.of_type("Task")
    if not found:
        return None
    for extra in found[1:]:
        faults.append(Fault(extra.path, "task-several", "One Task is wanted, not several."))
    task = found[0]
    faults.extend(_faults(parcel, task, request, person))
    return task


def _asking(task: Laid) -> list[Fault]:
    """What keeps a Task from asking for a referral, whichever it is."""
    said, found = task.resource, []
    if said.get("status") not in _ASKING:
        message = "A Task that asks for a referral has the status requested."
        found.append(Fault(task.path + ".status", "task-not-requested", message))
    if set(business_codes(said)) - _ASKED:
        message = "The business status contradicts the status: a Task that asks has 2.0 or none."
        found.append(Fault(task.path + ".businessStatus", "task-status-contradictory", message))
    if said.get("intent") not in _ORDERS:
        found.append(Fault(task.path + ".intent", "request-not-an-order", "The Task is not an order."))
    codes = [one for one in said.get("code", {}).get("coding", []) if one.get("system") == names.TASK_CODES]
    if codes and not any(one.get("code") == "fulfill" for one in codes):
        message = "A Task that asks for a referral has the code fulfill."
        found.append(Fault(task.path + ".code", "task-code", message))
    return found


def _faults(parcel: Parcel, task: Laid, request: Laid, person: Laid | None) -> list[Fault]:
    said, found = task.resource, _asking(task)
    focuses = [said["focus"]] if "focus" in said else said.get("basedOn", [])
    if not any(parcel.resolve(one, task) is request for one in focuses):
        message = "The focus of the Task is the ServiceRequest that came with it."
        found.append(Fault(task.path + ".focus", "task-focus", message))
    if person is not None and "for" in said and parcel.resolve(said["for"], task) is not person:
        message = "The Task is for somebody else than the subject of its ServiceRequest."
        found.append(Fault(task.path + ".for", "task-for-other", message))
    ordered = request.resource.get("priority")
    if ordered and "priority" in said and _URGENCIES.get(ordered) != _URGENCIES.get(said["priority"]):
        found.append(_other_priority(task))
    return found


def _other_priority(task: Laid) -> Fault:
    message = "The priority of the Task contradicts the one of its ServiceRequest."
    return Fault(task.path + ".priority", "priority-contradictory", message)


def business_codes(task: Resource) -> list[str]:
    """The BSeR business codes of a Task, under whichever of the standard's names its system goes."""
    codings = task.get("businessStatus", {}).get("coding", [])
    return [one.get("code", "") for one in codings if "taskbusinessstatus" in one.get("system", "").lower()]


def leaves_at(task: Resource) -> datetime | None:
    """When the peer will leave: the Task's input "expected-departure", else the end of its restriction's period."""
    for one in task.get("input", []):
        codings = one["type"].get("coding", [])
        if any(_is_departure(coding) for coding in codings) and "valueDateTime" in one:
            return end_of(one["valueDateTime"])
    return end_of(task.get("restriction", {}).get("period", {}).get("end"))


def _is_departure(coding: Resource) -> bool:
    return coding.get("system") == names.INPUTS and coding.get("code") == "expected-departure"
