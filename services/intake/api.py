"""Door 1: gRPC and FHIR over HTTP, about three lines a method, authorization named first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import roles, telemetry
from chassis.errors import Kind, Refusal
from chassis.grpc_server import GrpcService
from chassis.identity import Caller, current_caller, require
from chassis.operations import OperationsServicer
from chassis.roles import Doors
from kindred.intake.v1 import intake_pb2, intake_pb2_grpc
from kindred.operations.v1 import operations_pb2_grpc
from services.intake import bootstrap, codec, handlers
from services.intake.bootstrap import NAME, Room, build_room, prepare
from services.intake.fhir import capability, outcome, reading, task
from services.intake.settings import Settings

SUBMITTERS = ("nurse", "clinician", "coordinator", "system")
READERS = ("nurse", "clinician", "coordinator", "system")
PURPOSES = ("TREAT", "ETREAT", "COC", "CAREMGT", "HOPERAT")
_JSON = ("application/fhir+json", "application/json")
_REJECTIONS = frozenset({Kind.INVALID, Kind.CONFLICT})


class IntakeServicer(intake_pb2_grpc.IntakeServiceServicer):
    """The gRPC half."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def SubmitReferral(  # noqa: N802
        self, request: intake_pb2.SubmitReferralRequest, context: Any
    ) -> intake_pb2.SubmitReferralResponse:
        """Stores, then answers."""
        caller = _of_an_organization(current_caller(), *SUBMITTERS)
        with _rejections_audited(self.room, caller, "grpc"):
            submission = codec.submission_from_proto(request, caller.organization_id)
            told = handlers.submit(self.room, caller, submission, telemetry.current_cause())
        return intake_pb2.SubmitReferralResponse(
            referral_id=told.referral.referral_id, status=told.referral.state.value, was_known=told.was_known
        )

    def GetReferral(  # noqa: N802
        self, request: intake_pb2.GetReferralRequest, context: Any
    ) -> intake_pb2.GetReferralResponse:
        """PHI, for the referral's own source, after the read is in the audit trail."""
        caller = _of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
        cause = telemetry.current_cause()
        referral, kept = handlers.read_referral(self.room, caller, request.referral_id, "Referral", cause)
        return intake_pb2.GetReferralResponse(
            summary=codec.summary_to_proto(referral),
            person=codec.person_to_proto(kept.person),
            note=kept.note,
        )

    def ListReferrals(  # noqa: N802
        self, request: intake_pb2.ListReferralsRequest, context: Any
    ) -> intake_pb2.ListReferralsResponse:
        """The caller's organization's referrals, without PHI."""
        caller = _of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
        cause = telemetry.current_cause()
        found = handlers.list_referrals(self.room, caller, request.status, request.limit, cause)
        return intake_pb2.ListReferralsResponse(referrals=[codec.summary_to_proto(one) for one in found])


def post_fhir(room: Room, request: Request) -> Response:
    """POST /fhir: a Bundle becomes a referral."""
    caller = _of_an_organization(current_caller(), *SUBMITTERS)
    with _rejections_audited(room, caller, "fhir"):
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
    caller = _of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
    referral_id, cause = request.path_params["id"], telemetry.current_cause()
    referral, kept = handlers.read_referral(room, caller, referral_id, "Task", cause)
    headers = {"ETag": task.etag(referral), "Last-Modified": task.http_date(referral.state_at)}
    return outcome.answer(task.of(referral, kept.placer_identifiers), headers=headers)


def get_metadata(_: Request) -> Response:
    """GET /fhir/metadata: open to everybody, as R4 asks."""
    return outcome.answer(capability.statement())


def _of_an_organization(caller: Caller, *role_names: str, purposes: tuple[str, ...] = ()) -> Caller:
    """The caller, who may do this for the organization their token names; raises Refusal FORBIDDEN."""
    require(caller, *role_names, purposes=purposes)
    if not caller.organization_id:
        raise Refusal("organization-missing", Kind.FORBIDDEN, "The token names no organization.")
    return caller


def _json_only(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise Refusal("content-type-unsupported", Kind.INVALID, f"Send {_JSON[0]}.")


@contextmanager
def _rejections_audited(room: Room, caller: Caller, door: str) -> Iterator[None]:
    """Whoever is told that a submission was turned away is told so after the audit trail was."""
    try:
        yield
    except Refusal as refusal:
        if refusal.kind in _REJECTIONS:
            handlers.reject(room, caller, door, refusal, telemetry.current_cause())
        raise


def denied(room: Room, caller: Caller | None, method: str, code: str) -> None:
    """Somebody was turned away at the door; who read another's referral is already in the trail with its id."""
    cause = telemetry.current_cause()
    if code == "body-too-large" and caller is not None:
        handlers.reject(room, caller, "fhir", Refusal(code, Kind.TOO_LARGE), cause)
    elif code != "not-your-referral":
        record_type = "Task" if "Task" in method else "Referral"
        room.access.record_denied(
            caller, record_type=record_type, record_id="", action=method, reason_code=code, cause=cause
        )


def routes(room: Room) -> list[Route]:
    """Every FHIR path."""
    return [
        Route("/fhir", partial(post_fhir, room), methods=["POST"], name="fhir"),
        Route("/fhir/metadata", get_metadata, methods=["GET"], name="metadata"),
        Route("/fhir/Task/{id}", partial(get_task, room), methods=["GET"], name="task"),
    ]


def open_doors(room: Room) -> Doors:
    """What the role `api` serves."""
    intake = GrpcService(
        "kindred.intake.v1.IntakeService",
        intake_pb2_grpc.add_IntakeServiceServicer_to_server,
        IntakeServicer(room),
    )
    relay = bootstrap.relay(room)
    operations = GrpcService(
        "kindred.operations.v1.OperationsService",
        operations_pb2_grpc.add_OperationsServiceServicer_to_server,
        OperationsServicer(room.parked, room.access, room.settings.amqp_uri, relay.replay),
    )
    return Doors(
        grpc=[intake, operations],
        routes=routes(room),
        tokens=room.tokens,
        on_denied=partial(denied, room),
        background=[relay],
    )


def run(environ: Mapping[str, str]) -> int:
    """The role `api`."""
    return roles.run_api(
        Settings,
        environ,
        service=NAME,
        build_room=build_room,
        prepare=prepare,
        open_doors=open_doors,
        render_refusal=outcome.render_refusal,
    )
