"""What this door's FHIR can do, as a CapabilityStatement: the capacity search and nothing else, and where the rest is."""

from __future__ import annotations

from typing import Any

PATH = "/fhir/metadata"
_PUBLISHED = "2026-11-22"
_GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/"
# Each parameter of the search, its FHIR type, and what it says.
PARAMETERS = {
    "coverage-area.address-postalcode": ("string", "Where the person is: a five-digit ZIP; required."),
    "priority": ("token", "stat, asap, urgent or routine; stat where nothing is said."),
    "communication": ("token", "BCP 47 tags of the languages the person speaks, separated by commas."),
    "interpreter-agreed": ("token", "true where the person agreed to an interpreter."),
    "age-band": ("token", "minor, young-adult, adult or older-adult."),
    "payer": ("token", "medicaid, medicare, commercial or self-pay."),
    "minutes-until-departure": ("number", "0 to 1440; 0 where nobody knows."),
}


def statement() -> dict[str, Any]:
    """The CapabilityStatement; it names nothing this door does not do."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _PUBLISHED,
        "kind": "instance",
        "software": {"name": "Kindred matching"},
        "implementation": {"description": "Tells who could come now: counts, never who."},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": (
                    "One search. Referrals, consents and tasks are at intake's FHIR address, which has a statement of "
                    "its own. Send a bearer token of a nurse, a clinician, who leads a programme, or a system."
                ),
                "security": {"description": "A bearer token, signed by the platform's issuer."},
                "resource": [
                    {
                        "type": "HealthcareService",
                        "documentation": (
                            "Three services (bedside, phone, video), each with HL7 Gravity's capacity status, extension "
                            f"{_GRAVITY}SDOHCC-ExtensionHealthcareServiceCapacityStatus."
                        ),
                        "interaction": [{"code": "search-type"}],
                        "searchParam": [
                            {"name": name, "type": kind, "documentation": told}
                            for name, (kind, told) in PARAMETERS.items()
                        ],
                    }
                ],
            }
        ],
    }
