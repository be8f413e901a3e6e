"""Door 1: gRPC, about three lines a method, authorization named first."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import grpc

from chassis import roles, telemetry
from chassis.grpc_server import GrpcService
from chassis.identity import Caller, current_caller, require
from chassis.operations import OperationsServicer
from chassis.roles import Doors
from kindred.notifications.v1 import notifications_pb2, notifications_pb2_grpc
from kindred.operations.v1 import operations_pb2_grpc
from services.notifications import bootstrap, codec, handlers
from services.notifications.bootstrap import SERVICE, Room, build_room, prepare
from services.notifications.settings import Settings

_MAY_LIST = ("coordinator", "supervisor", "compliance", "engineer")


class NotificationsServicer(notifications_pb2_grpc.NotificationsServiceServicer):
    """Tells how notices stand; never an address."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def ListNotices(  # noqa: N802
        self, request: notifications_pb2.ListNoticesRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.ListNoticesResponse:
        """The notices of a referral or of a recipient, oldest first."""
        caller = current_caller()
        require(caller, *_MAY_LIST)
        found = handlers.list_notices(
            self.room,
            caller,
            referral_id=request.referral_id,
            recipient_id=request.recipient_id,
            limit=request.limit,
            cause=telemetry.current_cause(),
        )
        return codec.notices_to_proto(found)


def denied(room: Room, caller: Caller | None, method: str, code: str) -> None:
    """A refused call is in the audit trail."""
    room.access.record_denied(
        caller,
        record_type="Notice",
        record_id="",
        action=method,
        reason_code=code,
        cause=telemetry.current_cause(),
    )


def open_doors(room: Room) -> Doors:
    """The gRPC services and, in a thread beside them, the relay."""
    relay = bootstrap.relay(room)
    return Doors(
        grpc=[
            GrpcService(
                "kindred.notifications.v1.NotificationsService",
                notifications_pb2_grpc.add_NotificationsServiceServicer_to_server,
                NotificationsServicer(room),
            ),
            GrpcService(
                "kindred.operations.v1.OperationsService",
                operations_pb2_grpc.add_OperationsServiceServicer_to_server,
                OperationsServicer(room.parked, room.access, room.settings.amqp_uri, relay.replay),
            ),
        ],
        routes=[],
        tokens=room.tokens,
        on_denied=partial(denied, room),
        background=[relay],
    )


def run(environ: Mapping[str, str]) -> int:
    """Serves until it is told to stop."""
    return roles.run_api(
        Settings,
        environ,
        service=SERVICE,
        build_room=build_room,
        prepare=prepare,
        open_doors=open_doors,
    )
