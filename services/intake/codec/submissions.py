"""A whole submission as gRPC carries it, both ways; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message

from chassis.spelling import stamp
from kindred.intake.v1 import events_pb2, intake_pb2
from services.intake.codec.consents import consent_from_proto, consent_to_proto
from services.intake.codec.words import (
    ANSWERED,
    ANSWERED_READ,
    STRENGTHS,
    STRENGTHS_READ,
    URGENCIES,
    URGENCIES_READ,
    moment,
)
from services.intake.domain.person import Person, RecordNumber, SafeContact
from services.intake.domain.submission import (
    Answered,
    Characteristic,
    Code,
    Preference,
    Referrer,
    SourceContact,
    Strength,
    Submission,
    Urgency,
)

if TYPE_CHECKING:
    from services.intake.taxonomy import Taxonomy

M = TypeVar("M", bound=Message)


def submission_from_proto(
    request: intake_pb2.SubmitReferralRequest, source_id: str, taxonomy: Taxonomy, prefix: str = ""
) -> Submission:
    """The submission in a gRPC request; its faults are the domain's to find, under the proto's field paths.

    What `rules` refuses is read as unsaid.  `prefix` is where the request stands in a greater one.
    """
    sent = request.person
    own_system = f"source:{source_id}"
    codes = tuple(Code(one.system, one.code, one.display) for one in request.codes)
    return Submission(
        door="grpc",
        source_id=source_id,
        idempotency_key=request.idempotency_key,
        person=_person(sent, own_system),
        consent=consent_from_proto(request.consent) if request.HasField("consent") else None,
        visit=RecordNumber(own_system, request.visit_number) if request.visit_number else None,
        urgency=URGENCIES_READ.get(request.urgency, Urgency.ROUTINE),
        experience_codes=tuple(sorted({*request.experience_codes, *taxonomy.attributes_of(codes)})),
        codes=codes,
        preferences=tuple(
            Preference(one.code, STRENGTHS_READ.get(one.strength, Strength.NONE))
            for one in request.preferences
        ),
        languages=tuple(dict.fromkeys(request.languages)),
        interpreter_agreed=request.interpreter_agreed,
        interpreter_needed=request.interpreter_needed,
        facility_zip=request.facility_zip,
        payer_code=request.payer_code or "unknown",
        arrived_at=moment(request, "arrived_at"),
        expected_departure_at=moment(request, "expected_departure_at"),
        modalities=tuple(dict.fromkeys(request.modalities)),
        excluded_specialist_ids=tuple(sorted(set(request.excluded_specialist_ids))),
        source_contact=SourceContact(
            request.source_contact.email, request.source_contact.language, request.source_contact.time_zone
        ),
        place=request.place,
        note=request.note,
        placer_identifiers=_numbers(request.placer_identifiers, own_system),
        referrer=Referrer(request.referrer.name, request.referrer.phone),
        characteristics=tuple(map(_characteristic, request.characteristics)),
        is_naloxone_given=_flag(request, "is_naloxone_given"),
        may_wait_for_consent=request.may_wait_for_consent,
        where=_Below(prefix) if prefix else {},
    )


class _Below(Mapping[str, str]):
    """Every path, below the field that holds the submission."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __getitem__(self, path: str) -> str:
        return f"{self._prefix}.{path}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _person(sent: intake_pb2.Person, own_system: str) -> Person:
    first = [RecordNumber(sent.record_system or own_system, sent.record_number)] if sent.record_number else []
    return Person(
        family_name=sent.family_name,
        given_name=sent.given_name,
        birth_date=sent.birth_date,
        record_numbers=tuple(dict.fromkeys([*first, *_numbers(sent.other_record_numbers, own_system)])),
        phones=tuple(sent.phones),
        safe_contact=SafeContact(
            _flag(sent.safe_contact, "may_leave_message"),
            _flag(sent.safe_contact, "do_not_contact"),
            sent.safe_contact.who_else_answers,
        ),
        sex=sent.sex,
        suffix=sent.suffix,
        home_zip=sent.home_zip,
        former_names=tuple(dict.fromkeys(filter(None, sent.former_names))),
    )


def _numbers(sent: Iterable[intake_pb2.RecordNumber], own_system: str) -> tuple[RecordNumber, ...]:
    return tuple(RecordNumber(one.system or own_system, one.value) for one in sent if one.value)


def _characteristic(sent: intake_pb2.Characteristic) -> Characteristic:
    return Characteristic(
        topic=sent.topic,
        answered=ANSWERED_READ.get(sent.answered, Answered.UNKNOWN),
        code=sent.code,
        said_by=sent.said_by or "peer",
        how=sent.how or "asked",
    )


def _flag(message: Message, name: str) -> bool | None:
    return bool(getattr(message, name)) if message.HasField(name) else None


def submission_to_proto(said: Submission) -> intake_pb2.SubmitReferralRequest:
    """Everything that was said, as a correction would say it: without its key."""
    contact, referrer = said.source_contact, said.referrer
    return intake_pb2.SubmitReferralRequest(
        person=person_to_proto(said.person),
        consent=consent_to_proto(said.consent),
        source_contact=_told(
            intake_pb2.Contact(email=contact.email, language=contact.language, time_zone=contact.time_zone)
        ),
        visit_number=said.visit.value if said.visit else "",
        urgency=URGENCIES[said.urgency],
        experience_codes=said.experience_codes,
        preferences=[
            events_pb2.Preference(code=one.code, strength=STRENGTHS[one.strength]) for one in said.preferences
        ],
        languages=said.languages,
        interpreter_agreed=said.interpreter_agreed,
        facility_zip=said.facility_zip,
        payer_code=said.payer_code,
        arrived_at=stamp(said.arrived_at),
        expected_departure_at=stamp(said.expected_departure_at),
        modalities=said.modalities,
        excluded_specialist_ids=said.excluded_specialist_ids,
        note=said.note,
        place=said.place,
        interpreter_needed=said.interpreter_needed,
        codes=[
            intake_pb2.ClinicalCode(system=one.system, code=one.code, display=one.display)
            for one in said.codes
        ],
        characteristics=[
            intake_pb2.Characteristic(
                topic=one.topic,
                answered=ANSWERED[one.answered],
                code=one.code,
                said_by=one.said_by,
                how=one.how,
            )
            for one in said.characteristics
        ],
        is_naloxone_given=said.is_naloxone_given,
        referrer=_told(intake_pb2.Referrer(name=referrer.name, phone=referrer.phone)),
        placer_identifiers=_numbers_to_proto(said.placer_identifiers),
        may_wait_for_consent=said.may_wait_for_consent,
    )


def _told(message: M) -> M | None:
    """A part in which nothing is said is left out."""
    return message if message.ByteSize() else None


def _numbers_to_proto(numbers: Iterable[RecordNumber]) -> list[intake_pb2.RecordNumber]:
    return [intake_pb2.RecordNumber(system=one.system, value=one.value) for one in numbers]


def person_to_proto(person: Person) -> intake_pb2.Person:
    """The identity, with every record number."""
    first, *others = person.record_numbers or [RecordNumber("", "")]
    safe = person.safe_contact
    return intake_pb2.Person(
        family_name=person.family_name,
        given_name=person.given_name,
        birth_date=person.birth_date,
        record_number=first.value,
        record_system=first.system,
        phones=person.phones,
        safe_contact=_told(
            intake_pb2.SafeContact(
                may_leave_message=safe.may_leave_message,
                do_not_contact=safe.do_not_contact,
                who_else_answers=safe.who_else_answers,
            )
        ),
        other_record_numbers=_numbers_to_proto(others),
        sex=person.sex,
        suffix=person.suffix,
        home_zip=person.home_zip,
        former_names=person.former_names,
    )
