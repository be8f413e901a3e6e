"""A FHIR R4 Bundle to a Submission: every fault of the Bundle at once, and nothing guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from chassis.errors import Fault
from services.intake.domain.consent import RECIPIENTS, Consent
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.submission import Submission, Urgency
from services.intake.fhir import body as bodies
from services.intake.fhir import consents, parts, stray_extensions
from services.intake.fhir.parcel import Laid, Parcel
from services.intake.r4 import validator
from services.intake.taxonomy import Taxonomy

_TYPES = frozenset({"transaction", "collection"})
_METHODS = frozenset({"POST", "PUT"})
_ORDERS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_PRIORITIES = {"stat": Urgency.IMMEDIATE, "asap": Urgency.IMMEDIATE, "urgent": Urgency.URGENT}
_READ_TYPES = frozenset({"Patient", "ServiceRequest", "Consent", "Encounter", "Condition"})


def open_bundle(body: bytes) -> Parcel:
    """A valid Bundle of a kind that is taken; raises SubmissionRejected with every fault and its FHIRPath."""
    bundle = bodies.parse(body)
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise SubmissionRejected([Fault("Resource", "bundle-wanted", "A Bundle is wanted here.")])
    faults = validator.check(bundle) or _bundle_faults(bundle)
    if faults:
        raise SubmissionRejected(faults)
    return Parcel.open(bundle, _identity(bundle, body))


def read(
    parcel: Parcel, source_id: str, taxonomy: Taxonomy, recipients: Collection[str] = RECIPIENTS
) -> Submission:
    """The submission in the Bundle; raises SubmissionRejected where it is about no request or nobody.

    `recipients` are the identifiers and names by which a consent may name us.
    """
    faults: list[Fault] = []
    request = _only_request(parcel, faults)
    person = _subject(parcel, request, faults) if request else None
    if faults or request is None or person is None:
        raise SubmissionRejected(faults)
    consent = consents.read(parcel, person, recipients)
    return _submission(parcel, request, person, agreed=consent, source_id=source_id, taxonomy=taxonomy)


def _bundle_faults(bundle: dict[str, Any]) -> list[Fault]:
    faults = []
    if bundle.get("type") not in _TYPES:
        faults.append(Fault("Bundle.type", "bundle-type", "A transaction or a collection is wanted."))
    for position, entry in enumerate(bundle.get("entry", [])):
        place = f"Bundle.entry[{position}]"
        if bundle.get("type") == "transaction" and "request" not in entry:
            faults.append(
                Fault(place + ".request", "missing", "An entry of a transaction has a request (bdl-3).")
            )
        if entry.get("request", {}).get("method", "POST") not in _METHODS:
            faults.append(
                Fault(place + ".request.method", "method-unsupported", "Only POST and PUT are read.")
            )
        faults.extend(_modifier_faults(entry.get("resource", {}), place + ".resource"))
    return faults + stray_extensions.faults(bundle)


def _modifier_faults(resource: dict[str, Any], place: str) -> list[Fault]:
    """What changes the meaning of the rest and is not understood MUST NOT be passed over (R4 extensibility)."""
    if resource.get("resourceType") not in _READ_TYPES:
        return []
    message = "This element changes the meaning of the resource and is not understood."
    return [
        Fault(f"{place}.{key}", "modifier-unknown", message)
        for key in ("modifierExtension", "implicitRules")
        if key in resource
    ]


def _only_request(parcel: Parcel, faults: list[Fault]) -> Laid | None:
    found = parcel.of_type("ServiceRequest")
    if not found:
        faults.append(Fault("Bundle.entry", "service-request-missing", "A ServiceRequest is wanted."))
        return None
    for extra in found[1:]:
        faults.append(
            Fault(extra.path, "service-request-several", "One ServiceRequest is wanted, not several.")
        )
    request = found[0]
    if request.resource.get("status") != "active":
        faults.append(Fault(request.path + ".status", "request-not-active", "The request is not active."))
    if request.resource.get("intent") not in _ORDERS or request.resource.get("doNotPerform"):
        faults.append(Fault(request.path + ".intent", "request-not-an-order", "The request is not an order."))
    return request


def _subject(parcel: Parcel, request: Laid, faults: list[Fault]) -> Laid | None:
    subject = parcel.resolve(request.resource["subject"], request)
    if subject is None or subject.resource["resourceType"] != "Patient":
        message = "The subject is a Patient in this Bundle."
        faults.append(Fault(request.path + ".subject", "subject-not-in-bundle", message))
        return None
    if "deceasedDateTime" in subject.resource or subject.resource.get("deceasedBoolean"):
        faults.append(Fault(subject.path + ".deceased", "person-deceased", "The person has died."))
    return subject


def _identity(bundle: dict[str, Any], body: bytes) -> str:
    """What makes two Bundles the same one: its identifier, else its very bytes."""
    identifier = bundle.get("identifier", {})
    if "value" in identifier:
        return f"bundle:{identifier.get('system', '')}|{identifier['value']}"
    return "body:" + hashlib.sha256(body).hexdigest()


def _submission(
    parcel: Parcel,
    request: Laid,
    person: Laid,
    *,
    agreed: tuple[Consent | None, Laid | None],
    source_id: str,
    taxonomy: Taxonomy,
) -> Submission:
    encounter = parts.encounter_of(parcel, request, person)
    consent, consent_at = agreed
    codes = parts.codes_of(parcel, request, person)
    visit = encounter.resource if encounter else {}
    languages, needs_interpreter = parts.languages_of(person.resource)
    place, facility_zip = parts.place_of(parcel, request, encounter)
    return Submission(
        door="fhir",
        source_id=source_id,
        idempotency_key=parcel.identity,
        person=parts.person_of(person.resource, source_id),
        consent=consent,
        visit=parts.visit_number_of(visit, source_id),
        urgency=_urgency(request.resource, visit),
        experience_codes=parts.experience_of(request.resource, taxonomy, codes),
        codes=codes,
        preferences=parts.preferences_of(request.resource),
        languages=languages,
        interpreter_agreed=parts.is_interpreter_agreed(person.resource),
        interpreter_needed=needs_interpreter,
        facility_zip=facility_zip,
        payer_code=parts.payer_of(parcel, request.resource, person),
        arrived_at=parts.arrival_of(visit),
        expected_departure_at=parts.departure_of(visit),
        modalities=parts.modalities_of(request.resource),
        excluded_specialist_ids=parts.exclusions_of(request.resource),
        source_contact=parts.contact_of(parcel, request),
        place=place,
        note=parts.note_of(request.resource),
        placer_identifiers=parts.placers_of(request.resource, source_id),
        where=_where(request, person, encounter, consent_at),
    )


def _urgency(request: dict[str, Any], visit: dict[str, Any]) -> Urgency:
    """The request's priority; without one, somebody in an emergency department now is immediate (DOMAIN 2)."""
    if "priority" in request:
        return _PRIORITIES.get(request["priority"], Urgency.ROUTINE)
    is_here = visit.get("status") in ("arrived", "triaged", "in-progress")
    is_in_ed = is_here and visit.get("class", {}).get("code") == "EMER"
    return Urgency.IMMEDIATE if is_in_ed else Urgency.ROUTINE


def _where(request: Laid, person: Laid, encounter: Laid | None, consent: Laid | None) -> dict[str, str]:
    at_visit = encounter.path if encounter else request.path
    at_consent = consent.path if consent else "Bundle.entry"
    return {
        "person": person.path,
        "person.birth_date": person.path + ".birthDate",
        "visit": at_visit,
        "consent": at_consent,
        "consent.is_permitted": at_consent + ".provision.type",
        "consent.signed_at": at_consent + ".dateTime",
        "consent.starts_at": at_consent + ".provision.period.start",
        "consent.expires_at": at_consent + ".provision.period.end",
        "consent.scope": at_consent + ".scope",
        "consent.verification": at_consent + ".verification",
        **{f"consent.{name}": f"{at_consent}.provision.{name}" for name in consents.NARROWING},
        "arrived_at": at_visit + ".period.start",
        "expected_departure_at": at_visit + ".period.end",
        "languages": person.path + ".communication",
        "experience_codes": request.path + ".extension",
        "preferences": request.path + ".extension",
        "modalities": request.path + ".extension",
        "excluded_specialist_ids": request.path + ".extension",
        "payer_code": request.path + ".extension",
        "facility_zip": request.path + ".extension",
        "source_contact": request.path + ".requester",
    }
