"""The operation $validate: would this be taken?  Everything that is wrong with it, and nothing is stored."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller, current_caller
from services.intake.bootstrap import Room
from services.intake.domain.submission import faults_of
from services.intake.doorway import SUBMITTERS, of_an_organization
from services.intake.fhir import asking, body, outcome, reading
from services.intake.r4 import validator

Resource = dict[str, Any]
_MODES = frozenset({"", "create", "update", "delete", "profile"})


def validate(name: str, room: Room, request: Request) -> Response:
    """POST /fhir/{type}/$validate: 200 with an OperationOutcome, whatever it says (R4 resource-operation-validate)."""
    caller = of_an_organization(current_caller(), *SUBMITTERS)
    asking.json_sent(request)
    sent, mode, profile = _asked(body.parse(request.state.body, name), request)
    if mode not in _MODES:
        raise Refusal("mode-unknown", Kind.INVALID, "The mode is create, update, delete or profile.")
    told = _told(room, caller, name, mode, sent)
    if profile:
        told["issue"].append(
            _note("The profile is not known here: the resource was checked against R4 itself.")
        )
    return outcome.answer(told, is_pretty=outcome.is_pretty(request))


def _asked(sent: Any, request: Request) -> tuple[Any, str, str]:
    """(resource, mode, profile), bare or as Parameters."""
    said: dict[str, Any] = dict(request.query_params)
    if isinstance(sent, dict) and sent.get("resourceType") == "Parameters":
        faults = validator.check(sent)
        parts = sent.get("parameter", [])
        named = [one for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
        found = {one.get("name"): one for one in named if isinstance(one.get("name"), str)}
        if "resource" not in found.get("resource", {}) and found.get("mode", {}).get("valueCode") != "delete":
            message = "The parameter resource holds what is to be validated."
            faults = faults or [Fault("Parameters.parameter", "missing", message)]
            raise Refusal("parameters-invalid", Kind.INVALID, faults=faults)
        said |= {key: found[key].get(slot) for key, slot in _SLOTS.items() if key in found}
        sent = found.get("resource", {}).get("resource")
    mode, profile = said.get("mode") or "", said.get("profile") or ""
    return sent, mode if isinstance(mode, str) else "?", str(profile)


_SLOTS = {"mode": "valueCode", "profile": "valueUri"}


def _told(room: Room, caller: Caller, name: str, mode: str, sent: Any) -> Resource:
    if mode == "delete":
        message = "Nothing is deleted here: cancel the Task, or set it to entered-in-error."
        return outcome.of(Refusal("no-such-method", Kind.INVALID, message))
    if not isinstance(sent, dict) or sent.get("resourceType") != name:
        fault = Fault("Resource", "resource-type-wanted", f"A {name} is wanted here.")
        return outcome.of(Refusal(fault.code, Kind.INVALID, faults=[fault]))
    try:
        faults = validator.check(sent) if mode == "profile" else _faults(room, caller, sent, mode)
    except Refusal as refusal:
        return outcome.of(refusal)
    if faults:
        return outcome.of(Refusal("validation", Kind.INVALID, faults=faults))
    return outcome.told("Nothing is wrong with it.")


def _faults(room: Room, caller: Caller, sent: Resource, mode: str) -> list[Fault]:
    """Everything for which it would be refused; raises SubmissionRejected where it cannot be read at all."""
    statuses = ("active", "on-hold") if mode == "update" else ("active",)
    parcel = reading.parcel_of(sent, b"$validate")
    recipients = room.settings.consent_recipients
    submission = reading.read(parcel, caller.organization_id, room.taxonomy, recipients, statuses)
    return faults_of(submission, room.clock.now(), room.taxonomy.codes, *room.settings.consent_rules)


def _note(text: str) -> Resource:
    return {"severity": "warning", "code": "not-supported", "details": {"text": text}}
