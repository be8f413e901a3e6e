"""The gRPC half of door 1, about three lines a method, authorization named first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chassis import telemetry
from chassis.errors import Fault
from chassis.identity import Caller, current_caller, require
from chassis.live_streams import Feed, live
from chassis.shares import give_way
from kindred.intake.v1 import events_pb2, intake_pb2, intake_pb2_grpc
from services.intake import codec, handlers
from services.intake.bootstrap import Room
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.submission import Submission, faults_of
from services.intake.doorway import (
    PURPOSES,
    READERS,
    SUBMITTERS,
    WHY_BROKEN,
    a_leader,
    a_reader,
    of_an_organization,
    rejections_audited,
)
from services.intake.live_referral import LiveReferral
from services.intake.watching import Hub

CURATORS = ("engineer", "compliance", "supervisor", "coordinator")


class IntakeServicer(intake_pb2_grpc.IntakeServiceServicer):
    """IntakeService; every request is read by the rules of `codec.rules` before anything else happens."""

    def __init__(self, room: Room, hub: Hub) -> None:
        self.room, self.hub = room, hub

    def SubmitReferral(  # noqa: N802
        self, request: intake_pb2.SubmitReferralRequest, context: Any
    ) -> intake_pb2.SubmitReferralResponse:
        """Stores, then answers."""
        caller = of_an_organization(current_caller(), *SUBMITTERS)
        with rejections_audited(self.room, caller, "grpc"):
            if request.urgency == events_pb2.URGENCY_ROUTINE:
                give_way()
            submission = self._submission(request, caller)
            told = handlers.submit(self.room, caller, submission, telemetry.current_cause())
        return intake_pb2.SubmitReferralResponse(
            referral_id=told.referral.referral_id, status=told.referral.state.value, was_known=told.was_known
        )

    def CorrectReferral(  # noqa: N802
        self, request: intake_pb2.CorrectReferralRequest, context: Any
    ) -> intake_pb2.CorrectReferralResponse:
        """What was submitted is replaced."""
        caller = of_an_organization(current_caller(), *SUBMITTERS)
        with rejections_audited(self.room, caller, "grpc"):
            faults = codec.faults_of(request)
            submission = self._submission(request.submission, caller, "submission", faults)
            referral = handlers.correct(
                self.room,
                caller,
                request.referral_id,
                submission,
                cause=telemetry.current_cause(),
                expected_version=request.expected_version,
            )
        return intake_pb2.CorrectReferralResponse(summary=codec.summary_to_proto(referral))

    def _submission(
        self,
        request: intake_pb2.SubmitReferralRequest,
        caller: Caller,
        prefix: str = "",
        faults: list[Fault] | None = None,
    ) -> Submission:
        """What the request says; raises SubmissionRejected with the rules' faults and the domain's, all at once."""
        codes, settings = self.room.taxonomy.codes, self.room.settings
        faults = codec.faults_of(request) if faults is None else faults
        submission = codec.submission_from_proto(request, caller.organization_id, self.room.taxonomy, prefix)
        if faults:
            # A correction without a consent keeps the one that is here.
            judged = replace(submission, may_wait_for_consent=True) if prefix else submission
            known = {fault.path.partition("[")[0] for fault in faults}
            found = faults_of(judged, self.room.clock.now(), codes, *settings.consent_rules)
            raise SubmissionRejected([*faults, *(fault for fault in found if fault.path not in known)])
        return submission

    def CancelReferral(  # noqa: N802
        self, request: intake_pb2.CancelReferralRequest, context: Any
    ) -> intake_pb2.CancelReferralResponse:
        """The source takes it back, or the peer said no."""
        caller = of_an_organization(current_caller(), *SUBMITTERS)
        codec.check(request)
        end = handlers.decline_by_peer if request.is_by_peer else handlers.cancel
        referral = end(
            self.room,
            caller,
            request.referral_id,
            request.reason_code,
            cause=telemetry.current_cause(),
            expected_version=request.expected_version,
        )
        return intake_pb2.CancelReferralResponse(summary=codec.summary_to_proto(referral))

    def ReportDeparture(  # noqa: N802
        self, request: intake_pb2.ReportDepartureRequest, context: Any
    ) -> intake_pb2.ReportDepartureResponse:
        """The peer is leaving."""
        caller = of_an_organization(current_caller(), *SUBMITTERS)
        codec.check(request)
        leaves_at = codec.moment(request, "leaves_at")
        assert leaves_at is not None
        cause = telemetry.current_cause()
        referral = handlers.report_departure(self.room, caller, request.referral_id, leaves_at, cause=cause)
        return intake_pb2.ReportDepartureResponse(summary=codec.summary_to_proto(referral))

    def RevokeConsent(  # noqa: N802
        self, request: intake_pb2.RevokeConsentRequest, context: Any
    ) -> intake_pb2.RevokeConsentResponse:
        """The person took their consent back."""
        caller = of_an_organization(current_caller(), *SUBMITTERS)
        codec.check(request)
        cause = telemetry.current_cause()
        referral = handlers.revoke_consent(self.room, caller, request.referral_id, cause=cause)
        return intake_pb2.RevokeConsentResponse(summary=codec.summary_to_proto(referral))

    def GetReferral(  # noqa: N802
        self, request: intake_pb2.GetReferralRequest, context: Any
    ) -> intake_pb2.GetReferralResponse:
        """PHI, for the referral's own source, after the read is in the audit trail."""
        why_broken = _why_broken(context)
        caller = a_reader(self.room, current_caller(), why_broken)
        codec.check(request)
        referral, kept = handlers.read_referral(
            self.room,
            caller,
            request.referral_id,
            "Referral",
            telemetry.current_cause(),
            why_broken=why_broken,
        )
        return intake_pb2.GetReferralResponse(
            summary=codec.summary_to_proto(referral),
            person=codec.person_to_proto(kept.person),
            note=kept.note,
            submission=codec.submission_to_proto(kept.submission),
        )

    def ListReferrals(  # noqa: N802
        self, request: intake_pb2.ListReferralsRequest, context: Any
    ) -> intake_pb2.ListReferralsResponse:
        """The caller's organization's referrals, without PHI."""
        caller = of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
        codec.check(request)
        criteria = codec.criteria_of(request)
        page = handlers.page_of_referrals(self.room, caller, criteria, telemetry.current_cause())
        return codec.page_to_proto(page, criteria)

    @live
    def WatchReferral(  # noqa: N802
        self, request: intake_pb2.WatchReferralRequest, context: Any
    ) -> Feed:
        """The referral now, then each change, without PHI and without a thread of its own."""
        caller = of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
        codec.check(request)
        return LiveReferral(self.room, self.hub, caller, request.referral_id, telemetry.current_cause())

    def ResolvePerson(  # noqa: N802
        self, request: intake_pb2.ResolvePersonRequest, context: Any
    ) -> intake_pb2.ResolvePersonResponse:
        """Who the peer is, for the assigned specialist; who asks otherwise is denied by the handler, on record."""
        caller, why_broken = current_caller(), _why_broken(context)
        a_leader(self.room, caller, why_broken)
        codec.check(request)
        cause = telemetry.current_cause()
        told = handlers.resolve_person(
            self.room, caller, request.referral_id, cause=cause, why_broken=why_broken
        )
        return codec.disclosure_to_proto(told)

    def ListUnmappedCodes(  # noqa: N802
        self, request: intake_pb2.ListUnmappedCodesRequest, context: Any
    ) -> intake_pb2.ListUnmappedCodesResponse:
        """Which codes the taxonomy lacks; about nobody, for those who look after it."""
        require(current_caller(), *CURATORS)
        codec.check(request)
        found = handlers.unmapped_codes(self.room, request.limit)
        return codec.unmapped_to_proto(found, self.room.taxonomy.version)


def _why_broken(context: Any) -> str:
    """Why the caller breaks the glass, as they said it, or empty."""
    return str(dict(context.invocation_metadata()).get(WHY_BROKEN, ""))
