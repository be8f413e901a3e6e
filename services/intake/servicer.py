"""The gRPC half of door 1, about three lines a method, authorization named first."""

from __future__ import annotations

from typing import Any

from chassis import telemetry
from chassis.identity import current_caller
from kindred.intake.v1 import intake_pb2, intake_pb2_grpc
from services.intake import codec, handlers
from services.intake.bootstrap import Room
from services.intake.doorway import PURPOSES, READERS, SUBMITTERS, of_an_organization, rejections_audited


class IntakeServicer(intake_pb2_grpc.IntakeServiceServicer):
    """IntakeService."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def SubmitReferral(  # noqa: N802
        self, request: intake_pb2.SubmitReferralRequest, context: Any
    ) -> intake_pb2.SubmitReferralResponse:
        """Stores, then answers."""
        caller = of_an_organization(current_caller(), *SUBMITTERS)
        with rejections_audited(self.room, caller, "grpc"):
            submission = codec.submission_from_proto(request, caller.organization_id)
            told = handlers.submit(self.room, caller, submission, telemetry.current_cause())
        return intake_pb2.SubmitReferralResponse(
            referral_id=told.referral.referral_id, status=told.referral.state.value, was_known=told.was_known
        )

    def GetReferral(  # noqa: N802
        self, request: intake_pb2.GetReferralRequest, context: Any
    ) -> intake_pb2.GetReferralResponse:
        """PHI, for the referral's own source, after the read is in the audit trail."""
        caller = of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
        cause = telemetry.current_cause()
        referral, kept = handlers.read_referral(self.room, caller, request.referral_id, "Referral", cause)
        return intake_pb2.GetReferralResponse(
            summary=codec.summary_to_proto(referral),
            person=codec.person_to_proto(kept.person),
            note=kept.note,
        )

    def ListReferrals(  # noqa: N802
        self, request: intake_pb2.ListReferralsRequest, context: Any
    ) -> intake_pb2.ListReferralsResponse:
        """The caller's organization's referrals, without PHI."""
        caller = of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
        cause = telemetry.current_cause()
        found = handlers.list_referrals(self.room, caller, request.status, request.limit, cause)
        return intake_pb2.ListReferralsResponse(referrals=[codec.summary_to_proto(one) for one in found])
