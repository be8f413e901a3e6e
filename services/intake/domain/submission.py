"""What a source submits, whichever door it came through, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.errors import Fault
from services.intake.domain import asking, limits
from services.intake.domain import consent as consents
from services.intake.domain.consent import RECIPIENTS, Consent
from services.intake.domain.person import Person, RecordNumber

_CLOCK_SKEW = timedelta(minutes=10)  # between a hospital's clock and ours
_LONGEST_STAY = timedelta(days=730)  # no visit is longer; a typing error is
_ZIP = re.compile(r"[0-9]{5}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}")
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
_SPECIALIST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,253}")
MODALITIES = frozenset({"bedside", "phone", "video"})
PAYERS = frozenset({"medicaid", "medicare", "commercial", "self-pay", "unknown"})


class Urgency(StrEnum):
    """How soon somebody is needed (DOMAIN 2)."""

    IMMEDIATE = "immediate"
    URGENT = "urgent"
    ROUTINE = "routine"


class Strength(StrEnum):
    """How much an attribute matters to the peer."""

    NONE = "none"
    SOME = "some"
    STRONG = "strong"
    MUST = "must"
    AVOID = "avoid"


@dataclass(frozen=True, slots=True)
class Preference:
    """One attribute of the taxonomy and how much it matters."""

    code: str
    strength: Strength


@dataclass(frozen=True, slots=True)
class Code:
    """A code as the source sent it; kept sealed, mapped where we can, never a reason to refuse."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class SourceContact:
    """Where the referring clinician hears back."""

    email: str = ""
    language: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class Referrer:
    """The referring clinician, for a call back."""

    name: str = ""
    phone: str = ""


class Answered(StrEnum):
    """How a question about the person was answered; "declined" and "unknown" are answers of their own (DOMAIN 3)."""

    STATED = "stated"
    DECLINED = "declined"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One personal characteristic, who said it and how (the Gravity pattern).

    `topic` is a root of the taxonomy ("faith", "gender"), `code` an attribute below it or empty, `said_by` peer, family,
    staff or record, `how` asked, form or chart.
    """

    topic: str
    answered: Answered
    code: str = ""
    said_by: str = "peer"
    how: str = "asked"


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class Submission:
    """Everything a referral begins with.

    `where` names the path of a field in what was sent (a FHIRPath, or the proto's own field path), so that a fault
    points at the sender's words.
    """

    door: str
    source_id: str
    person: Person
    consent: Consent | None
    idempotency_key: str = ""
    visit: RecordNumber | None = None
    urgency: Urgency = Urgency.ROUTINE
    experience_codes: tuple[str, ...] = ()
    codes: tuple[Code, ...] = ()
    preferences: tuple[Preference, ...] = ()
    languages: tuple[str, ...] = ()
    interpreter_agreed: bool = False
    interpreter_needed: bool = False
    facility_zip: str = ""
    payer_code: str = "unknown"
    arrived_at: datetime | None = None
    expected_departure_at: datetime | None = None
    modalities: tuple[str, ...] = ()
    excluded_specialist_ids: tuple[str, ...] = ()
    source_contact: SourceContact = field(default_factory=SourceContact)
    place: str = ""
    note: str = ""
    placer_identifiers: tuple[RecordNumber, ...] = ()
    referrer: Referrer = field(default_factory=Referrer)
    characteristics: tuple[Characteristic, ...] = ()
    is_naloxone_given: bool | None = None
    # True for a door whose senders cannot always bring the consent along: it is held until one comes (DOMAIN 1).
    may_wait_for_consent: bool = False
    labels: tuple[str, ...] = ()  # HL7 security labels its source gave it, by code (domain/labels.py)
    where: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def faults_of(
    submission: Submission,
    now: datetime,
    known_codes: frozenset[str],
    our_names: tuple[str, ...] = RECIPIENTS,
    required: tuple[str, ...] = (),
) -> list[Fault]:
    """Everything that keeps the submission from becoming a referral, consent included.

    `our_names` are those by which a consent may name us; `required` elements of 42 CFR 2.31(a) that must have come.
    """
    crowded = limits.faults_of(submission)
    is_waiting = submission.consent is None and submission.may_wait_for_consent
    found = [
        *crowded,
        *_sending_faults(submission),
        *_person_faults(submission.person, submission.visit, now),
        *_time_faults(submission, now),
        *_word_faults(submission, known_codes),
        *_characteristic_faults(submission.characteristics, known_codes),
    ]
    if not crowded and not is_waiting:  # what is too much is not weighed: that is what the limits are for
        ask = asking.for_referral(submission, our_names, required)
        found += consents.faults_of(submission.consent, ask, now)
    return [Fault(_place(submission.where, path), code, message) for path, code, message in found]


Found = tuple[str, str, str]


def _place(where: Mapping[str, str], path: str) -> str:
    """The sender's own place of the field, else of the part it belongs to, else the field's name."""
    return where.get(path) or where.get(re.split(r"[.\[]", path, maxsplit=1)[0], path)


def _person_faults(person: Person, visit: RecordNumber | None, now: datetime) -> list[Found]:
    found: list[Found] = []
    has_name = bool(person.family_name or person.given_name) and bool(person.birth_date)
    if not (person.record_numbers or has_name or visit):
        message = (
            "A record number, a visit number, or a name with a birth date is needed to find the person again."
        )
        found.append(("person", "person-not-findable", message))
    if person.home_zip and not _ZIP.fullmatch(person.home_zip):
        found.append(("person.home_zip", "zip-unreadable", "A ZIP has five digits."))
    if person.birth_date and not person.is_birth_date_readable():
        found.append(("person.birth_date", "birth-date-unreadable", "This is not a date."))
    elif person.earliest_birth() and person.earliest_birth() > (now + timedelta(hours=14)).date():  # type: ignore[operator]
        found.append(("person.birth_date", "birth-date-in-future", "The birth date is in the future."))
    return found


def _time_faults(submission: Submission, now: datetime) -> list[Found]:
    found: list[Found] = []
    arrived, leaves = submission.arrived_at, submission.expected_departure_at
    if arrived and arrived < now - _LONGEST_STAY:
        found.append(("arrived_at", "arrival-too-long-ago", "The arrival is more than two years ago."))
    if arrived and arrived > now + _CLOCK_SKEW:
        found.append(("arrived_at", "arrival-in-future", "The arrival is in the future."))
    if arrived and leaves and leaves < arrived:
        found.append(
            ("expected_departure_at", "departure-before-arrival", "The departure is before the arrival.")
        )
    return found


def _sending_faults(submission: Submission) -> list[Found]:
    found: list[Found] = []
    contact = submission.source_contact
    if not submission.idempotency_key:
        message = "A key is needed, so that a retry is known as one."
        found.append(("idempotency_key", "idempotency-key-missing", message))
    if contact.email and not _EMAIL.fullmatch(contact.email):
        found.append(("source_contact.email", "email-unreadable", "This is not an e-mail address."))
    if contact.language and not _LANGUAGE.fullmatch(contact.language):
        found.append(("source_contact.language", "language-unreadable", "A language is a BCP 47 tag."))
    if contact.time_zone and not _ZONE.fullmatch(contact.time_zone):
        found.append(("source_contact.time_zone", "time-zone-unreadable", "A time zone is an IANA name."))
    return found


def _word_faults(submission: Submission, known_codes: frozenset[str]) -> list[Found]:
    found: list[Found] = []
    if any(code not in known_codes for code in submission.experience_codes):
        found.append(("experience_codes", "attribute-unknown", "The taxonomy has no such code."))
    if any(preference.code not in known_codes for preference in submission.preferences):
        found.append(("preferences", "attribute-unknown", "The taxonomy has no such code."))
    if len({preference.code for preference in submission.preferences}) < len(submission.preferences):
        found.append(("preferences", "preference-doubled", "One attribute has two strengths."))
    if any(not _LANGUAGE.fullmatch(language) for language in submission.languages):
        found.append(("languages", "language-unreadable", "A language is a BCP 47 tag."))
    if submission.facility_zip and not _ZIP.fullmatch(submission.facility_zip):
        found.append(("facility_zip", "zip-unreadable", "A facility's ZIP has five digits."))
    if submission.payer_code not in PAYERS:
        found.append(("payer_code", "payer-unknown", "There is no such payer class."))
    if not MODALITIES.issuperset(submission.modalities):
        found.append(("modalities", "modality-unknown", "A modality is bedside, phone or video."))
    if not all(_SPECIALIST_ID.fullmatch(one) for one in submission.excluded_specialist_ids):
        found.append(("excluded_specialist_ids", "specialist-id-unreadable", "This is no specialist's id."))
    return found


def _characteristic_faults(told: Iterable[Characteristic], known_codes: frozenset[str]) -> list[Found]:
    """Topics and attributes that are not in the taxonomy, or do not belong together; only what is stated has one."""
    found: list[Found] = []
    for number, one in enumerate(told):
        path = f"characteristics[{number}]"
        if one.topic and one.topic not in known_codes:
            found.append((f"{path}.topic", "attribute-unknown", "The taxonomy has no such root."))
        elif one.code and (one.code not in known_codes or not one.code.startswith(f"{one.topic}.")):
            found.append((f"{path}.code", "attribute-unknown", "The topic has no such attribute."))
        elif one.code and one.answered is not Answered.STATED:
            message = "Who declined or does not know has no attribute."
            found.append((f"{path}.code", "attribute-not-stated", message))
    return found


_YOUNG_ADULT, _ADULT, _OLDER = 18, 26, 65


def age_band(person: Person, on: date) -> str:
    """minor, young-adult (18-25), adult (26-64), older-adult (65+); unknown where the date leaves two answers."""
    earliest, latest = person.earliest_birth(), person.latest_birth()
    if earliest is None or latest is None:
        return "unknown"
    bands = {_band(_age(earliest, on)), _band(_age(latest, on))}
    return bands.pop() if len(bands) == 1 else "unknown"


def _age(birth: date, on: date) -> int:
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def _band(age: int) -> str:
    if age < _YOUNG_ADULT:
        return "minor"
    if age < _ADULT:
        return "young-adult"
    return "adult" if age < _OLDER else "older-adult"
