"""What a submission says about people beside the peer's identity: who refers, what the peer said of themselves."""

from __future__ import annotations

from typing import Any

from services.intake.domain.submission import Answered, Characteristic, Referrer, SourceContact
from services.intake.fhir import extensions as ext
from services.intake.fhir.parcel import Laid
from services.intake.fhir.parts import Order

Resource = dict[str, Any]
# The ingredient, in RxNorm and SNOMED CT.
_NALOXONE = frozenset(
    {("http://www.nlm.nih.gov/research/umls/rxnorm", "7242"), ("http://snomed.info/sct", "372890007")}
)


def contact_of(order: Order) -> SourceContact:
    """Where the requester reads e-mail, with language and time zone; empty where no address came."""
    for laid in _requesters(order):
        for point in laid.resource.get("telecom", []):
            if point.get("system") == "email" and point.get("value") and point.get("use") != "old":
                language = ext.text(point, ext.CONTACT_LANGUAGE)
                return SourceContact(point["value"], language, ext.text(point, ext.TIME_ZONE))
    return SourceContact()


def referrer_of(order: Order) -> Referrer:
    """The referring clinician's name and first telephone, for a call back."""
    behind = _requesters(order)
    spelled = [_name(laid.resource) for laid in behind if laid.resource["resourceType"] == "Practitioner"]
    phones = [
        point["value"]
        for laid in behind
        for point in laid.resource.get("telecom", [])
        if point.get("system") == "phone" and point.get("value") and point.get("use") != "old"
    ]
    display = _reference(order)[0].get("display", "")
    name = next((one for one in spelled if one), display)
    return Referrer(name=name, phone=next(iter(phones), ""))


def _name(practitioner: Resource) -> str:
    """The first name, as one line."""
    for name in practitioner.get("name", []):
        given = [one for one in name.get("given", []) if one]
        return name.get("text") or " ".join([*given, *([name["family"]] if "family" in name else [])])
    return ""


def _reference(order: Order) -> tuple[Resource, Laid]:
    """The requester of the order; where it names none, of the Task that asks for it."""
    if "requester" in order.request.resource or order.task is None:
        return order.request.resource.get("requester", {}), order.request
    return order.task.resource.get("requester", {}), order.task


def _requesters(order: Order) -> list[Laid]:
    """The requester, and the person and organization behind a role."""
    requester = order.parcel.resolve(*_reference(order))
    if requester is None:
        return []
    further = [
        order.parcel.resolve(requester.resource.get(element), requester)
        for element in ("practitioner", "organization")
    ]
    return [requester, *(one for one in further if one is not None)]


def characteristics_of(patient: Resource) -> tuple[Characteristic, ...]:
    """What the peer said of themselves, who said it and how; "declined" and "unknown" are answers."""
    return tuple(
        Characteristic(
            topic=ext.text(one, "topic"),
            answered=Answered(ext.text(one, "answered") or "stated"),
            code=ext.text(one, "code"),
            said_by=ext.text(one, "said-by") or "peer",
            how=ext.text(one, "how") or "asked",
        )
        for _, one in ext.found(patient, ext.CHARACTERISTIC)
    )


def is_naloxone_given(order: Order) -> bool | None:
    """Whether naloxone was given: the extension, else a MedicationAdministration; None where nobody said."""
    said = ext.first(order.request.resource, ext.NALOXONE_GIVEN)
    if isinstance(said, bool):
        return said
    verdicts = {
        laid.resource.get("status")
        for laid in order.parcel.about("MedicationAdministration", "subject", order.person)
        if _is_naloxone(laid.resource.get("medicationCodeableConcept", {}))
    }
    if verdicts & {"completed", "in-progress"}:
        return True
    return False if "not-done" in verdicts else None


def _is_naloxone(concept: Resource) -> bool:
    return any((one.get("system"), one.get("code")) in _NALOXONE for one in concept.get("coding", []))
