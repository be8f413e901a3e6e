"""Door 1: gRPC, about three lines a method, authorization named first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import grpc

from chassis import roles, telemetry
from chassis.grpc_server import GrpcService
from chassis.identity import ROLES, Caller, current_caller, require
from chassis.operations import OperationsServicer
from chassis.roles import Doors
from kindred.audit.v1 import audit_pb2 as pb
from kindred.audit.v1 import audit_pb2_grpc, custody_pb2_grpc
from kindred.operations.v1 import operations_pb2_grpc
from services.audit import bootstrap, codec, handlers, officers_door
from services.audit.bootstrap import Room, build_room, prepare
from services.audit.checks.checking import Checker
from services.audit.custody.door import CustodyServicer
from services.audit.publishing import tiles_door
from services.audit.reading_room import prepare_reading, reading_room
from services.audit.reports.detecting import Detector
from services.audit.search.follower import Follower
from services.audit.settings import Settings

# A compliance officer in the course of duty, or on behalf of the person who asks who saw their record.
_SEARCHED_FOR = ("HCOMPL", "PATRQT")
_MAY_VERIFY = ("compliance", "engineer")


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Answers who saw what, and proves it."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def SearchEntries(  # noqa: N802
        self, request: pb.SearchEntriesRequest, context: grpc.ServicerContext
    ) -> pb.SearchEntriesResponse:
        """Entries that match, newest first; the search is itself an entry."""
        require(current_caller(), "compliance", purposes=_SEARCHED_FOR)
        wanted = codec.search_from_proto(request)
        found = handlers.search(self.room, wanted, current_caller(), telemetry.current_cause())
        return codec.found_to_proto(found)

    def GetCheckpoint(  # noqa: N802
        self, request: pb.GetCheckpointRequest, context: grpc.ServicerContext
    ) -> pb.GetCheckpointResponse:
        """The newest signed checkpoint; it says nothing about anybody, so any known caller may have it."""
        require(current_caller(), *ROLES)
        head = handlers.newest_checkpoint(self.room)
        return pb.GetCheckpointResponse(checkpoint=head.checkpoint, verifier_key=self.room.verifier.vkey())

    def ProveInclusion(  # noqa: N802
        self, request: pb.ProveInclusionRequest, context: grpc.ServicerContext
    ) -> pb.ProveInclusionResponse:
        """Hashes only, so any known caller may have them."""
        require(current_caller(), *ROLES)
        size, leaf_hash, hashes = handlers.prove_inclusion(self.room, request.index, request.tree_size)
        return pb.ProveInclusionResponse(tree_size=size, leaf_hash=leaf_hash, hashes=hashes)

    def ProveConsistency(  # noqa: N802
        self, request: pb.ProveConsistencyRequest, context: grpc.ServicerContext
    ) -> pb.ProveConsistencyResponse:
        """Hashes only, so any known caller may have them."""
        require(current_caller(), *ROLES)
        hashes = handlers.prove_consistency(self.room, request.old_size, request.new_size)
        return pb.ProveConsistencyResponse(hashes=hashes)

    def ReadLeaves(  # noqa: N802
        self, request: pb.ReadLeavesRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReadLeavesResponse]:
        """The leaves as they were hashed; reading them is itself an entry."""
        require(current_caller(), *_MAY_VERIFY)
        cause = telemetry.current_cause()
        for start, leaves in handlers.read_leaves(
            self.room, request.start, request.end, current_caller(), cause
        ):
            yield pb.ReadLeavesResponse(start=start, leaves=leaves)

    def CheckLog(self, request: pb.CheckLogRequest, context: grpc.ServicerContext) -> pb.CheckLogResponse:  # noqa: N802
        """What is wrong with the log; the check is itself an entry."""
        require(current_caller(), *_MAY_VERIFY)
        report = handlers.check_log(self.room, current_caller(), telemetry.current_cause())
        return codec.report_to_proto(report)


def denied(room: Room, caller: Caller | None, method: str, code: str) -> None:
    """A refused call is itself an entry."""
    room.access.record_denied(
        caller,
        record_type="AuditEvent",
        record_id="",
        action=method,
        reason_code=code,
        cause=telemetry.current_cause(),
    )


def open_doors(room: Room) -> Doors:
    """The gRPC services and, in a thread beside them, the relay."""
    relay, reading = bootstrap.relay(room), reading_room(room)
    prepare_reading(reading)
    return Doors(
        grpc=[
            GrpcService(
                "kindred.audit.v1.AuditService",
                audit_pb2_grpc.add_AuditServiceServicer_to_server,
                AuditServicer(room),
            ),
            GrpcService(
                "kindred.audit.v1.CustodyService",
                custody_pb2_grpc.add_CustodyServiceServicer_to_server,
                CustodyServicer(room),
            ),
            GrpcService(
                "kindred.operations.v1.OperationsService",
                operations_pb2_grpc.add_OperationsServiceServicer_to_server,
                OperationsServicer(room.parked, room.access, room.settings.amqp_uri, relay.replay),
            ),
        ],
        routes=[*tiles_door.routes(bootstrap.mirror(room)), *officers_door.routes(reading)],
        tokens=room.tokens,
        on_denied=partial(denied, room),
        background=[
            relay,
            bootstrap.publisher(room),
            Follower(reading),
            Detector(reading),
            Checker(room, reading),
        ],
    )


def run(environ: Mapping[str, str]) -> int:
    """Serves until it is told to stop."""
    return roles.run_api(
        Settings,
        environ,
        service="audit",
        build_room=build_room,
        prepare=prepare,
        open_doors=open_doors,
        render_refusal=officers_door.render_refusal,
    )
