"""The parts of a submission, each from the R4 elements that carry it; plain R4 first, an extension where it has none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.intake.domain.person import Person, RecordNumber, SafeContact
from services.intake.domain.submission import Code, Preference, Strength
from services.intake.fhir import extensions as ext
from services.intake.fhir import names
from services.intake.fhir.parcel import Laid, Parcel, moment
from services.intake.taxonomy import Taxonomy

Resource = dict[str, Any]
_FORGOTTEN = frozenset({"old", "temp"})
_SEXES = frozenset({"female", "male", "other"})
# R4 condition-ver-status: only what is confirmed, or not said to be anything else, is a fact about somebody.
_NO_FACT = frozenset({"refuted", "entered-in-error", "unconfirmed", "provisional", "differential"})
_STRENGTHS = {strength.value: strength for strength in Strength}
_ZIP = re.compile(r"([0-9]{5})(?:-?[0-9]{4})?")
_BCP_47 = "urn:ietf:bcp:47"
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}")
# Source of Payment Typology (https://nahdo.org/sopt), by first digits; longer prefixes first.
_PAYERS = (("81", "self-pay"), ("1", "medicare"), ("2", "medicaid"), ("5", "commercial"), ("6", "commercial"))


@dataclass(frozen=True)
class Order:
    """The request, whom it is about, and the Task that asks for it, in what was sent."""

    parcel: Parcel
    request: Laid
    person: Laid
    task: Laid | None


def person_of(patient: Resource, source_id: str) -> Person:
    """Identity as sent: the official or first name, every current record number, every phone."""
    name = _name_of(patient)
    return Person(
        family_name=name.get("family", ""),
        given_name=" ".join(given for given in name.get("given", []) if given),
        birth_date=patient.get("birthDate") or "",
        record_numbers=_numbers(patient.get("identifier", []), source_id),
        phones=tuple(
            point["value"]
            for point in patient.get("telecom", [])
            if point.get("system") in ("phone", "sms") and point.get("value") and point.get("use") != "old"
        ),
        safe_contact=_safe_contact(patient),
        sex=sex if (sex := patient.get("gender", "")) in _SEXES else "",
        suffix=" ".join(word for word in name.get("suffix", []) if word),
        home_zip=_home_zip(patient),
        former_names=_former_names(patient, name),
    )


def _home_zip(patient: Resource) -> str:
    """Where the peer lives now, as five digits; only to tell people apart, never sent on."""
    codes = [
        one.get("postalCode", "")
        for one in patient.get("address", [])
        if one.get("use") not in _FORGOTTEN and one.get("type") != "postal"
    ]
    return next((match[1] for code in codes if (match := _ZIP.fullmatch(code or ""))), "")


def _former_names(patient: Resource, name: Resource) -> tuple[str, ...]:
    """Family names from before, or beside the one that is used."""
    families = [one.get("family") or "" for one in patient.get("name", [])]
    return tuple(dict.fromkeys(family for family in families if family and family != name.get("family")))


def _name_of(patient: Resource) -> Resource:
    names = [name for name in patient.get("name", []) if name.get("use") not in _FORGOTTEN]
    return next((name for name in names if name.get("use") == "official"), names[0] if names else {})


def _numbers(identifiers: list[Resource], source_id: str) -> tuple[RecordNumber, ...]:
    """Without a system, a number is the source's own."""
    return tuple(
        RecordNumber(names.system_of(identifier.get("system", ""), source_id), identifier["value"])
        for identifier in identifiers
        if identifier.get("value") and identifier.get("use") not in _FORGOTTEN
    )


def _safe_contact(patient: Resource) -> SafeContact:
    for _, extension in ext.found(patient, ext.SAFE_CONTACT):
        return SafeContact(
            may_leave_message=_said(extension, "may-leave-message", if_unreadable=False),
            do_not_contact=_said(extension, "do-not-contact", if_unreadable=True),
            who_else_answers=ext.text(extension, "who-else-answers"),
        )
    return SafeContact()


def _said(extension: Resource, url: str, *, if_unreadable: bool) -> bool | None:
    """Yes, no, or None where nobody asked; what was said and cannot be read means the safer of the two."""
    if not ext.found(extension, url):
        return None
    value = ext.first(extension, url)
    return value if isinstance(value, bool) else if_unreadable


def languages_of(patient: Resource) -> tuple[tuple[str, ...], bool]:
    """BCP 47 tags, the preferred first, and whether an interpreter is needed; other codings stay with `codes_of`."""
    spoken = sorted(patient.get("communication", []), key=lambda one: not one.get("preferred"))
    codings = [coding for one in spoken for coding in one["language"].get("coding", [])]
    tags = [coding["code"] for coding in codings if _is_tag(coding)]
    return tuple(dict.fromkeys(tags)), ext.first(patient, ext.INTERPRETER_REQUIRED) is True


def _is_tag(coding: Resource) -> bool:
    return coding.get("system", _BCP_47) == _BCP_47 and bool(_TAG.fullmatch(coding.get("code", "")))


def is_interpreter_agreed(patient: Resource) -> bool:
    """Only what was said: needing an interpreter is not agreeing to one."""
    return ext.first(patient, ext.INTERPRETER_AGREED) is True


def encounter_of(parcel: Parcel, request: Laid, person: Laid) -> Laid | None:
    """The Encounter the request names; else the only one of the person in the Bundle."""
    named = parcel.resolve(request.resource.get("encounter"), request)
    if named is not None and named.resource["resourceType"] == "Encounter":
        return named
    own = list(parcel.about("Encounter", "subject", person))
    return own[0] if len(own) == 1 and "encounter" not in request.resource else None


def visit_number_of(encounter: Resource, source_id: str) -> RecordNumber | None:
    """The visit's own number."""
    return next(iter(_numbers(encounter.get("identifier", []), source_id)), None)


def arrival_of(encounter: Resource) -> datetime | None:
    """When the visit began, where that is told to the minute."""
    return moment(encounter.get("period", {}).get("start"))


def departure_of(encounter: Resource) -> datetime | None:
    """When the peer will probably leave: the extension, else the period's end."""
    return moment(ext.text(encounter, ext.EXPECTED_DEPARTURE)) or moment(
        encounter.get("period", {}).get("end")
    )


def place_of(parcel: Parcel, request: Laid, encounter: Laid | None) -> tuple[str, str]:
    """(unit and bed in words, five digits of the facility's ZIP); never the peer's home."""
    stays = (
        [(stay["location"], encounter) for stay in encounter.resource.get("location", [])]
        if encounter
        else []
    )
    stays += [(reference, request) for reference in request.resource.get("locationReference", [])]
    words, zips = [], []
    for reference, owner in stays:
        location = parcel.resolve(reference, owner)
        resource = location.resource if location else {}
        words.append(reference.get("display") or resource.get("name") or "")
        zips.append(resource.get("address", {}).get("postalCode", ""))
    if encounter:
        provider = parcel.resolve(encounter.resource.get("serviceProvider"), encounter)
        addresses = provider.resource.get("address", []) if provider else []
        zips += [address.get("postalCode", "") for address in addresses]
    read_zips = [
        match[1] for text in zips if (match := _ZIP.fullmatch(text))
    ]  # another country's is none of ours
    said = ext.text(request.resource, ext.FACILITY_ZIP)
    return ", ".join(word for word in words if word), said or next(iter(read_zips), "")


def codes_of(parcel: Parcel, request: Laid, person: Laid) -> tuple[Code, ...]:
    """Every reason and condition as coded by the source, and languages in another coding.

    A diagnosis that was ruled out, or that somebody only considers, is no fact of this person's life, and not kept.
    """
    concepts = list(request.resource.get("reasonCode", []))
    spoken = [one["language"] for one in person.resource.get("communication", [])]
    concepts += [one for one in spoken if not any(_is_tag(coding) for coding in one.get("coding", []))]
    for laid in parcel.about("Condition", "subject", person):
        condition = laid.resource
        verdicts = {one.get("code") for one in condition.get("verificationStatus", {}).get("coding", [])}
        if "code" in condition and not verdicts & _NO_FACT:
            concepts.append(condition["code"])
    return tuple(
        Code(coding.get("system", ""), coding["code"], coding.get("display", ""))
        for concept in concepts
        for coding in concept.get("coding", [])
        if coding.get("code")
    )


def experience_of(request: Resource, taxonomy: Taxonomy, codes: tuple[Code, ...]) -> tuple[str, ...]:
    """What the peer or the chart said in the taxonomy's words, and what the codes mean in them."""
    return tuple(sorted({*ext.words(request, ext.LIVED_EXPERIENCE), *taxonomy.attributes_of(codes)}))


def preferences_of(request: Resource) -> tuple[Preference, ...]:
    """Attribute and strength, as the peer gave them; an unreadable strength is kept as an unknown attribute.

    A wish that cannot be read MUST refuse the submission: passing over a "must" or "avoid" would break P8.
    """
    read = []
    for _, extension in ext.found(request, ext.PREFERENCE):
        strength = _STRENGTHS.get(ext.text(extension, "strength"))
        code = ext.text(extension, "attribute") if strength else ""
        read.append(Preference(code, strength or Strength.NONE))
    return tuple(read)


def modalities_of(request: Resource) -> tuple[str, ...]:
    """bedside, phone, video, in the order given."""
    return tuple(dict.fromkeys(ext.words(request, ext.MODALITY)))


def exclusions_of(request: Resource) -> tuple[str, ...]:
    """Specialists that must never be offered this referral; ids only, no reasons.

    One that cannot be read stays, as "", and MUST refuse the submission: passing it over would break P8.
    """
    return tuple(sorted(set(ext.words(request, ext.EXCLUDED_SPECIALIST))))


def payer_of(parcel: Parcel, request: Resource, person: Laid) -> str:
    """The payer class: the extension, else the Coverage's Source of Payment Typology code, else unknown."""
    said = ext.text(request, ext.PAYER)
    if said:
        return said
    for laid in parcel.about("Coverage", "beneficiary", person):
        for coding in laid.resource.get("type", {}).get("coding", []):
            if "sopt" in coding.get("system", ""):
                return next(
                    (payer for start, payer in _PAYERS if coding.get("code", "").startswith(start)), "unknown"
                )
    return "unknown"


def note_of(request: Resource) -> str:
    """Free text for the person who comes; kept sealed, never parsed."""
    notes = [note["text"] for note in request.get("note", []) if "text" in note]
    return "\n".join([*notes, *([request["patientInstruction"]] if "patientInstruction" in request else [])])


def placers_of(order: Order, source_id: str) -> tuple[RecordNumber, ...]:
    """The source's own numbers of the request and of the Task that asks for it."""
    carriers = [order.request.resource, *([order.task.resource] if order.task else [])]
    own = [one for carrier in carriers for one in own_numbers(carrier)]
    return tuple(dict.fromkeys(_numbers(own, source_id)))


def own_numbers(resource: Resource) -> list[Resource]:
    """The identifiers the source gave; a filler's number, ours or another's, is none of them."""
    return [
        one
        for one in resource.get("identifier", [])
        if one.get("value") and one.get("system") != names.REFERRAL_ID and not _is_filler(one)
    ]


def _is_filler(identifier: Resource) -> bool:
    codings = identifier.get("type", {}).get("coding", [])
    return any(one.get("code") == "FILL" for one in codings)
