"""kindred.matching.v1.CoordinationService, about three lines a method, authorization named first."""

from __future__ import annotations

from typing import Any

from chassis import telemetry
from chassis.identity import Caller, current_caller, require
from kindred.matching.v1 import coordination_pb2 as pb
from kindred.matching.v1 import coordination_pb2_grpc
from services.matching import handlers
from services.matching.bootstrap import Room
from services.matching.coordinating import messages

_LEADS = ("supervisor", "coordinator")
_MOST_IN_POOL = 200
_USUALLY_IN_POOL = 50


class CoordinationServicer(coordination_pb2_grpc.CoordinationServiceServicer):
    """Hard rules hold in all of it."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def AssignByHand(self, request: pb.AssignByHandRequest, context: Any) -> pb.AssignByHandResponse:  # noqa: N802
        """A supervisor's decision, audited with its reason."""
        caller = _caller(*_LEADS)
        offer, passed_over = handlers.assign_by_hand(
            self.room, messages.by_hand(request), caller, telemetry.current_cause()
        )
        return pb.AssignByHandResponse(offer_id=offer.offer_id, passed_over=passed_over)

    def ListPool(self, request: pb.ListPoolRequest, context: Any) -> pb.ListPoolResponse:  # noqa: N802
        """What waits for somebody."""
        caller = _caller("specialist", *_LEADS)
        limit = min(request.limit, _MOST_IN_POOL) if request.limit > 0 else _USUALLY_IN_POOL
        found = handlers.pool(self.room, limit, caller, telemetry.current_cause())
        entries = [messages.pool_entry(one) for one in found]
        return pb.ListPoolResponse(entries=entries, held_elsewhere=found.elsewhere)

    def ClaimReferral(self, request: pb.ClaimReferralRequest, context: Any) -> pb.ClaimReferralResponse:  # noqa: N802
        """The first claim wins, exactly once."""
        caller = _caller("specialist")
        told = messages.claim(request)
        cause = telemetry.current_cause()
        offer = handlers.claim(self.room, request.referral_id, told, caller, cause)
        return pb.ClaimReferralResponse(offer_id=offer.offer_id)

    def QueryCapacity(self, request: pb.QueryCapacityRequest, context: Any) -> pb.QueryCapacityResponse:  # noqa: N802
        """Counts, never who."""
        _caller("nurse", "clinician", "system", *_LEADS)
        need, minutes = messages.imagined(request)
        return messages.capacity(handlers.capacity(self.room, need, minutes))

    def ReportArrival(self, request: pb.ReportArrivalRequest, context: Any) -> pb.ReportArrivalResponse:  # noqa: N802
        """On the way, late, there, or a call instead."""
        caller = _caller("specialist", *_LEADS)
        offer = handlers.report_arrival(self.room, messages.step(request), caller, telemetry.current_cause())
        return pb.ReportArrivalResponse(
            promised_arrival_at=messages.stamp(offer.promised_arrival_at), modality=offer.modality
        )

    def RequestRematch(  # noqa: N802
        self, request: pb.RequestRematchRequest, context: Any
    ) -> pb.RequestRematchResponse:
        """Somebody else, without blame."""
        caller = _caller("specialist", *_LEADS)
        handlers.request_rematch(self.room, messages.rematch(request), caller, telemetry.current_cause())
        return pb.RequestRematchResponse()

    def ListCaseload(self, request: pb.ListCaseloadRequest, context: Any) -> pb.ListCaseloadResponse:  # noqa: N802
        """What somebody carries."""
        caller = _caller("specialist", *_LEADS)
        found, standing = handlers.caseload(
            self.room, request.specialist_id, request.with_takers, caller, telemetry.current_cause()
        )
        return pb.ListCaseloadResponse(
            entries=[messages.caseload_entry(one) for one in found],
            load_milli=standing.load_milli,
            capacity_milli=standing.capacity_milli,
        )

    def ProposeMove(self, request: pb.ProposeMoveRequest, context: Any) -> pb.ProposeMoveResponse:  # noqa: N802
        """Somebody is asked to take a case over."""
        caller = _caller("specialist", *_LEADS)
        offer = handlers.propose_move(self.room, messages.move(request), caller, telemetry.current_cause())
        return pb.ProposeMoveResponse(
            offer_id=offer.offer_id,
            to_specialist_id=offer.specialist_id,
            deadline_at=messages.stamp(offer.deadline_at),
        )

    def PreviewBacklog(  # noqa: N802
        self, request: pb.PreviewBacklogRequest, context: Any
    ) -> pb.PreviewBacklogResponse:
        """The best joint assignment; nothing is changed."""
        caller = _caller(*_LEADS)
        cause = telemetry.current_cause()
        made = handlers.preview_backlog(
            self.room, list(request.referral_ids), caller, cause, variant=request.variant or "best"
        )
        return messages.plan(made)

    def ApplyBacklog(self, request: pb.ApplyBacklogRequest, context: Any) -> pb.ApplyBacklogResponse:  # noqa: N802
        """All of a plan, or none of it."""
        caller = _caller(*_LEADS)
        messages.needed(plan_id=request.plan_id, idempotency_key=request.idempotency_key)
        made = handlers.apply_backlog(
            self.room, request.plan_id, request.idempotency_key, caller, telemetry.current_cause()
        )
        return pb.ApplyBacklogResponse(offers_made=made)

    def GetLadder(self, request: pb.GetLadderRequest, context: Any) -> pb.GetLadderResponse:  # noqa: N802
        """A programme's own ladder, or none."""
        caller = _caller("engineer", "system", *_LEADS)
        messages.needed(programme_id=request.programme_id)
        return messages.ladder(handlers.read_ladder(self.room, request.programme_id, caller))

    def SetLadder(self, request: pb.SetLadderRequest, context: Any) -> pb.SetLadderResponse:  # noqa: N802
        """The next version of a programme's own ladder."""
        caller = _caller("engineer", "system", *_LEADS)
        wanted = messages.new_ladder(request)
        after = handlers.set_ladder(self.room, wanted, caller, telemetry.current_cause())
        return pb.SetLadderResponse(version=after.version)


def _caller(*roles: str) -> Caller:
    caller = current_caller()
    require(caller, *roles)
    return caller
