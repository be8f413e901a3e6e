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
from services.notifications import bootstrap, callbacks, codec, handlers
from services.notifications.bootstrap import SERVICE, Room, build_room, prepare
from services.notifications.settings import Settings
from services.notifications.web import routes as pages

_MAY_LIST = ("coordinator", "supervisor", "compliance", "engineer")
_MAY_REPLAY = ("coordinator", "supervisor", "engineer")
_MAY_SEE_CONTACTS = ("specialist", "supervisor", "coordinator", "nurse", "clinician")
_MAY_ERASE = (*_MAY_SEE_CONTACTS, "compliance")
_MAY_NAME_OVERSEERS = ("compliance",)
_FOR = ("TREAT", "COC", "CAREMGT", "HOPERAT", "PATRQT")


class NotificationsServicer(notifications_pb2_grpc.NotificationsServiceServicer):
    """Tells how notices stand; never an address."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def ListNotices(  # noqa: N802
        self, request: notifications_pb2.ListNoticesRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.ListNoticesResponse:
        """The notices of a referral or of a recipient, newest first."""
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

    def GetContact(  # noqa: N802
        self, request: notifications_pb2.GetContactRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.GetContactResponse:
        """How a person is reached: one's own, or somebody's by staff with a purpose of use."""
        caller = current_caller()
        require(caller, *_MAY_SEE_CONTACTS, purposes=_FOR)
        cause = telemetry.current_cause()
        told = handlers.get_contact(self.room, caller, request.person_id, cause)
        return codec.contact_to_proto(request.person_id, told)

    def ChangeContact(  # noqa: N802
        self, request: notifications_pb2.ChangeContactRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.ChangeContactResponse:
        """Changes how a person is reached."""
        caller = current_caller()
        require(caller, *_MAY_SEE_CONTACTS, purposes=_FOR)
        changed = handlers.change_contact(
            self.room,
            caller,
            request.person_id,
            codec.wanted_from_proto(request),
            version=request.version,
            rotate_webhook_secret=request.rotate_webhook_secret,
            cause=telemetry.current_cause(),
        )
        return codec.changed_to_proto(changed)

    def EraseContact(  # noqa: N802
        self, request: notifications_pb2.EraseContactRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.EraseContactResponse:
        """Destroys a person's key and silences everything."""
        caller = current_caller()
        require(caller, *_MAY_ERASE, purposes=(*_FOR, "HCOMPL"))
        silenced = handlers.erase(self.room, caller, request.person_id, telemetry.current_cause())
        return notifications_pb2.EraseContactResponse(silenced=silenced)

    def ListDeadNotices(  # noqa: N802
        self, request: notifications_pb2.ListDeadNoticesRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.ListDeadNoticesResponse:
        """Notices that were given up, newest first."""
        caller = current_caller()
        require(caller, *_MAY_LIST)
        found = handlers.list_dead(self.room, caller, limit=request.limit, cause=telemetry.current_cause())
        return notifications_pb2.ListDeadNoticesResponse(
            notices=[codec.notice_to_proto(notice) for notice in found]
        )

    def ReplayNotice(  # noqa: N802
        self, request: notifications_pb2.ReplayNoticeRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.ReplayNoticeResponse:
        """Sends a dead notice again."""
        caller = current_caller()
        require(caller, *_MAY_REPLAY)
        renewed = handlers.replay_notice(self.room, caller, request.notice_id, telemetry.current_cause())
        return notifications_pb2.ReplayNoticeResponse(notice=codec.notice_to_proto(renewed))

    def NameOverseers(  # noqa: N802
        self, request: notifications_pb2.NameOverseersRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.NameOverseersResponse:
        """Says who is told when the glass is broken."""
        caller = current_caller()
        require(caller, *_MAY_NAME_OVERSEERS)
        named, cause = codec.overseers_from_proto(request), telemetry.current_cause()
        count = handlers.name_overseers(self.room, caller, request.organization_id, named, cause)
        return notifications_pb2.NameOverseersResponse(count=count)

    def ListOverseers(  # noqa: N802
        self, request: notifications_pb2.ListOverseersRequest, context: grpc.ServicerContext
    ) -> notifications_pb2.ListOverseersResponse:
        """Who is told, without any address."""
        caller = current_caller()
        require(caller, *_MAY_NAME_OVERSEERS)
        organization_id = codec.organization_asked(request)
        shown = handlers.list_overseers(self.room, caller, organization_id, telemetry.current_cause())
        return codec.overseers_to_proto(shown)


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
        routes=[*callbacks.routes(room), *pages.routes(room)],
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
        render_refusal=pages.render_refusal,
    )
