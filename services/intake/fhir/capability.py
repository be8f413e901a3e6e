"""GET /fhir/metadata: what this server really does, and nothing more."""

from __future__ import annotations

from typing import Any

from services.intake.r4 import table

PUBLISHED = "2026-11-21"


def statement() -> dict[str, Any]:
    """The CapabilityStatement."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "Kindred intake"},
        "implementation": {"description": "Takes peer support referrals in and tells how they stand."},
        "fhirVersion": table.load().fhir_version,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": (
                    "A transaction or collection Bundle with one ServiceRequest, its Patient and their Consent "
                    "becomes a referral, shown as a Task. Send a bearer token, and X-Purpose-Of-Use to read."
                ),
                "resource": [{"type": "Task", "interaction": [{"code": "read"}], "versioning": "versioned"}],
                "interaction": [{"code": "transaction"}],
            }
        ],
    }
