"""EmergencyService: the gRPC door of 42 CFR 2.51; authorization named first."""

from __future__ import annotations

from typing import Any

from chassis import telemetry
from chassis.identity import current_caller
from kindred.intake.v1 import emergency_pb2, emergency_pb2_grpc
from services.intake import codec, handlers
from services.intake.bootstrap import Room
from services.intake.doorway import of_an_organization

DISCLOSERS = ("nurse", "clinician")
PURPOSES = ("ETREAT",)


class EmergencyServicer(emergency_pb2_grpc.EmergencyServiceServicer):
    """A path of its own beside consents."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def DiscloseInEmergency(  # noqa: N802
        self, request: emergency_pb2.DiscloseInEmergencyRequest, context: Any
    ) -> emergency_pb2.DiscloseInEmergencyResponse:
        """Identity and whereabouts, after the four facts are on record."""
        caller = of_an_organization(current_caller(), *DISCLOSERS, purposes=PURPOSES)
        for name in ("recipient_id", "recipient_affiliation"):  # a name of spaces is none
            setattr(request, name, getattr(request, name).strip())
        codec.check(request)
        kept = handlers.disclose_in_emergency(
            self.room,
            caller,
            request.referral_id,
            recipient_id=request.recipient_id,
            recipient_affiliation=request.recipient_affiliation,
            nature_code=request.nature_code,
            cause=telemetry.current_cause(),
        )
        return emergency_pb2.DiscloseInEmergencyResponse(
            person=codec.person_to_proto(kept.person), place=kept.submission.place, note=kept.note
        )
