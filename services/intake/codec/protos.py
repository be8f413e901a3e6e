"""What callers ask over gRPC and what they are shown, and what matching and notifications told; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chassis.clock import to_millisecond
from chassis.envelope import Envelope
from chassis.spelling import stamp
from kindred.intake.v1 import intake_pb2
from kindred.matching.v1.events_pb2 import ArrivalUpdated, HandoffRecorded, OfferAccepted
from services.intake.codec.paging import position_of, token_of
from services.intake.codec.words import URGENCIES, URGENCIES_READ, moment
from services.intake.domain.listing import Criteria, Page, Unmapped
from services.intake.domain.receipts import WRONG_NUMBER, Step, Word
from services.intake.domain.referral import Assignment, Handoff, Referral
from services.intake.domain.submission import Urgency


def criteria_of(request: intake_pb2.ListReferralsRequest) -> Criteria:
    """What is wanted, from where the page token says on; raises Refusal INVALID for a token that does not fit."""
    urgency = URGENCIES_READ.get(request.urgency)
    criteria = Criteria(
        status=request.status,
        urgency=urgency.value if urgency else "",
        submitted_from=moment(request, "submitted_from"),
        submitted_before=moment(request, "submitted_before"),
        limit=request.limit,
    )
    return replace(criteria, after=position_of(request.page_token, criteria))


def page_to_proto(page: Page, criteria: Criteria) -> intake_pb2.ListReferralsResponse:
    """A page and the token of the next one."""
    return intake_pb2.ListReferralsResponse(
        referrals=[summary_to_proto(one) for one in page.referrals],
        next_page_token=token_of(page.next, criteria),
    )


def unmapped_to_proto(found: Unmapped, version: str) -> intake_pb2.ListUnmappedCodesResponse:
    """The codes with their counts."""
    return intake_pb2.ListUnmappedCodesResponse(
        codes=[
            intake_pb2.UnmappedCode(system=system, code=code, referrals=count)
            for system, code, count in found.codes
        ],
        rare_codes=found.rare_codes,
        of_other_systems=found.of_other_systems,
        taxonomy_version=version,
    )


def summary_to_proto(referral: Referral) -> intake_pb2.ReferralSummary:
    """A referral without PHI."""
    return intake_pb2.ReferralSummary(
        referral_id=referral.referral_id,
        source_id=referral.source_id,
        status=referral.state.value,
        urgency=URGENCIES[Urgency(referral.urgency)],
        submitted_at=stamp(referral.submitted_at),
        status_at=stamp(referral.state_at),
        promised_arrival_at=stamp(referral.promised_arrival_at),
        modality=referral.modality,
        version=referral.task_version,
        reason_code=referral.reason_code,
        expected_departure_at=stamp(referral.expected_departure_at),
    )


def handoff_from_proto(event: HandoffRecorded) -> Handoff:
    """The first meeting, or why there was none."""
    return Handoff(event.offer_id, event.outcome, event.modality)


def assignment_from_proto(event: OfferAccepted | ArrivalUpdated) -> Assignment:
    """What the specialist said."""
    return Assignment(
        event.offer_id,
        moment(event, "promised_arrival_at"),
        event.modality,
        event.specialist_id,
        event.programme_id if isinstance(event, OfferAccepted) else "",
    )


def word_from_proto(envelope: Envelope, event: Any) -> Word:
    """What was said of a notice: one of NoticeSent, NoticeDelivered, NoticeBounced, NoticeFailed, NoticeReplied.

    Raises ValueError for another event.
    """
    return Word(
        step=Step(envelope.type.split(".")[1]),
        at=to_millisecond(envelope.time),
        number=envelope.aggregate_seq,
        channel=event.channel,
        attempt=getattr(event, "attempt", 0),
        reason_code=getattr(event, "reason_code", "") or _misdirected(event),
    )


def _misdirected(event: Any) -> str:
    """Of an answer no more is kept than that it came from somebody else than was meant."""
    return WRONG_NUMBER if getattr(event, "kind", "") == WRONG_NUMBER else ""
