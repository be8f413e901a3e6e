"""Kindred's extensions: what a referral needs and plain R4 has no element for (documented in ../README.md)."""

from __future__ import annotations

from typing import Any

BASE = "https://kindred.example/fhir/StructureDefinition/"
PREFERENCE = BASE + "preference"
LIVED_EXPERIENCE = BASE + "lived-experience"
MODALITY = BASE + "modality"
EXCLUDED_SPECIALIST = BASE + "excluded-specialist"
FACILITY_ZIP = BASE + "facility-zip"
PAYER = BASE + "payer"
EXPECTED_DEPARTURE = BASE + "expected-departure"
INTERPRETER_AGREED = BASE + "interpreter-agreed"
SAFE_CONTACT = BASE + "safe-contact"
CONTACT_LANGUAGE = BASE + "contact-language"
CHARACTERISTIC = BASE + "characteristic"
NALOXONE_GIVEN = BASE + "naloxone-given"
CONSENT_ELEMENTS = BASE + "consent-elements"
# HL7's own.
INTERPRETER_REQUIRED = "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired"
TIME_ZONE = "http://hl7.org/fhir/StructureDefinition/timezone"


def found(element: dict[str, Any], url: str) -> list[tuple[int, dict[str, Any]]]:
    """The element's extensions with this url, each with its position."""
    return [(at, one) for at, one in enumerate(element.get("extension", [])) if one.get("url") == url]


def values(element: dict[str, Any], url: str) -> list[Any]:
    """The extensions' values, whatever their type; a Coding or CodeableConcept gives its code."""
    return [value for _, one in found(element, url) if (value := value_of(one)) is not None]


def words(element: dict[str, Any], url: str) -> list[str]:
    """The extensions' values as text, one for each extension; "" for one whose value cannot be read."""
    return ["" if (value := value_of(one)) is None else str(value) for _, one in found(element, url)]


def first(element: dict[str, Any], url: str) -> Any:
    """The first value, or None."""
    return next(iter(values(element, url)), None)


def text(element: dict[str, Any], url: str) -> str:
    """The first value if it is text, else empty."""
    value = first(element, url)
    return value if isinstance(value, str) else ""


def parts(element: dict[str, Any], url: str) -> dict[str, Any]:
    """The values of a complex extension by the names of its parts; empty where it is not there."""
    for _, one in found(element, url):
        return {part["url"]: value_of(part) for part in one.get("extension", [])}
    return {}


def value_of(extension: dict[str, Any]) -> Any:
    """The value of one extension."""
    for key, value in extension.items():
        if key.startswith("value"):
            return _plain(value)
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and "coding" in value:
        value = value["coding"][0]
    return value.get("code") if isinstance(value, dict) else value
