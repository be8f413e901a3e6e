"""Door 1: gRPC and FHIR over HTTP; what each serves stands in servicer.py and fhir/server.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from chassis import roles, telemetry
from chassis.errors import Kind, Refusal
from chassis.grpc_server import GrpcService
from chassis.identity import Caller
from chassis.operations import OperationsServicer
from chassis.roles import Doors
from kindred.intake.v1 import emergency_pb2_grpc, intake_pb2_grpc, lookup_pb2_grpc
from kindred.operations.v1 import operations_pb2_grpc
from services.intake import bootstrap, handlers
from services.intake.bootstrap import NAME, Room, build_room, prepare
from services.intake.emergency_servicer import EmergencyServicer
from services.intake.fhir import outcome
from services.intake.fhir.server import routes
from services.intake.lookup_servicer import LookupServicer
from services.intake.servicer import IntakeServicer
from services.intake.settings import Settings
from services.intake.smart.door import SmartDoor
from services.intake.smart.issuing import FhirTokens, Issuer
from services.intake.watching import Hub
from services.intake.web import pages
from services.intake.web.routes import routes as desk_routes

_RECORD_OF = {"FindPeople": "Person"}


def denied(room: Room, caller: Caller | None, method: str, code: str) -> None:
    """Somebody was turned away at the door."""
    cause = telemetry.current_cause()
    if code == "body-too-large" and caller is not None:
        handlers.reject(room, caller, "fhir", Refusal(code, Kind.TOO_LARGE), cause)
    else:
        record_type = _RECORD_OF.get(method.rpartition("/")[2], "Task" if "Task" in method else "Referral")
        room.access.record_denied(
            caller, record_type=record_type, record_id="", action=method, reason_code=code, cause=cause
        )


def open_doors(room: Room) -> Doors:
    """What the role `api` serves."""
    hub = Hub(room.database)
    intake = GrpcService(
        "kindred.intake.v1.IntakeService",
        intake_pb2_grpc.add_IntakeServiceServicer_to_server,
        IntakeServicer(room, hub),
    )
    lookup = GrpcService(
        "kindred.intake.v1.LookupService",
        lookup_pb2_grpc.add_LookupServiceServicer_to_server,
        LookupServicer(room),
    )
    emergency = GrpcService(
        "kindred.intake.v1.EmergencyService",
        emergency_pb2_grpc.add_EmergencyServiceServicer_to_server,
        EmergencyServicer(room),
    )
    relay = bootstrap.relay(room)
    systems = Issuer((room.settings.keys_dir / "intake.master.key").read_bytes())
    operations = GrpcService(
        "kindred.operations.v1.OperationsService",
        operations_pb2_grpc.add_OperationsServiceServicer_to_server,
        OperationsServicer(room.parked, room.access, room.settings.amqp_uri, relay.replay),
    )
    return Doors(
        grpc=[intake, lookup, emergency, operations],
        routes=[*SmartDoor(room, systems).routes(), *routes(room), *desk_routes(room, hub)],
        tokens=room.tokens,
        http_tokens=FhirTokens(systems.reader(), room.tokens),
        on_denied=partial(denied, room),
        background=[relay, hub],
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
        render_refusal=pages.rendering(outcome.render_refusal),
    )
