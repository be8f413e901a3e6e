"""Door 1 of the example: a method for each way a call can end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis import roles, telemetry
from chassis.errors import Kind, Refusal
from chassis.grpc_server import GrpcService
from chassis.identity import Caller, current_caller, require
from chassis.ids import new_id
from chassis.policy import AnyDoor
from chassis.roles import Doors
from chassis.settings import ProcessSettings
from kindred.operations.v1 import operations_pb2, operations_pb2_grpc
from tests.integration.chassis.example_service import bootstrap
from tests.integration.chassis.example_service.bootstrap import SERVICE, Room, build_room, prepare


class Operations(operations_pb2_grpc.OperationsServiceServicer):
    """Stores a thing and answers; slow where it is asked for many."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def ListParked(self, request: Any, context: Any) -> Any:
        require(current_caller(), "engineer")
        keep(self.room)
        return operations_pb2.ListParkedResponse()

    def DiscardParked(self, request: Any, context: Any) -> Any:
        require(current_caller(), "engineer")
        time.sleep(float(request.reason))
        return operations_pb2.DiscardParkedResponse()


def keep(room: Room) -> str:
    """A thing is sealed and stored."""
    thing_id = new_id("thg")
    sealed = room.vault.seal(thing_id, {"name": "Thing"})
    room.things.insert(thing_id, {"sealed": sealed}, cause=telemetry.current_cause())
    return thing_id


def post_thing(room: Room, request: Request) -> Response:
    require(current_caller(), "engineer")
    if request.state.body == b"bad":
        raise Refusal("thing-bad", Kind.INVALID, "That is no thing.")
    return JSONResponse({"thing_id": keep(room)}, 201)


def denied(room: Room, caller: Caller | None, method: str, code: str) -> None:
    room.access.record_denied(
        caller,
        record_type="Thing",
        record_id="",
        action=method,
        reason_code=code,
        cause=telemetry.current_cause(),
    )


def open_doors(room: Room) -> Doors:
    return Doors(
        grpc=[
            GrpcService(
                "kindred.operations.v1.OperationsService",
                operations_pb2_grpc.add_OperationsServiceServicer_to_server,
                Operations(room),
            )
        ],
        routes=[Route("/things", partial(post_thing, room), methods=["POST"])],
        tokens=room.tokens,
        on_denied=partial(denied, room),
        background=[bootstrap.relay(room)],
        policy=AnyDoor(),
    )


def run(environ: Mapping[str, str]) -> int:
    return roles.run_api(
        ProcessSettings,
        environ,
        service=SERVICE,
        build_room=build_room,
        prepare=prepare,
        open_doors=open_doors,
    )
