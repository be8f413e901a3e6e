"""Protos on one side, the domain on the other; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Fault, Kind, Refusal
from kindred.intake.v1 import events_pb2 as intake_pb2
from kindred.matching.v1 import matching_pb2 as pb
from kindred.notifications.v1.events_pb2 import NoticeFailed
from services.matching import places, taxonomy, tongues, wording
from services.matching.domain.case import CLOSED, Case, Checkin, Offer
from services.matching.domain.need import Need
from services.matching.domain.policy import IMMEDIATE, ROUTINE, URGENT
from services.matching.domain.specialist import MODALITIES
from services.matching.handlers import Acceptance, Declining, Recorded
from services.matching.roster_file import Progress

# A referral that does not say how urgent it is is treated as the most urgent: the other mistake costs more.
_URGENCIES = {intake_pb2.URGENCY_ROUTINE: ROUTINE, intake_pb2.URGENCY_URGENT: URGENT}
_STRENGTHS = {
    intake_pb2.STRENGTH_NONE: "none",
    intake_pb2.STRENGTH_SOME: "some",
    intake_pb2.STRENGTH_STRONG: "strong",
    intake_pb2.STRENGTH_MUST: "must",
    intake_pb2.STRENGTH_AVOID: "avoid",
}
_HARDNESS = ("none", "some", "strong", "must", "avoid")
_MOST_KEY_CHARS = 200


def need(message: intake_pb2.ReferralSubmitted | intake_pb2.ReferralRevised) -> Need:
    """What a submitted referral needs; codes of a newer taxonomy are kept as wishes and simply fit nobody yet."""
    languages = [tongues.primary(tag) for tag in message.languages]
    preferences: dict[str, str] = {}
    for preference in message.preferences:
        strength = _STRENGTHS.get(preference.strength, "some")
        held = preferences.get(preference.code, "none")
        # Said twice, the harder wish holds.
        preferences[preference.code] = max(strength, held, key=_HARDNESS.index)
    return Need(
        referral_id=message.referral_id,
        peer_id=message.provenance.peer_id,
        source_id=message.source_id,
        urgency=_URGENCIES.get(message.urgency, IMMEDIATE),
        experience=taxonomy.read().with_parents(message.experience_codes),
        preferences=preferences,
        languages=tuple(dict.fromkeys(tag for tag in languages if tag)),
        is_interpreter_agreed=message.interpreter_agreed,
        age_band=message.age_band or "unknown",
        payer=message.payer_code or "unknown",
        source_place=places.find(message.facility_zip),
        expected_departure_at=moment(message, "expected_departure_at"),
        consent_expires_at=moment(message, "consent_expires_at"),
        modalities=frozenset(message.modalities) & frozenset(MODALITIES) or frozenset({"bedside", "phone"}),
        excluded_ids=frozenset(message.excluded_specialist_ids),
    )


def stopped_need(message: intake_pb2.ReferralStopped) -> Need:
    """All that is known of a referral that was stopped before it was heard of."""
    return Need(message.referral_id, message.provenance.peer_id, message.source_id, ROUTINE)


def is_offer_unheard(message: NoticeFailed) -> bool:
    """True where an offer surely never reached its specialist; where nobody can say, they may be about to answer."""
    return message.intent == "offer-made" and message.reason_code != "fate-unknown"


def acceptance(request: pb.AcceptOfferRequest) -> Acceptance:
    """The command in a request; raises Refusal INVALID naming every field that is missing."""
    faults = missing(
        offer_id=request.offer_id, idempotency_key=request.idempotency_key, modality=request.modality
    )
    promised = moment(request, "promised_arrival_at")
    if promised is None:
        faults.append(Fault("promised_arrival_at", "missing", "Say when you come or ring."))
    if faults or promised is None:
        raise Refusal("request-incomplete", Kind.INVALID, "The request is incomplete.", faults=faults)
    return Acceptance(request.offer_id, request.idempotency_key, promised, request.modality)


def declining(request: pb.DeclineOfferRequest) -> Declining:
    """The command in a request; raises Refusal INVALID naming every field that is missing."""
    faults = missing(
        offer_id=request.offer_id, idempotency_key=request.idempotency_key, reason_code=request.reason_code
    )
    if faults:
        raise Refusal("request-incomplete", Kind.INVALID, "The request is incomplete.", faults=faults)
    return Declining(request.offer_id, request.idempotency_key, request.reason_code)


def recorded(request: pb.RecordHandoffRequest | pb.RecordCheckinRequest) -> Recorded:
    """What a specialist records; raises Refusal INVALID naming every field that is missing."""
    faults = missing(
        referral_id=request.referral_id, idempotency_key=request.idempotency_key, outcome=request.outcome
    )
    if faults:
        raise Refusal("request-incomplete", Kind.INVALID, "The request is incomplete.", faults=faults)
    return Recorded(
        request.referral_id,
        request.idempotency_key,
        request.outcome,
        modality=request.modality if isinstance(request, pb.RecordHandoffRequest) else "",
        number=request.number if isinstance(request, pb.RecordCheckinRequest) else 0,
        at=moment(request, "occurred_at"),
    )


def _still_wanted(found: Case, one: Checkin) -> Checkin:
    """After the end nobody makes a check-in that was planned."""
    is_over = found.state == CLOSED and one.state in ("planned", "due")
    return replace(one, state="not-needed") if is_over else one


def checkin(one: Checkin) -> pb.Checkin:
    """A follow-up contact."""
    return pb.Checkin(
        number=one.number,
        due_at=_stamp(one.due_at),
        state=one.state,
        outcome=one.outcome,
        occurred_at=_stamp(one.occurred_at),
    )


def offer(case: Case, made: Offer) -> pb.Offer:
    """An offer with its explanation, in English."""
    terms = [
        pb.Term(code=term.code, points_milli=term.points_milli, text=wording.text(term, "en"))
        for term in made.terms
    ]
    return pb.Offer(
        offer_id=made.offer_id,
        referral_id=case.referral_id,
        specialist_id=made.specialist_id,
        state=made.state,
        wave=made.wave,
        made_at=_stamp(made.made_at),
        deadline_at=_stamp(made.deadline_at),
        answered_at=_stamp(made.answered_at),
        urgency=case.need.urgency,
        programme_id=made.programme_id,
        ways=sorted(made.ways),
        explanation=pb.Explanation(score_milli=sum(term.points_milli for term in made.terms), terms=terms),
    )


def case(found: Case, seen: list[Offer]) -> pb.GetCaseResponse:
    """A case with the offers the caller may see."""
    return pb.GetCaseResponse(
        referral_id=found.referral_id,
        state=found.state,
        wave=found.wave,
        assigned_specialist_id=found.assigned_specialist_id,
        offers=[offer(found, one) for one in seen],
        opened_at=_stamp(found.opened_at),
        exclusions=exclusions(found.exclusions),
        handoff_outcome=found.handoff.outcome if found.handoff else "",
        checkins=[checkin(_still_wanted(found, one)) for one in found.checkins],
        stop_code=found.stop_code,
    )


def progress(told: Progress, *, is_final: bool = False) -> pb.ImportRosterResponse:
    """How far an import is."""
    faults = [pb.RowFault(line=f.line, column=f.column, code=f.code, message=f.message) for f in told.faults]
    return pb.ImportRosterResponse(
        rows_read=told.rows_read,
        rows_stored=told.rows_stored,
        rows_unchanged=told.rows_unchanged,
        faults=faults,
        is_final=is_final,
    )


def exclusions(counts: Mapping[str, int]) -> list[pb.Exclusion]:
    """How many each hard rule kept out."""
    return [pb.Exclusion(rule=rule, specialists=count) for rule, count in counts.items()]


def missing(**fields: str) -> list[Fault]:
    """A fault for each of these that is empty or too long."""
    return [
        Fault(name, "missing" if not value else "too-long", "Needed, at most 200 characters.")
        for name, value in fields.items()
        if not 0 < len(value) <= _MOST_KEY_CHARS
    ]


def moment(message: Any, name: str) -> datetime | None:
    """The time in a field to the millisecond, None where it is unset or outside the calendar."""
    if not message.HasField(name):
        return None
    stamp: Timestamp = getattr(message, name)
    try:
        told = stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return told.replace(microsecond=told.microsecond // 1000 * 1000)


def _stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
