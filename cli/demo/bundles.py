"""R4 Bundles as an ER's record system sends them, for the people of the demonstration."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.demo.people import Story

Resource = dict[str, Any]

EXTENSION = "https://kindred.example/fhir/StructureDefinition/"
RECORD_SYSTEM = "urn:oid:2.999.1.1"
VISIT_SYSTEM = "urn:oid:2.999.1.2"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"


def bundle(story: Story, run: str, now: datetime) -> Resource:
    """The story's Bundle; `run` makes the record and visit numbers those of this evening."""
    resources = [
        ("patient", _patient(story, run)),
        ("practitioner", _practitioner(story)),
        ("hospital", _hospital(story)),
        ("encounter", _encounter(story, run, now)),
        *((f"condition-{at}", _condition(code)) for at, code in enumerate(story.codes)),
        *([("consent", _consent(story, now))] if story.consent else []),
        ("request", _request(story, now)),
    ]
    return {
        "resourceType": "Bundle",
        "type": story.kind,
        "timestamp": stamp(now),
        "entry": [_entry(name, resource, story.kind) for name, resource in resources],
    }


def stamp(moment: datetime) -> str:
    """A FHIR instant."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def marked(story: Story, run: str) -> tuple[str, ...]:
    """What names this person and must be readable nowhere outside the sealed stores."""
    return (story.family, record_number(story, run), phone(story))


def record_number(story: Story, run: str) -> str:
    """The hospital's number of the person."""
    return f"MRN-{run}-{story.key}"


def phone(story: Story) -> str:
    """A number of the range reserved for fiction (555-0100 to 555-0199)."""
    return f"+1518555{100 + sum(map(ord, story.key)) % 100:04d}"


def contact(story: Story) -> str:
    """Where the referring clinician hears back."""
    return f"desk@{story.hospital.source_id}.kindred.example"


def _entry(name: str, resource: Resource, kind: str) -> Resource:
    entry: Resource = {"fullUrl": f"urn:uuid:{_uuid(name)}", "resource": resource}
    if kind == "transaction":
        entry["request"] = {"method": "POST", "url": resource["resourceType"]}
    return entry


def _reference(name: str) -> Resource:
    return {"reference": f"urn:uuid:{_uuid(name)}"}


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _patient(story: Story, run: str) -> Resource:
    patient: Resource = {
        "resourceType": "Patient",
        "identifier": [{"system": RECORD_SYSTEM, "value": record_number(story, run)}],
        "name": [{"use": "official", "family": story.family, "given": [story.given]}],
        "telecom": [{"system": "phone", "value": phone(story), "use": "mobile"}],
        "birthDate": story.birth_date,
        "communication": [
            {"language": _concept("urn:ietf:bcp:47", tag), "preferred": at == 0}
            for at, tag in enumerate(story.languages)
        ],
    }
    if story.is_interpreter_agreed:
        patient["extension"] = [{"url": EXTENSION + "interpreter-agreed", "valueBoolean": True}]
    return patient


def _practitioner(story: Story) -> Resource:
    return {
        "resourceType": "Practitioner",
        "name": [{"family": "Fictionby", "given": ["Ada"]}],
        "telecom": [{"system": "email", "value": contact(story), "use": "work"}],
    }


def _hospital(story: Story) -> Resource:
    return {
        "resourceType": "Organization",
        "name": story.hospital.name,
        "address": [{"country": "US", "state": "NY", "postalCode": story.hospital.zip}],
    }


def _encounter(story: Story, run: str, now: datetime) -> Resource:
    return {
        "resourceType": "Encounter",
        "identifier": [{"system": VISIT_SYSTEM, "value": f"V-{run}-{story.key}"}],
        "status": "in-progress",
        "class": {"system": TERMINOLOGY + "v3-ActCode", "code": "EMER"},
        "subject": _reference("patient"),
        "period": {"start": stamp(now - timedelta(minutes=25))},
        "serviceProvider": _reference("hospital"),
    }


def _condition(code: tuple[str, str]) -> Resource:
    return {
        "resourceType": "Condition",
        "verificationStatus": _concept(TERMINOLOGY + "condition-ver-status", "confirmed"),
        "code": _concept(*code),
        "subject": _reference("patient"),
        "encounter": _reference("encounter"),
    }


def _consent(story: Story, now: datetime) -> Resource:
    ends = now - timedelta(days=3) if story.consent == "expired" else now + timedelta(days=90)
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": _concept(TERMINOLOGY + "consentscope", "patient-privacy"),
        "category": [_concept("http://loinc.org", "59284-0")],
        "patient": _reference("patient"),
        "dateTime": stamp(now - (timedelta(days=60) if story.consent == "expired" else timedelta(minutes=8))),
        "policyRule": _concept(TERMINOLOGY + "v3-ActCode", "42CFRPart2"),
        "provision": {
            "type": "deny" if story.consent == "deny" else "permit",
            "period": {"start": stamp(now - timedelta(days=60)), "end": stamp(ends)},
        },
    }


def _request(story: Story, now: datetime) -> Resource:
    request: Resource = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "priority": story.priority,
        "code": {"text": "Referral to peer support"},
        "subject": _reference("patient"),
        "encounter": _reference("encounter"),
        "authoredOn": stamp(now),
        "requester": _reference("practitioner"),
        "reasonCode": [_concept(*story.codes[0])],
        "extension": [{"url": EXTENSION + "payer", "valueCode": story.payer}, *_wishes(story)],
    }
    if story.note:
        request["note"] = [{"text": story.note}]
    return request


def _wishes(story: Story) -> list[Resource]:
    found: list[Resource] = [
        {
            "url": EXTENSION + "preference",
            "extension": [
                {"url": "attribute", "valueCode": code},
                {"url": "strength", "valueCode": strength},
            ],
        }
        for code, strength in story.preferences
    ]
    found += [{"url": EXTENSION + "lived-experience", "valueCode": code} for code in story.experience]
    found += [{"url": EXTENSION + "modality", "valueCode": code} for code in story.modalities]
    return found


def _concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}
