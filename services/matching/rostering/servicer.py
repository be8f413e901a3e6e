"""kindred.matching.v1.RosterService, about three lines a method, authorization named first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller, current_caller, require
from kindred.matching.v1 import matching_pb2, roster_pb2_grpc
from kindred.matching.v1 import roster_pb2 as pb
from services.matching import handlers, roster_writing
from services.matching.bootstrap import Room
from services.matching.rostering import editing, messages

_LEADS = ("supervisor", "coordinator")
_USUAL_DAYS, _MOST_DAYS = 60, 730


class RosterServicer(roster_pb2_grpc.RosterServiceServicer):
    """Reads are audited before they are answered; what is private stays with whose it is."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def ExportRoster(  # noqa: N802
        self, request: pb.ExportRosterRequest, context: Any
    ) -> Iterator[pb.ExportRosterResponse]:
        """A file that, imported again, changes nothing."""
        caller = _caller(*_LEADS, "engineer", "system")
        write = roster_writing.writer(request.format)
        portions = handlers.export(self.room, request.programme_id, caller, telemetry.current_cause())
        for chunk in roster_writing.chunks(write, portions):
            yield pb.ExportRosterResponse(chunk=chunk)

    def GetSpecialist(self, request: pb.GetSpecialistRequest, context: Any) -> pb.GetSpecialistResponse:  # noqa: N802
        """One entry, with what they carry."""
        caller = _caller("specialist", *_LEADS, "system")
        found = handlers.read_specialist(self.room, request.specialist_id, caller, telemetry.current_cause())
        now, standing = self.room.clock.now(), found.standing
        return pb.GetSpecialistResponse(
            columns=handlers.row(found, caller),
            revision=found.revision,
            load_milli=standing.load_milli,
            strain_milli=standing.carried_milli(now) - standing.load_milli,
            capacity_milli=standing.capacity_milli,
            rests_until=messages.stamp(standing.rests_until) if standing.is_resting(now) else None,
            is_available_now=found.specialist.is_available(now, is_immediate=True),
        )

    def ReviseSpecialist(  # noqa: N802
        self, request: pb.ReviseSpecialistRequest, context: Any
    ) -> pb.ReviseSpecialistResponse:
        """Some columns of one entry."""
        caller = _caller("specialist", *_LEADS, "system")
        revision, faults = editing.revise(
            self.room,
            request.specialist_id,
            dict(request.columns),
            caller,
            telemetry.current_cause(),
            revision=request.revision,
        )
        told = [matching_pb2.RowFault(column=f.column, code=f.code, message=f.message) for f in faults]
        return pb.ReviseSpecialistResponse(revision=revision, faults=told)

    def TakeRest(self, request: pb.TakeRestRequest, context: Any) -> pb.TakeRestResponse:  # noqa: N802
        """Nobody is brought to them until then."""
        caller = _caller("specialist", *_LEADS)
        until = messages.rest_until(request)
        handlers.take_rest(self.room, request.specialist_id, until, caller, telemetry.current_cause())
        return pb.TakeRestResponse()

    def KeepApart(self, request: pb.KeepApartRequest, context: Any) -> pb.KeepApartResponse:  # noqa: N802
        """Two people are never brought together again."""
        caller = _caller("specialist", *_LEADS)
        handlers.keep_apart(
            self.room,
            request.specialist_id,
            request.referral_id,
            caller,
            telemetry.current_cause(),
            is_taken_back=request.is_taken_back,
        )
        return pb.KeepApartResponse()

    def ListExpiringCertifications(  # noqa: N802
        self, request: pb.ListExpiringCertificationsRequest, context: Any
    ) -> pb.ListExpiringCertificationsResponse:
        """What has to be renewed."""
        caller = _caller(*_LEADS, "engineer", "system")
        if not 0 <= request.days <= _MOST_DAYS:
            raise Refusal("days-unknown", Kind.INVALID, "From 0 to 730 days.")
        days = request.days or _USUAL_DAYS
        cause = telemetry.current_cause()
        found = handlers.expiring(self.room, request.programme_id, days, caller, cause)
        told = [
            pb.ExpiringCertification(
                specialist_id=profile.specialist.specialist_id,
                state=ending.certification.state,
                valid_until=ending.certification.valid_until.isoformat(),
                supervisor_id=profile.specialist.supervisor_id,
            )
            for profile, ending in found
        ]
        return pb.ListExpiringCertificationsResponse(certifications=told)

    def WhyNot(self, request: pb.WhyNotRequest, context: Any) -> pb.WhyNotResponse:  # noqa: N802
        """Which rules keep a specialist out, or where they rank."""
        caller = _caller("specialist", *_LEADS, "system")
        cause = telemetry.current_cause()
        return messages.place(
            handlers.why_not(self.room, request.referral_id, request.specialist_id, caller, cause)
        )

    def WhatIf(self, request: pb.WhatIfRequest, context: Any) -> pb.WhatIfResponse:  # noqa: N802
        """What would change; changes nothing."""
        caller = _caller(*_LEADS, "system")
        wanted, cause = messages.difference(request), telemetry.current_cause()
        before, after = handlers.what_if(self.room, request.referral_id, wanted, caller, cause)
        return pb.WhatIfResponse(before=messages.outlook(before), after=messages.outlook(after))

    def GetPolicy(self, request: pb.GetPolicyRequest, context: Any) -> pb.GetPolicyResponse:  # noqa: N802
        """Every weight and limit, with its history; no person is in it."""
        _caller("nurse", "clinician", "specialist", "compliance", "engineer", "system", *_LEADS)
        return messages.policy(self.room.policy_document)


def _caller(*roles: str) -> Caller:
    caller = current_caller()
    require(caller, *roles)
    return caller
