"""From the fields of the desk's form to a submission, and back where each fault belongs; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from chassis.errors import Fault
from services.intake.domain.person import Person, RecordNumber, SafeContact
from services.intake.domain.submission import (
    Answered,
    Characteristic,
    Preference,
    Referrer,
    SourceContact,
    Strength,
    Submission,
    Urgency,
)
from services.intake.web import choices, consent_form, times
from services.intake.web.hospitals import Hospital
from services.intake.web.times import Unreadable

WISH_ROWS = 6
LONGEST = 2_000
_ASKED = {"yes": True, "no": False}
_UNSAID = ("declined", "unknown")
T = TypeVar("T")
# Where a fault of the domain is shown in the form.
_WHERE = {
    "person": "record_number",
    "person.birth_date": "birth",
    "arrived_at": "arrived_time",
    "expected_departure_at": "leaves_time",
    "source_contact": "ref_email",
    "facility_zip": "zip",
    "preferences": "wish1",
    "excluded_specialist_ids": "never",
    "consent": "consent",
    "consent.signed_at": "consent_time",
    "consent.expires_at": "consent_until_date",
    "consent.signature": "consent_signature",
    "languages": "language",
    "payer_code": "payer",
    "modalities": "way_bedside",
    "experience_codes": "urgency",
    "idempotency_key": "urgency",
}


def read(
    fields: Mapping[str, str],
    hospital: Hospital,
    reader: str,
    now: datetime,
    *,
    known: Submission | None = None,
    first_sent: datetime | None = None,
) -> tuple[Submission, list[Fault]]:
    """The submission as far as it can be read, and what cannot be read, each at its field.

    `known` is what a correction starts from: what the form does not show stays as it is.  Without a time of its own
    the consent is of the moment the form was `first_sent`, so that the same form sent twice says the same.
    """
    faults: list[Fault] = []
    key, zone = fields.get("key", ""), hospital.zone
    consent, missing = consent_form.read(fields, key, first_sent or now, hospital)
    faults += [*_unchosen(fields), *_too_long(fields), *missing]
    arrived_at = _moment(faults, fields, "arrived", lambda clock, day: times.past(clock, day, now, zone))
    after = arrived_at or now
    leaves_at = _moment(faults, fields, "leaves", lambda clock, day: times.coming(clock, day, after, zone))
    start = known or Submission("desk", hospital.organization_id, Person(), None)
    return replace(
        start,
        source_id=hospital.organization_id,
        idempotency_key=f"desk:{key}" if key else "",
        person=_person(faults, fields, hospital, start.person),
        consent=consent,
        may_wait_for_consent=fields.get("consent") == "later",
        urgency=_of(Urgency, fields.get("urgency", ""), Urgency.ROUTINE),
        experience_codes=_reasons(fields, start.experience_codes),
        preferences=_wishes(fields, start.preferences),
        languages=_languages(fields, start.languages),
        interpreter_needed=bool(fields.get("interpreter_needed")),
        interpreter_agreed=bool(fields.get("interpreter_agreed")),
        facility_zip=fields.get("zip", "").strip() or hospital.zip,
        payer_code=fields.get("payer", "") or "unknown",
        arrived_at=arrived_at,
        expected_departure_at=leaves_at,
        modalities=tuple(way for way in choices.WAYS if fields.get(f"way_{way}")),
        excluded_specialist_ids=_listed(fields.get("never", "")),
        source_contact=SourceContact(fields.get("ref_email", "").strip(), reader, str(zone)),
        place=_place(fields),
        note=fields.get("note", "").strip(),
        referrer=Referrer(fields.get("ref_name", "").strip(), fields.get("ref_phone", "").strip()),
        characteristics=_characteristics(fields, start.characteristics),
        is_naloxone_given=_ASKED.get(fields.get("naloxone", "")),
        where=_WHERE,
    ), faults


def merged(own: Sequence[Fault], found: Sequence[Fault], *, is_known: bool) -> list[Fault]:
    """One fault for each field, the form's own first.

    A correction without a new consent keeps the one that is there; a witness is missed once.
    """
    passed_over = {"consent-missing"} if is_known else set()
    if any(fault.path == "consent_witness" for fault in own):
        passed_over.add("consent-unwitnessed")
    faults: dict[str, Fault] = {}
    for fault in [*own, *found]:
        if fault.code not in passed_over:
            faults.setdefault(fault.path, fault)
    return list(faults.values())


def _unchosen(fields: Mapping[str, str]) -> list[Fault]:
    """None is guessed: a low urgency could cost somebody two days, a wrong language all of the meeting.

    Every characteristic has who said it and how (DOMAIN 3).
    """
    found: list[Fault] = []
    if fields.get("urgency", "") not in set(Urgency):
        found.append(Fault("urgency", "urgency-missing", "Say how soon somebody is needed."))
    if not fields.get("language", ""):
        found.append(Fault("language", "language-missing", "Say what they speak best."))
    if any(fields.get(f"about_{topic}") for topic in choices.ABOUT_TOPICS):
        found += [
            Fault(name, "answer-missing", "Say who said it, and how.")
            for name in ("about_said_by", "about_how")
            if not fields.get(name)
        ]
    return found


def _too_long(fields: Mapping[str, str]) -> list[Fault]:
    return [
        Fault(name, "too-long", "This is too long.") for name, text in fields.items() if len(text) > LONGEST
    ]


def _moment(
    faults: list[Fault],
    fields: Mapping[str, str],
    name: str,
    meant: Callable[[str, str], datetime | None],
) -> datetime | None:
    try:
        return meant(fields.get(f"{name}_time", ""), fields.get(f"{name}_date", ""))
    except Unreadable:
        faults.append(Fault(f"{name}_time", "time-unreadable", "This is no time."))
        return None


def _person(faults: list[Fault], fields: Mapping[str, str], hospital: Hospital, known: Person) -> Person:
    try:
        birth = times.birth_of(fields.get("birth", ""))
    except Unreadable:
        faults.append(Fault("birth", "birth-date-unreadable", "This is not a date."))
        birth = ""
    system = f"source:{hospital.organization_id}"
    value = fields.get("record_number", "").strip()
    shown = next((one for one in known.record_numbers if one.system == system), None)
    others = tuple(one for one in known.record_numbers if one is not shown)
    return replace(
        known,
        family_name=fields.get("family", "").strip(),
        given_name=fields.get("given", "").strip(),
        birth_date=birth,
        record_numbers=((RecordNumber(system, value),) if value else ()) + others,
        phones=_listed(fields.get("phones", ""), between=",;\n"),
        safe_contact=SafeContact(
            _ASKED.get(fields.get("leave_message", "")),
            _ASKED.get(fields.get("do_not_contact", "")),
            fields.get("who_answers", "").strip(),
        ),
    )


def _place(fields: Mapping[str, str]) -> str:
    """ "ER, 12": unit and bed in one line, as an order has them."""
    unit, bed = fields.get("unit", "").replace(",", " ").strip(), fields.get("bed", "").strip()
    return f"{unit}, {bed}" if bed else unit


def _reasons(fields: Mapping[str, str], known: Iterable[str]) -> tuple[str, ...]:
    chosen = [code for code in choices.REASONS if fields.get(f"reason_{code}")]
    return (*chosen, *(code for code in known if code not in choices.REASONS))


def _wishes(fields: Mapping[str, str], known: Iterable[Preference]) -> tuple[Preference, ...]:
    """A wish without a strength "matters a lot"; what does not fit into the form stays as it is."""
    rows = [
        Preference(code, _of(Strength, fields.get(f"wish{row}_strength", ""), Strength.STRONG))
        for row in range(1, WISH_ROWS + 1)
        if (code := fields.get(f"wish{row}", ""))
    ]
    return (*rows, *list(known)[WISH_ROWS:])


def _languages(fields: Mapping[str, str], known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = [fields.get(name, "") for name in ("language", "language2")]
    said = [tag for tag in chosen if tag and tag != choices.NO_LANGUAGE]
    return tuple(dict.fromkeys([*said, *known[2:]]))


def _characteristics(
    fields: Mapping[str, str], known: Iterable[Characteristic]
) -> tuple[Characteristic, ...]:
    """ "Declined" and "unknown" are answers of their own; what was not asked is nothing (DOMAIN 3)."""
    said_by, how = fields.get("about_said_by") or "peer", fields.get("about_how") or "asked"
    found = [one for one in known if one.topic not in choices.ABOUT_TOPICS]
    for topic in choices.ABOUT_TOPICS:
        answer = fields.get(f"about_{topic}", "")
        if answer in _UNSAID:
            found.append(Characteristic(topic, Answered(answer), "", said_by, how))
        elif answer.partition(".")[0] == topic:
            found.append(Characteristic(topic, Answered.STATED, answer, said_by, how))
    return tuple(found)


def _listed(text: str, between: str = ",; \n") -> tuple[str, ...]:
    for mark in between:
        text = text.replace(mark, "\n")
    return tuple(dict.fromkeys(one.strip() for one in text.split("\n") if one.strip()))


def _of(kind: type[T], value: str, usual: T) -> T:
    try:
        return kind(value)  # type: ignore[call-arg]
    except ValueError:
        return usual
