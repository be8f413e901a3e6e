"""A FHIR R4 Bundle, or a resource with what it contains, to a Submission: every fault at once, and nothing guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from chassis.errors import Fault
from services.intake.domain.consent import RECIPIENTS, Consent
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.submission import Submission, Urgency
from services.intake.fhir import body as bodies
from services.intake.fhir import consents, labelled, ordering, parts, people, stray_extensions
from services.intake.fhir.parcel import Laid, Parcel
from services.intake.r4 import validator
from services.intake.taxonomy import Taxonomy

_TYPES = frozenset({"transaction", "collection", "message"})
_METHODS = frozenset({"POST", "PUT"})
_PRIORITIES = {"stat": Urgency.IMMEDIATE, "asap": Urgency.IMMEDIATE, "urgent": Urgency.URGENT}
_READ_TYPES = frozenset({"Patient", "ServiceRequest", "Task", "Consent", "Encounter", "Condition"})


def open_bundle(body: bytes) -> Parcel:
    """A valid Bundle of a kind that is taken; raises SubmissionRejected with every fault and its FHIRPath."""
    bundle = bodies.parse(body)
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise SubmissionRejected([Fault("Resource", "bundle-wanted", "A Bundle is wanted here.")])
    return parcel_of(bundle, body)


def open_single(body: bytes, name: str, condition: str = "") -> Parcel:
    """A valid resource of the type with what it contains; raises SubmissionRejected with every fault and its FHIRPath.

    `condition` is what `If-None-Exist` asked.
    """
    resource = bodies.parse(body, name)
    if not isinstance(resource, dict) or resource.get("resourceType") != name:
        raise SubmissionRejected([Fault("Resource", "resource-type-wanted", f"A {name} is wanted here.")])
    return parcel_of(resource, body, condition)


def parcel_of(resource: dict[str, Any], body: bytes, condition: str = "") -> Parcel:
    """The Bundle or resource, opened; raises SubmissionRejected with every fault and its FHIRPath."""
    is_bundle = resource["resourceType"] == "Bundle"
    faults = validator.check(resource) or (_bundle_faults(resource) if is_bundle else _faults(resource))
    if faults:
        raise SubmissionRejected(faults)
    parcel = Parcel.open(resource, "") if is_bundle else Parcel.single(resource, "")
    parcel.fingerprint = hashlib.sha256(body).hexdigest()
    parcel.identity = _identity(resource, parcel, condition)
    return parcel


def read(
    parcel: Parcel,
    source_id: str,
    taxonomy: Taxonomy,
    recipients: Collection[str] = RECIPIENTS,
    statuses: Collection[str] = ("active",),
) -> Submission:
    """The submission in the sending; raises SubmissionRejected where it is about no request or nobody.

    `recipients` are the identifiers and names by which a consent may name us; `statuses` are those the request may have.
    """
    faults: list[Fault] = []
    request = ordering.only_request(parcel, faults, statuses)
    person = ordering.subject(parcel, request, faults) if request else None
    task = ordering.task_of(parcel, request, person, faults) if request else None
    if faults or request is None or person is None:
        raise SubmissionRejected(faults)
    consent = consents.read(parcel, person, recipients)
    order = parts.Order(parcel, request, person, task)
    return _submission(order, agreed=consent, source_id=source_id, taxonomy=taxonomy)


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


def _faults(resource: dict[str, Any]) -> list[Fault]:
    name = resource["resourceType"]
    return _modifier_faults(resource, name) + stray_extensions.faults(resource)


def _modifier_faults(resource: dict[str, Any], place: str) -> list[Fault]:
    """What changes the meaning of the rest and is not understood MUST NOT be passed over (R4 extensibility)."""
    if resource.get("resourceType") not in _READ_TYPES:
        return []
    message = "This element changes the meaning of the resource and is not understood."
    found = [
        Fault(f"{place}.{key}", "modifier-unknown", message)
        for key in ("modifierExtension", "implicitRules")
        if key in resource
    ]
    for position, inner in enumerate(resource.get("contained", [])):
        found += _modifier_faults(inner, f"{place}.contained[{position}]")
    return found


def _identity(resource: dict[str, Any], parcel: Parcel, condition: str) -> str:
    """What makes two sendings the same one: an identifier of its own, what it must not exist as, or its very bytes."""
    own = resource.get("identifier", {}) if resource["resourceType"] == "Bundle" else {}
    if "value" in own:
        return f"bundle:{own.get('system', '')}|{own['value']}"
    for name in ("Task", "ServiceRequest"):
        for laid in parcel.of_type(name)[:1]:
            for number in parts.own_numbers(laid.resource)[:1]:
                return f"order:{name}:{number.get('system', '')}|{number['value']}"
    unless = condition or parcel.asked.if_none_exist
    return f"unless:{unless}" if unless else "body:" + parcel.fingerprint


def _submission(
    order: parts.Order,
    *,
    agreed: tuple[Consent | None, Laid | None],
    source_id: str,
    taxonomy: Taxonomy,
) -> Submission:
    parcel, request, person = order.parcel, order.request, order.person
    encounter = parts.encounter_of(parcel, request, person)
    consent, consent_at = agreed
    codes = parts.codes_of(parcel, request, person)
    visit = encounter.resource if encounter else {}
    task = order.task.resource if order.task else {}
    languages, needs_interpreter = parts.languages_of(person.resource)
    place, facility_zip = parts.place_of(parcel, request, encounter)
    return Submission(
        door="fhir",
        source_id=source_id,
        idempotency_key=parcel.identity,
        person=parts.person_of(person.resource, source_id),
        consent=consent,
        visit=parts.visit_number_of(visit, source_id),
        urgency=_urgency(request.resource, task, visit),
        experience_codes=parts.experience_of(request.resource, taxonomy, codes),
        codes=codes,
        preferences=parts.preferences_of(request.resource),
        languages=languages,
        interpreter_agreed=parts.is_interpreter_agreed(person.resource),
        interpreter_needed=needs_interpreter,
        facility_zip=facility_zip,
        payer_code=parts.payer_of(parcel, request.resource, person),
        arrived_at=parts.arrival_of(visit),
        expected_departure_at=parts.departure_of(visit) or ordering.leaves_at(task),
        modalities=parts.modalities_of(request.resource),
        excluded_specialist_ids=parts.exclusions_of(request.resource),
        source_contact=people.contact_of(order),
        referrer=people.referrer_of(order),
        characteristics=people.characteristics_of(person.resource),
        is_naloxone_given=people.is_naloxone_given(order),
        place=place,
        note=parts.note_of(request.resource),
        labels=labelled.read(order.parcel),
        placer_identifiers=parts.placers_of(order, source_id),
        where=_where(request, person, encounter, consent_at, parcel.bundle_type),
    )


def _urgency(request: dict[str, Any], task: dict[str, Any], visit: dict[str, Any]) -> Urgency:
    """The request's priority or its Task's; without one, somebody in an emergency department now is immediate."""
    priority = request.get("priority") or task.get("priority")
    if priority:
        return _PRIORITIES.get(priority, Urgency.ROUTINE)
    is_here = visit.get("status") in ("arrived", "triaged", "in-progress")
    is_in_ed = is_here and visit.get("class", {}).get("code") == "EMER"
    return Urgency.IMMEDIATE if is_in_ed else Urgency.ROUTINE


def _where(
    request: Laid, person: Laid, encounter: Laid | None, consent: Laid | None, bundle_type: str
) -> dict[str, str]:
    at_visit = encounter.path if encounter else request.path
    nowhere = "Bundle.entry" if bundle_type else (request.home or request).path + ".contained"
    at_consent = consent.path if consent else nowhere
    return {
        "person": person.path,
        "person.birth_date": person.path + ".birthDate",
        "person.record_numbers": person.path + ".identifier",
        "person.phones": person.path + ".telecom",
        "person.family_name": person.path + ".name",
        "person.given_name": person.path + ".name",
        "person.former_names": person.path + ".name",
        "visit": at_visit,
        **consents.places(at_consent),
        "arrived_at": at_visit + ".period.start",
        "expected_departure_at": at_visit + ".period.end",
        "languages": person.path + ".communication",
        "experience_codes": request.path + ".extension",
        "codes": request.path + ".reasonCode",
        "place": at_visit + ".location",
        "note": request.path + ".note",
        "placer_identifiers": request.path + ".identifier",
        "idempotency_key": request.path + ".identifier",
        "referrer": request.path + ".requester",
        "preferences": request.path + ".extension",
        "modalities": request.path + ".extension",
        "excluded_specialist_ids": request.path + ".extension",
        "payer_code": request.path + ".extension",
        "facility_zip": request.path + ".extension",
        "source_contact": request.path + ".requester",
        "characteristics": person.path + ".extension",
    }
