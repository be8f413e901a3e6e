"""Door 1: gRPC and the pages, about three lines a method, authorization named first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from chassis import roles, telemetry
from chassis.grpc_server import GrpcService
from chassis.identity import Caller, current_caller, require
from chassis.operations import OperationsServicer
from chassis.roles import Doors
from kindred.matching.v1 import coordination_pb2_grpc, matching_pb2_grpc, roster_pb2_grpc
from kindred.matching.v1 import matching_pb2 as pb
from kindred.operations.v1 import operations_pb2_grpc
from services.matching import bootstrap, capacity_fhir, codec, handlers, roster_reading
from services.matching.bootstrap import Room
from services.matching.coordinating import CoordinationServicer
from services.matching.importing import RosterImport
from services.matching.rostering import RosterServicer
from services.matching.settings import Settings
from services.matching.watching import RosterKeeper
from services.matching.web.routes import render_refusal, routes


class MatchingServicer(matching_pb2_grpc.MatchingServiceServicer):
    """kindred.matching.v1.MatchingService."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def ImportRoster(  # noqa: N802
        self, requests: Iterator[pb.ImportRosterRequest], context: Any
    ) -> Iterator[pb.ImportRosterResponse]:
        """Good rows are stored, bad ones told; one response per batch, the last one is final."""
        caller = current_caller()
        require(caller, "supervisor", "coordinator", "engineer", "system")
        taking = RosterImport(self.room, caller, telemetry.current_cause())
        first = next(requests, pb.ImportRosterRequest(format="csv"))
        file = roster_reading.reader(first.format)
        yield from map(codec.progress, taking.take(file.feed(first.chunk)))
        for request in requests:
            yield from map(codec.progress, taking.take(file.feed(request.chunk)))
        yield from map(codec.progress, taking.take(file.finish()))
        yield codec.progress(taking.flush(), is_final=True)

    def ListOffers(self, request: pb.ListOffersRequest, context: Any) -> pb.ListOffersResponse:  # noqa: N802
        """A specialist's own offers, or those of a programme."""
        caller = current_caller()
        require(caller, "specialist", "supervisor", "coordinator", "system")
        asked = (request.specialist_id, request.referral_id, request.only_open)
        found = handlers.list_offers(self.room, *asked, caller, cause=telemetry.current_cause())
        return pb.ListOffersResponse(offers=[codec.offer(case, offer) for case, offer in found])

    def AcceptOffer(self, request: pb.AcceptOfferRequest, context: Any) -> pb.AcceptOfferResponse:  # noqa: N802
        """The first acceptance wins, exactly once."""
        caller = current_caller()
        require(caller, "specialist", "supervisor", "coordinator")
        case = handlers.accept(self.room, codec.acceptance(request), caller, telemetry.current_cause())
        return pb.AcceptOfferResponse(referral_id=case.referral_id)

    def DeclineOffer(self, request: pb.DeclineOfferRequest, context: Any) -> pb.DeclineOfferResponse:  # noqa: N802
        """A no, at no cost."""
        caller = current_caller()
        require(caller, "specialist", "supervisor", "coordinator")
        handlers.decline(self.room, codec.declining(request), caller, telemetry.current_cause())
        return pb.DeclineOfferResponse()

    def GetCase(self, request: pb.GetCaseRequest, context: Any) -> pb.GetCaseResponse:  # noqa: N802
        """A case, as far as the caller may see it."""
        caller = current_caller()
        require(caller, "nurse", "clinician", "specialist", "supervisor", "coordinator", "system")
        cause = telemetry.current_cause()
        return codec.case(*handlers.read_case(self.room, request.referral_id, caller, cause))

    def RecordHandoff(  # noqa: N802
        self, request: pb.RecordHandoffRequest, context: Any
    ) -> pb.RecordHandoffResponse:
        """The first meeting, or why there was none."""
        caller = current_caller()
        require(caller, "specialist", "supervisor", "coordinator")
        said = codec.recorded(request)
        case = handlers.record_handoff(self.room, said, caller, telemetry.current_cause())
        return pb.RecordHandoffResponse(checkins=[codec.checkin(one) for one in case.checkins])

    def RecordCheckin(  # noqa: N802
        self, request: pb.RecordCheckinRequest, context: Any
    ) -> pb.RecordCheckinResponse:
        """What came of a follow-up contact."""
        caller = current_caller()
        require(caller, "specialist", "supervisor", "coordinator")
        said = codec.recorded(request)
        found = handlers.record_checkin(self.room, said, caller, telemetry.current_cause())
        return pb.RecordCheckinResponse(checkin=codec.checkin(found))

    def CompleteCase(self, request: pb.CompleteCaseRequest, context: Any) -> pb.CompleteCaseResponse:  # noqa: N802
        """The end, with an outcome."""
        caller = current_caller()
        require(caller, "specialist", "supervisor", "coordinator")
        cause = telemetry.current_cause()
        handlers.complete(self.room, request.referral_id, request.outcome, caller, cause)
        return pb.CompleteCaseResponse()


def denied(room: Room, caller: Caller | None, method: str, code: str) -> None:
    """Somebody asked for what they may not have: audited."""
    room.access.record_denied(
        caller,
        record_type="Match",
        record_id="",
        action=method,
        reason_code=code,
        cause=telemetry.current_cause(),
    )


def open_doors(room: Room) -> Doors:
    """Everything matching serves."""
    relay = bootstrap.relay(room)
    return Doors(
        grpc=[
            GrpcService(
                "kindred.matching.v1.MatchingService",
                matching_pb2_grpc.add_MatchingServiceServicer_to_server,
                MatchingServicer(room),
            ),
            GrpcService(
                "kindred.matching.v1.CoordinationService",
                coordination_pb2_grpc.add_CoordinationServiceServicer_to_server,
                CoordinationServicer(room),
            ),
            GrpcService(
                "kindred.matching.v1.RosterService",
                roster_pb2_grpc.add_RosterServiceServicer_to_server,
                RosterServicer(room),
            ),
            GrpcService(
                "kindred.operations.v1.OperationsService",
                operations_pb2_grpc.add_OperationsServiceServicer_to_server,
                OperationsServicer(room.parked, room.access, room.settings.amqp_uri, relay.replay),
            ),
        ],
        routes=[*routes(room), *capacity_fhir.routes(room)],
        tokens=room.tokens,
        on_denied=partial(denied, room),
        background=[relay, RosterKeeper(room.roster_watch)],
    )


def run(environ: Mapping[str, str]) -> int:
    """Serves until it is told to stop."""
    return roles.run_api(
        Settings,
        environ,
        service="matching",
        build_room=bootstrap.build_room,
        prepare=bootstrap.prepare,
        open_doors=open_doors,
        render_refusal=capacity_fhir.refusals(render_refusal),
    )
