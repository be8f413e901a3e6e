"""Protos on one side, the domain on the other; pure."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.access import provenance
from chassis.errors import Fault
from chassis.identity import Caller
from chassis.sealing import PublicSeal
from kindred.bus.v1.bus_pb2 import SealedField
from kindred.intake.v1 import events_pb2, intake_pb2
from kindred.matching.v1.events_pb2 import OfferAccepted
from services.intake.domain.consent import Consent
from services.intake.domain.errors import SubmissionRejected as Refused
from services.intake.domain.events import (
    Event,
    ReferralStatusChanged,
    ReferralSubmitted,
    SubmissionRejected,
    SubmissionRepeated,
)
from services.intake.domain.person import Person, RecordNumber
from services.intake.domain.referral import Assignment, Referral
from services.intake.domain.submission import Preference, SourceContact, Strength, Submission, Urgency

_URGENCIES = {
    Urgency.ROUTINE: events_pb2.URGENCY_ROUTINE,
    Urgency.URGENT: events_pb2.URGENCY_URGENT,
    Urgency.IMMEDIATE: events_pb2.URGENCY_IMMEDIATE,
}
_URGENCIES_READ: dict[int, Urgency] = {int(number): urgency for urgency, number in _URGENCIES.items()}
_STRENGTHS = {
    Strength.NONE: events_pb2.STRENGTH_NONE,
    Strength.SOME: events_pb2.STRENGTH_SOME,
    Strength.STRONG: events_pb2.STRENGTH_STRONG,
    Strength.MUST: events_pb2.STRENGTH_MUST,
    Strength.AVOID: events_pb2.STRENGTH_AVOID,
}
_STRENGTHS_READ: dict[int, Strength] = {int(number): strength for strength, number in _STRENGTHS.items()}


class Speller:
    """Turns what intake says into bus messages; the source's address only sealed to notifications."""

    def __init__(self, seal: PublicSeal) -> None:
        self._seal = seal

    def message(self, event: Event, caller: Caller) -> Message:
        """The event's message, with who caused it."""
        if isinstance(event, ReferralSubmitted):
            return self._submitted(event, caller)
        if isinstance(event, SubmissionRejected):
            return events_pb2.SubmissionRejected(
                provenance=provenance(caller),
                source_id=event.source_id,
                door=event.door,
                reason_codes=event.reason_codes,
                paths=event.paths,
            )
        if isinstance(event, SubmissionRepeated):
            return events_pb2.SubmissionRepeated(
                provenance=provenance(caller, event.peer_id),
                referral_id=event.referral_id,
                source_id=event.source_id,
                door=event.door,
            )
        return _status_changed(event, caller)

    def _submitted(self, event: ReferralSubmitted, caller: Caller) -> events_pb2.ReferralSubmitted:
        submission, consent = event.submission, event.submission.consent
        assert consent is not None
        return events_pb2.ReferralSubmitted(
            provenance=provenance(caller, event.peer_id),
            referral_id=event.referral_id,
            source_id=submission.source_id,
            urgency=_URGENCIES[submission.urgency],
            experience_codes=submission.experience_codes,
            preferences=[
                events_pb2.Preference(code=one.code, strength=_STRENGTHS[one.strength])
                for one in submission.preferences
            ],
            languages=submission.languages,
            interpreter_agreed=submission.interpreter_agreed,
            age_band=event.age_band,
            facility_zip=submission.facility_zip,
            payer_code=submission.payer_code,
            arrived_at=_stamp(event.arrived_at),
            expected_departure_at=_stamp(submission.expected_departure_at),
            # The source's own id of the consent may name a person; ours follows the referral's.
            consent_id="con" + event.referral_id.removeprefix("ref"),
            consent_version=consent.version,
            consent_expires_at=_stamp(consent.expires_at),
            modalities=submission.modalities,
            excluded_specialist_ids=submission.excluded_specialist_ids,
            sealed_source_contact=self._contact(submission.source_contact, event.referral_id),
        )

    def _contact(self, contact: SourceContact, referral_id: str) -> SealedField | None:
        if not contact.email:
            return None
        words = {key: value for key, value in asdict(contact).items() if value}
        return self._seal.seal(json.dumps(words).encode(), f"source-contact:{referral_id}")


def _status_changed(event: ReferralStatusChanged, caller: Caller) -> events_pb2.ReferralStatusChanged:
    return events_pb2.ReferralStatusChanged(
        provenance=provenance(caller, event.peer_id),
        referral_id=event.referral_id,
        source_id=event.source_id,
        status=event.status,
        previous_status=event.previous_status,
        reason_code=event.reason_code,
        promised_arrival_at=_stamp(event.promised_arrival_at),
        modality=event.modality,
    )


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
            Preference(one.code if one.strength in _STRENGTHS_READ else "", _strength(one.strength))
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
    if number and number not in _URGENCIES_READ:
        raise Refused([Fault("urgency", "urgency-unknown", "There is no such urgency.")])
    return _URGENCIES_READ.get(number, Urgency.ROUTINE)


def _strength(number: int) -> Strength:
    """An unspecified strength is refused with its attribute (see `preferences`), so what it is called is moot."""
    return _STRENGTHS_READ.get(number, Strength.NONE)


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
        urgency=_URGENCIES[Urgency(referral.urgency)],
        submitted_at=_stamp(referral.submitted_at),
        status_at=_stamp(referral.state_at),
        promised_arrival_at=_stamp(referral.promised_arrival_at),
        modality=referral.modality,
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
    return Assignment(event.offer_id, _moment(event, "promised_arrival_at"), event.modality)


def _moment(message: Message, name: str) -> datetime | None:
    if not message.HasField(name):
        return None
    stamp: Timestamp = getattr(message, name)
    try:
        moment = stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)  # out of the calendar: refused as lying in the future
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
