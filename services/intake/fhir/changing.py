"""Updates over FHIR: a Task that ends or announces a departure, and a ServiceRequest that is corrected."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller, current_caller
from services.intake import handlers
from services.intake.bootstrap import Room
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.referral import Referral
from services.intake.doorway import SUBMITTERS, of_an_organization, rejections_audited
from services.intake.fhir import asking, body, creating, patching, reading, scoped, task, updating
from services.intake.r4 import validator

Resource = dict[str, Any]


def put_task(room: Room, request: Request) -> Response:
    """PUT /fhir/Task/{id}: what changed in it is asked of the referral."""
    caller = of_an_organization(current_caller(), *SUBMITTERS)
    referral_id = request.path_params["id"]
    with rejections_audited(room, caller, "fhir"):
        asking.json_sent(request)
        sent = _valid(body.parse(request.state.body, "Task"), "Task", referral_id)
        version = asking.seen_version(request.headers.get("if-match"), sent, "http.If-Match")
        current, known = _current(room, caller, referral_id, version)
        referral = _obeyed(room, caller, known, updating.read(current, sent))
    return creating.answered("Task", room, request, caller, referral=referral, status=200)


def patch_task(room: Room, request: Request) -> Response:
    """PATCH /fhir/Task/{id}: a JSON Patch of the Task as it is, then as PUT."""
    caller = of_an_organization(current_caller(), *SUBMITTERS)
    referral_id = request.path_params["id"]
    with rejections_audited(room, caller, "fhir"):
        asking.json_sent(request, asking.JSON_PATCH)
        steps = body.parse(request.state.body, "patch")
        if patching.asks(steps):
            scoped.require(caller, "Task", "r")
        version = asking.seen_version(request.headers.get("if-match"), {}, "http.If-Match")
        current, known = _current(room, caller, referral_id, version)
        sent = _valid(patching.apply(current, steps), "Task", referral_id)
        referral = _obeyed(room, caller, known, updating.read(current, sent))
    return creating.answered("Task", room, request, caller, referral=referral, status=200)


def put_request(room: Room, request: Request) -> Response:
    """PUT /fhir/ServiceRequest/{id}: what was submitted is replaced; entered-in-error withdraws it."""
    caller = of_an_organization(current_caller(), *SUBMITTERS)
    referral_id = request.path_params["id"]
    with rejections_audited(room, caller, "fhir"):
        asking.json_sent(request)
        parcel = reading.open_single(request.state.body, "ServiceRequest")
        sent = parcel.laid[0].resource
        _same_id(sent, "ServiceRequest", referral_id)
        version = asking.seen_version(request.headers.get("if-match"), sent, "http.If-Match")
        if sent.get("status") == "entered-in-error":
            ask = updating.EnterInError()
            referral = _obeyed(room, caller, _current(room, caller, referral_id, version)[1], ask)
        elif sent.get("status") == "revoked":
            message = "To cancel, set the Task to cancelled with its reason: a request has no place for one."
            fault = Fault("ServiceRequest.status", "status-not-settable", message)
            raise Refusal(fault.code, Kind.INVALID, message, faults=[fault])
        else:
            referral = creating.corrected(room, caller, parcel, referral_id, version)
    return creating.answered("ServiceRequest", room, request, caller, referral=referral, status=200)


def _valid(sent: Any, name: str, referral_id: str) -> Resource:
    if not isinstance(sent, dict) or sent.get("resourceType") != name:
        raise SubmissionRejected([Fault("Resource", "resource-type-wanted", f"A {name} is wanted here.")])
    faults = validator.check(sent)
    if faults:
        raise SubmissionRejected(faults)
    _same_id(sent, name, referral_id)
    return sent


def _same_id(sent: Resource, name: str, referral_id: str) -> None:
    """R4 http.html#update: the id in the body is the one in the address."""
    if sent.get("id") != referral_id:
        message = "The id in the body is the one in the address."
        raise SubmissionRejected([Fault(f"{name}.id", "id-mismatch", message)])


def _current(room: Room, caller: Caller, referral_id: str, version: int) -> tuple[Resource, Referral]:
    """The Task as it is, of the version that was seen; raises Refusal CONFLICT version-stale (412)."""
    known, kept = handlers.look(room, caller, referral_id, telemetry.current_cause())
    if known.task_version != version:
        message = "The resource has changed since it was read."
        raise Refusal("version-stale", Kind.CONFLICT, message, version=known.task_version)
    return task.of(known, kept.placer_identifiers), known


def _obeyed(room: Room, caller: Caller, known: Referral, ask: updating.Ask) -> Referral:
    """The referral after what was asked; unchanged where nothing was."""
    referral_id, version, cause = known.referral_id, known.task_version, telemetry.current_cause()
    match ask:
        case updating.Cancel(code):
            return handlers.cancel(room, caller, referral_id, code, cause=cause, expected_version=version)
        case updating.Decline(code):
            return handlers.decline_by_peer(
                room, caller, referral_id, code, cause=cause, expected_version=version
            )
        case updating.EnterInError():
            return handlers.enter_in_error(room, caller, referral_id, cause=cause, expected_version=version)
        case updating.Leave(at):
            return handlers.report_departure(room, caller, referral_id, at, cause=cause, where="Task")
        case None:
            return known
