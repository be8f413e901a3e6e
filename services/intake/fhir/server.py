"""The FHIR half of door 1, about three lines a route, authorization named first."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import current_caller
from services.intake import handlers
from services.intake.bootstrap import Room
from services.intake.doorway import PURPOSES, READERS, SUBMITTERS, of_an_organization, rejections_audited
from services.intake.fhir import capability, outcome, reading, task

_JSON = ("application/fhir+json", "application/json")


def post_fhir(room: Room, request: Request) -> Response:
    """POST /fhir: a Bundle becomes a referral."""
    caller = of_an_organization(current_caller(), *SUBMITTERS)
    with rejections_audited(room, caller, "fhir"):
        _json_only(request)
        parcel = reading.open_bundle(request.state.body)
        recipients = room.settings.consent_recipients
        submission = reading.read(parcel, caller.organization_id, room.taxonomy, recipients)
        told = handlers.submit(room, caller, submission, telemetry.current_cause())
    return outcome.answer(
        task.submitted(parcel.bundle_type, parcel.entry_types, told.referral, was_known=told.was_known)
    )


def get_task(room: Room, request: Request) -> Response:
    """GET /fhir/Task/{id}: where the referral stands, for its own source."""
    caller = of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
    referral_id, cause = request.path_params["id"], telemetry.current_cause()
    referral, kept = handlers.read_referral(room, caller, referral_id, "Task", cause)
    headers = {"ETag": task.etag(referral), "Last-Modified": task.http_date(referral.state_at)}
    return outcome.answer(task.of(referral, kept.placer_identifiers), headers=headers)


def get_metadata(_: Request) -> Response:
    """GET /fhir/metadata: open to everybody, as R4 asks."""
    return outcome.answer(capability.statement())


def _json_only(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise Refusal("content-type-unsupported", Kind.INVALID, f"Send {_JSON[0]}.")


def routes(room: Room) -> list[Route]:
    """Every FHIR path."""
    return [
        Route("/fhir", partial(post_fhir, room), methods=["POST"], name="fhir"),
        Route("/fhir/metadata", get_metadata, methods=["GET"], name="metadata"),
        Route("/fhir/Task/{id}", partial(get_task, room), methods=["GET"], name="task"),
    ]
