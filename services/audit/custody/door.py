"""Door 1, second service: keeping the log, about three lines a method, authorization named first."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from chassis import telemetry
from chassis.identity import current_caller, require, require_fresh
from kindred.audit.v1 import custody_pb2 as pb
from kindred.audit.v1 import custody_pb2_grpc
from services.audit import codec
from services.audit.bootstrap import Room
from services.audit.checks import checking
from services.audit.custody import deeds
from services.audit.domain.report import Report

_MAY_SEE = ("HCOMPL", "PATRQT")
_MAY_VERIFY = ("compliance", "engineer")


class CustodyServicer(custody_pb2_grpc.CustodyServiceServicer):
    """Shows, exports, checks, erases and holds."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def ShowEntry(self, request: pb.ShowEntryRequest, context: grpc.ServicerContext) -> pb.ShowEntryResponse:  # noqa: N802
        """One entry with its proof."""
        require(current_caller(), "compliance", purposes=_MAY_SEE)
        shown = deeds.show_entry(self.room, request.number, current_caller(), telemetry.current_cause())
        return pb.ShowEntryResponse(
            entry=codec.entry_to_proto(shown.hit),
            proof=shown.proof,
            policy=shown.policy,
            erased_under=shown.erased_under,
        )

    def ExportEntries(  # noqa: N802
        self, request: pb.ExportEntriesRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportEntriesResponse]:
        """A zip that verifies itself offline, for who proved a moment ago who they are."""
        require(current_caller(), "compliance", purposes=_MAY_SEE)
        require_fresh(current_caller(), *self.room.settings.step_up)
        wanted = codec.search_from_proto(request.matching)
        numbers = request.from_number, request.until_number
        cause = telemetry.current_cause()
        for piece in deeds.export(
            self.room, wanted, numbers, list(request.known_sizes), caller=current_caller(), cause=cause
        ):
            yield pb.ExportEntriesResponse(content=piece)

    def GetLogHealth(  # noqa: N802
        self, request: pb.GetLogHealthRequest, context: grpc.ServicerContext
    ) -> pb.GetLogHealthResponse:
        """How the logs stand; says nothing about anybody."""
        require(current_caller(), *_MAY_VERIFY)
        states = deeds.log_states(self.room)
        return _health(self.room, states)

    def CheckAllLogs(  # noqa: N802
        self, request: pb.CheckAllLogsRequest, context: grpc.ServicerContext
    ) -> pb.CheckAllLogsResponse:
        """What is wrong, by name and place; the check is itself an entry."""
        require(current_caller(), *_MAY_VERIFY)
        report = checking.check(
            self.room, not request.without_bodies, current_caller(), telemetry.current_cause()
        )
        return pb.CheckAllLogsResponse(report=codec.report_to_proto(report))

    def EraseSubject(  # noqa: N802
        self, request: pb.EraseSubjectRequest, context: grpc.ServicerContext
    ) -> pb.EraseSubjectResponse:
        """What the law lets go is gone; the rest goes in its time."""
        require(current_caller(), "compliance", purposes=_MAY_SEE)
        cause = telemetry.current_cause()
        done = deeds.erase(self.room, request.peer_id, request.reason, current_caller(), cause)
        answer = pb.EraseSubjectResponse(erased_periods=done.erased, kept_periods=done.kept)
        if done.last_due:
            answer.last_due.FromDatetime(done.last_due)
        return answer

    def PlaceHold(self, request: pb.PlaceHoldRequest, context: grpc.ServicerContext) -> pb.PlaceHoldResponse:  # noqa: N802
        """Nothing of the person goes until the hold is released."""
        require(current_caller(), "compliance", purposes=_MAY_SEE)
        cause = telemetry.current_cause()
        hold_id = deeds.place_hold(self.room, request.peer_id, request.reason, current_caller(), cause)
        return pb.PlaceHoldResponse(hold_id=hold_id)

    def ReleaseHold(  # noqa: N802
        self, request: pb.ReleaseHoldRequest, context: grpc.ServicerContext
    ) -> pb.ReleaseHoldResponse:
        """The hold is over."""
        require(current_caller(), "compliance", purposes=_MAY_SEE)
        deeds.release_hold(
            self.room, request.hold_id, request.reason, current_caller(), telemetry.current_cause()
        )
        return pb.ReleaseHoldResponse()

    def ListHolds(self, request: pb.ListHoldsRequest, context: grpc.ServicerContext) -> pb.ListHoldsResponse:  # noqa: N802
        """Every hold; whom it protects is not told, only whether it is everybody."""
        require(current_caller(), "compliance", purposes=_MAY_SEE)
        answer = pb.ListHoldsResponse()
        for hold in deeds.holds(self.room, current_caller(), telemetry.current_cause()):
            one = answer.holds.add(
                hold_id=hold.hold_id,
                is_for_everybody=not hold.mark,
                reason=hold.reason,
                placed_by=hold.placed_by,
            )
            one.placed_at.FromDatetime(hold.placed_at)
        return answer


def _health(room: Room, states: list[deeds.LogState]) -> pb.GetLogHealthResponse:
    report = Report(producers=room.store.sequences.heard())
    answer = pb.GetLogHealthResponse(
        entries=room.store.end,
        producers=codec.report_to_proto(report).producers,
        holds=[hold.hold_id for hold in room.erasures.holds()],
    )
    for state in states:
        one = answer.logs.add(
            origin=state.origin,
            first_number=state.place.first,
            size=state.size,
            cosigned_size=state.cosigned_size,
            checkpoint=state.checkpoint,
        )
        if state.cosigned_at:
            one.cosigned_at.FromDatetime(state.cosigned_at)
        if state.pruned_at:
            one.pruned_at.FromDatetime(state.pruned_at)
    for name, at in deeds.witnesses_seen(room, states).items():
        witness = answer.witnesses.add(name=name, verifier_key=room.policy.witnesses[name].verifier.vkey())
        witness.cosigned_at.FromSeconds(at)
    return answer
