"""R4 Bundles as an ER's record system sends them, of plainly fictional people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any


def _entry(resource: dict[str, Any], full_url: str) -> dict[str, Any]:
    request = {"method": "POST", "url": resource["resourceType"]}
    return {"fullUrl": full_url, "resource": resource, "request": request}


def a_bundle(number: int | str, *, kind: str = "transaction", **given: Any) -> dict[str, Any]:
    """Patient, ServiceRequest, Consent, Encounter and Condition of an overdose survivor in Albany.

    `given` replaces whole resources by name (patient=..., consent=None leaves it out).
    """
    now = datetime.now(UTC)
    resources: dict[str, Any] = {
        "patient": {
            "resourceType": "Patient",
            "identifier": [{"system": "urn:oid:2.999.1", "value": f"MRN-{number}"}],
            "name": [{"family": f"Marlowe{number}", "given": ["Testperson"]}],
            "birthDate": "1988-04-01",
            "telecom": [{"system": "phone", "value": "+15185550100"}],
            "communication": [
                {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}, "preferred": True}
            ],
        },
        "encounter": {
            "resourceType": "Encounter",
            "identifier": [{"system": "urn:oid:2.999.2", "value": f"V-{number}"}],
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
            "subject": {"reference": "urn:uuid:patient"},
            "period": {"start": _iso(now - timedelta(minutes=20))},
            "serviceProvider": {"reference": "urn:uuid:hospital"},
        },
        "hospital": {
            "resourceType": "Organization",
            "name": "St. Brigid (fictional)",
            "address": [{"state": "NY", "postalCode": "12208"}],
        },
        "clinician": {
            "resourceType": "Practitioner",
            "telecom": [{"system": "email", "value": "er-desk@st-brigid.example"}],
        },
        "condition": {
            "resourceType": "Condition",
            "code": {
                "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "T40.1X1A"}],
            },
            "subject": {"reference": "urn:uuid:patient"},
        },
        "consent": {
            "resourceType": "Consent",
            "status": "active",
            "scope": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                        "code": "patient-privacy",
                    }
                ]
            },
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": "urn:uuid:patient"},
            "dateTime": _iso(now - timedelta(minutes=5)),
            "policyRule": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2"}
                ]
            },
            "provision": {"type": "permit"},
        },
        "service_request": {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "priority": "stat",
            "code": {"text": "Peer support referral"},
            "subject": {"reference": "urn:uuid:patient"},
            "encounter": {"reference": "urn:uuid:encounter"},
            "authoredOn": _iso(now),
            "requester": {"reference": "urn:uuid:clinician"},
            "reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F11.20"}]}],
            "note": [{"text": "Prefers to be called by the middle name."}],
        },
    } | given
    entries = [
        _entry(resource, f"urn:uuid:{name.replace('_', '-')}")
        for name, resource in resources.items()
        if resource is not None
    ]
    if kind == "collection":
        entries = [{key: value for key, value in entry.items() if key != "request"} for entry in entries]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def _iso(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat()
