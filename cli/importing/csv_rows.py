"""A CSV row as a gRPC submission, cell by cell; docs/csv-referrals.md is its page, held to this table by a test."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from cli.importing.pieces import PieceFault
from kindred.intake.v1 import events_pb2, intake_pb2

YES = frozenset({"yes", "y", "true", "1", "si", "sí"})
NO = frozenset({"no", "n", "false", "0"})
_URGENCIES = {
    "immediate": events_pb2.URGENCY_IMMEDIATE,
    "urgent": events_pb2.URGENCY_URGENT,
    "routine": events_pb2.URGENCY_ROUTINE,
}
_STRENGTHS = {
    "none": events_pb2.STRENGTH_NONE,
    "some": events_pb2.STRENGTH_SOME,
    "strong": events_pb2.STRENGTH_STRONG,
    "must": events_pb2.STRENGTH_MUST,
    "avoid": events_pb2.STRENGTH_AVOID,
}
_SYSTEMS = {
    "icd10": "http://hl7.org/fhir/sid/icd-10-cm",
    "snomed": "http://snomed.info/sct",
}
_ANSWERS = {"declined": intake_pb2.ANSWERED_DECLINED, "unknown": intake_pb2.ANSWERED_UNKNOWN}


class _Bad(Exception):  # noqa: N818
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Reading:
    """What the reader of a whole file knows: the zone of times that name none."""

    zone: tzinfo | None = None


@dataclass(frozen=True)
class Column:
    """One column: its name, the field of the request it fills, how, and what its page says."""

    name: str
    path: str
    fill: Callable[[Any, str, str, Reading], None]
    meaning: str
    example: str = ""


def _text(request: Any, path: str, cell: str, _: Reading) -> None:
    owner, name = _owner(request, path)
    setattr(owner, name, cell)


def _texts(request: Any, path: str, cell: str, _: Reading) -> None:
    owner, name = _owner(request, path)
    getattr(owner, name).extend(_listed(cell))


def _flag(request: Any, path: str, cell: str, _: Reading) -> None:
    owner, name = _owner(request, path)
    setattr(owner, name, _yes(cell))


def _time(request: Any, path: str, cell: str, reading: Reading) -> None:
    owner, name = _owner(request, path)
    getattr(owner, name).FromDatetime(_moment(cell, reading))


def _owner(request: Any, path: str) -> tuple[Any, str]:
    *owners, name = path.split(".")
    for one in owners:
        request = getattr(request, one)
    return request, name


def _listed(cell: str) -> list[str]:
    return [one.strip() for one in cell.split(";") if one.strip()]


def _yes(cell: str) -> bool:
    word = cell.casefold()
    if word not in YES | NO:
        raise _Bad("yes-or-no-wanted", "This is yes, no, or empty.")
    return word in YES


def _moment(cell: str, reading: Reading) -> datetime:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise _Bad("time-unreadable", "A time is written 2026-11-21T22:40-05:00.") from None
    if len(cell) <= len("2026-11-21"):
        raise _Bad("time-unreadable", "A date alone is no time; write 2026-11-21T22:40-05:00.")
    if moment.tzinfo is None and reading.zone is None:
        raise _Bad("time-without-zone", "Write the time with its offset, or give --time-zone.")
    return moment if moment.tzinfo else moment.replace(tzinfo=reading.zone)


def _urgency(request: Any, _: str, cell: str, __: Reading) -> None:
    if cell.casefold() not in _URGENCIES:
        raise _Bad("urgency-unknown", "Urgency is immediate, urgent or routine.")
    request.urgency = _URGENCIES[cell.casefold()]


def _reasons(request: Any, _: str, cell: str, __: Reading) -> None:
    for one in _listed(cell):
        system, colon, code = one.partition(":")
        if not colon:
            request.experience_codes.append(one)
        elif system.casefold() in _SYSTEMS and code.strip():
            request.codes.add(system=_SYSTEMS[system.casefold()], code=code.strip())
        else:
            raise _Bad("reason-unreadable", "A reason is an attribute, icd10:CODE or snomed:CODE.")


def _preferences(request: Any, _: str, cell: str, __: Reading) -> None:
    for one in _listed(cell):
        code, _colon, strength = one.partition(":")
        if strength.strip().casefold() not in _STRENGTHS:
            raise _Bad("strength-unknown", "Write attribute:strength; none, some, strong, must or avoid.")
        request.preferences.add(code=code.strip(), strength=_STRENGTHS[strength.strip().casefold()])


def _characteristics(request: Any, _: str, cell: str, __: Reading) -> None:
    for one in _listed(cell):
        topic, colon, answer = (part.strip() for part in one.partition(":"))
        if not (topic and colon and answer):
            raise _Bad("characteristic-unreadable", "Write topic:attribute, topic:declined or topic:unknown.")
        answered = _ANSWERS.get(answer.casefold(), intake_pb2.ANSWERED_STATED)
        code = answer if answered == intake_pb2.ANSWERED_STATED else ""
        request.characteristics.add(topic=topic, answered=answered, code=code)


def _order(request: Any, _: str, cell: str, __: Reading) -> None:
    request.placer_identifiers.add(value=cell)


COLUMNS: Sequence[Column] = (
    Column("record_number", "person.record_number", _text, "The person's record number.", "MRN-4711"),
    Column(
        "record_system",
        "person.record_system",
        _text,
        "Who gave the record number; empty: your organization.",
    ),
    Column("visit_number", "visit_number", _text, "The visit's number.", "V-20931"),
    Column("order_number", "placer_identifiers", _order, "Your own number of this order."),
    Column("family_name", "person.family_name", _text, "Family name.", "Marlowe"),
    Column("given_name", "person.given_name", _text, "Given names.", "Testperson"),
    Column(
        "birth_date", "person.birth_date", _text, "Birth date: 1988-04-01, 1988-04 or 1988.", "1988-04-01"
    ),
    Column("suffix", "person.suffix", _text, "The generation.", "Jr."),
    Column("sex", "person.sex", _text, "female, male, other; empty: nobody said."),
    Column("home_zip", "person.home_zip", _text, "Five digits of where the person lives; told to nobody."),
    Column(
        "former_names", "person.former_names", _texts, "Family names from before, separated by semicolons."
    ),
    Column("phones", "person.phones", _texts, "Phone numbers, separated by semicolons."),
    Column(
        "may_leave_message",
        "person.safe_contact.may_leave_message",
        _flag,
        "May a message be left? yes, no; empty: nobody asked.",
    ),
    Column(
        "do_not_contact",
        "person.safe_contact.do_not_contact",
        _flag,
        "yes: the person must not be contacted.",
    ),
    Column(
        "who_else_answers", "person.safe_contact.who_else_answers", _text, "Who else may pick up the phone."
    ),
    Column("urgency", "urgency", _urgency, "immediate, urgent or routine; empty: routine.", "immediate"),
    Column(
        "reasons",
        "experience_codes",
        _reasons,
        "Attributes of the taxonomy, icd10:CODE or snomed:CODE, separated by semicolons.",
        "overdose;icd10:T40.1X1A",
    ),
    Column("naloxone_given", "is_naloxone_given", _flag, "Was naloxone given? yes, no; empty: not said."),
    Column(
        "preferences",
        "preferences",
        _preferences,
        "attribute:strength, separated by semicolons; none, some, strong, must or avoid.",
        "overdose:some",
    ),
    Column(
        "characteristics",
        "characteristics",
        _characteristics,
        "topic:attribute, topic:declined or topic:unknown, separated by semicolons.",
        "faith:declined",
    ),
    Column(
        "languages", "languages", _texts, "BCP 47 tags, preferred first, separated by semicolons.", "es;en"
    ),
    Column("interpreter_needed", "interpreter_needed", _flag, "Is an interpreter needed?"),
    Column("interpreter_agreed", "interpreter_agreed", _flag, "Does the person agree to an interpreter?"),
    Column("modalities", "modalities", _texts, "bedside, phone, video, separated by semicolons; empty: any."),
    Column(
        "excluded_specialists",
        "excluded_specialist_ids",
        _texts,
        "Ids of specialists who must never be asked, separated by semicolons.",
    ),
    Column("arrived_at", "arrived_at", _time, "When the person came: ISO 8601 with offset."),
    Column("expected_departure_at", "expected_departure_at", _time, "When they will probably leave."),
    Column("place", "place", _text, "Unit and bed.", "ED, bed 4"),
    Column("facility_zip", "facility_zip", _text, "Five digits of the hospital's ZIP code.", "12208"),
    Column("payer", "payer_code", _text, "medicaid, medicare, commercial, self-pay; empty: unknown."),
    Column("note", "note", _text, "Free words for the person who comes; kept encrypted, never parsed."),
    Column(
        "consent", "consent.is_permitted", _flag, "Did the person consent to this referral? yes or no.", "yes"
    ),
    Column("consent_signed_at", "consent.signed_at", _time, "When they signed.", "2026-01-21T22:31-05:00"),
    Column("consent_expires_at", "consent.expires_at", _time, "When the consent ends; empty: until revoked."),
    Column("consent_id", "consent.consent_id", _text, "Your number of the consent."),
    Column(
        "wait_for_consent",
        "may_wait_for_consent",
        _flag,
        "yes: without a consent the referral is held until one comes; else it is refused.",
    ),
    Column("referrer_name", "referrer.name", _text, "The referring clinician."),
    Column("referrer_phone", "referrer.phone", _text, "Where they are called back."),
    Column(
        "contact_email",
        "source_contact.email",
        _text,
        "Where news of the referral goes.",
        "er-desk@st-brigid.example",
    ),
    Column("contact_language", "source_contact.language", _text, "In which language."),
    Column("contact_time_zone", "source_contact.time_zone", _text, "IANA name of the contact's time zone."),
)
BY_NAME = {column.name: column for column in COLUMNS}
_NAMES_BY_PATH = {column.path: column.name for column in COLUMNS}
_INDEX = re.compile(r"\[[0-9]+\]")


def request_of(cells: dict[str, str], reading: Reading) -> tuple[Any, list[PieceFault]]:
    """The request a row means, without its key, and what could not be read; empty cells say nothing."""
    request = intake_pb2.SubmitReferralRequest()
    faults = []
    for name, cell in cells.items():
        try:
            if cell:
                BY_NAME[name].fill(request, BY_NAME[name].path, cell, reading)
        except _Bad as bad:
            faults.append(PieceFault(bad.code, bad.message, name))
    return request, faults


def column_of(path: str) -> str:
    """The column behind the path of a field in the request, or the path itself."""
    plain = _INDEX.sub("", path)
    while plain:
        if plain in _NAMES_BY_PATH:
            return _NAMES_BY_PATH[plain]
        if plain == "codes":
            return "reasons"
        plain = plain.rpartition(".")[0]
    return path
