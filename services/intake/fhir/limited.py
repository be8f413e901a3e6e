"""The most of everything that the FHIR door takes, as its CapabilityStatement tells it."""

from __future__ import annotations

from services.intake.domain import limits
from services.intake.fhir import consent_rules, patching, search_values, searching
from services.intake.r4 import primitives, validator
from services.intake.settings import Settings


def most_of(settings: Settings) -> dict[str, int]:
    """Each limit by its name; docs/connect-your-hospital.md has the same table."""
    return {
        "body-bytes": settings.max_body_bytes,
        "element-depth": validator.MAX_DEPTH,
        "string-characters": primitives.LONGEST_TEXT,
        "faults-told": validator.MAX_FAULTS,
        "record-numbers": limits.MOST_NUMBERS,
        "phones": limits.MOST_PHONES,
        "former-names": limits.MOST_NAMES,
        "order-identifiers": limits.MOST_ORDERS,
        "codes": limits.MOST_CODES,
        "listed": limits.MOST_LISTED,
        "name-characters": limits.NAME,
        "number-characters": limits.NUMBER,
        "note-characters": limits.NOTE,
        "consent-provisions": consent_rules.MOST_RULES,
        "patch-operations": patching.MOST_STEPS,
        "search-parameters": searching.MOST_PARAMETERS,
        "search-values": search_values.MOST_ALTERNATIVES,
        "search-page": searching.MOST_ON_A_PAGE,
        "subscriptions": settings.outward_subscriptions,
    }
