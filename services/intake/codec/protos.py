"""What callers send over gRPC and what they are shown; pure."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Fault
from kindred.intake.v1 import intake_pb2
from kindred.matching.v1.events_pb2 import OfferAccepted
from services.intake.codec.words import STRENGTHS_READ, URGENCIES, URGENCIES_READ, stamp
from services.intake.domain.consent import Consent
from services.intake.domain.errors import SubmissionRejected as Refused
from services.intake.domain.person import Person, RecordNumber
from services.intake.domain.referral import Assignment, Referral
from services.intake.domain.submission import Preference, SourceContact, Strength, Submission, Urgency


def submission_from_proto(request: intake_pb2.SubmitReferralRequest, source_id: str) -> Submission:
    """The submission in a gRPC request; its faults are the domain's to find, under the proto's field paths."""
    sent = request.person
    has_number = bool(sent.record_number)
    system = sent.record_system or f"source:{source_id}"
    return Submission(
        door="grpc",
        source_id=source_id,
        idempotency_key=request.idempotency_key,
        person=Person(
            family_name=sent.family_name,
            given_name=sent.given_name,
            birth_date=sent.birth_date,
            record_numbers=(RecordNumber(system, sent.record_number),) if has_number else (),
            phones=tuple(sent.phones),
        ),
        consent=_consent(request),
        visit=RecordNumber(f"source:{source_id}", request.visit_number) if request.visit_number else None,
        urgency=_urgency(request.urgency),
        experience_codes=tuple(sorted(set(request.experience_codes))),
        preferences=tuple(
            Preference(one.code if one.strength in STRENGTHS_READ else "", _strength(one.strength))
            for one in request.preferences
        ),
        languages=tuple(dict.fromkeys(request.languages)),
        interpreter_agreed=request.interpreter_agreed,
        facility_zip=request.facility_zip,
        payer_code=request.payer_code or "unknown",
        arrived_at=_moment(request, "arrived_at"),
        expected_departure_at=_moment(request, "expected_departure_at"),
        modalities=tuple(dict.fromkeys(request.modalities)),
        excluded_specialist_ids=tuple(sorted(set(request.excluded_specialist_ids))),
        source_contact=SourceContact(
            request.source_contact.email, request.source_contact.language, request.source_contact.time_zone
        ),
        note=request.note,
    )


def _urgency(number: int) -> Urgency:
    """Unsaid is routine; one we do not know is refused, because to guess low could cost somebody two days."""
    if number and number not in URGENCIES_READ:
        raise Refused([Fault("urgency", "urgency-unknown", "There is no such urgency.")])
    return URGENCIES_READ.get(number, Urgency.ROUTINE)


def _strength(number: int) -> Strength:
    """An unspecified strength is refused with its attribute (see `preferences`), so what it is called is moot."""
    return STRENGTHS_READ.get(number, Strength.NONE)


def _consent(request: intake_pb2.SubmitReferralRequest) -> Consent | None:
    if not request.HasField("consent"):
        return None
    return Consent(
        consent_id=request.consent.consent_id,
        is_permitted=request.consent.is_permitted,
        signed_at=_moment(request.consent, "signed_at"),
        expires_at=_moment(request.consent, "expires_at"),
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


def person_to_proto(person: Person) -> intake_pb2.Person:
    """The identity, with the first record number."""
    first = next(iter(person.record_numbers), RecordNumber("", ""))
    return intake_pb2.Person(
        family_name=person.family_name,
        given_name=person.given_name,
        birth_date=person.birth_date,
        record_number=first.value,
        record_system=first.system,
        phones=person.phones,
    )


def assignment_from_proto(event: OfferAccepted) -> Assignment:
    """What the specialist said."""
    return Assignment(
        event.offer_id, _moment(event, "promised_arrival_at"), event.modality, event.specialist_id
    )


def _moment(message: Message, name: str) -> datetime | None:
    if not message.HasField(name):
        return None
    stamp: Timestamp = getattr(message, name)
    try:
        moment = stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)  # out of the calendar: refused as lying in the future
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
