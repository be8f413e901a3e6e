"""Submissions and Bundles with character, plainly fictional."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.intake import taxonomy
from services.intake.domain.consent import Consent
from services.intake.domain.person import Person, RecordNumber
from services.intake.domain.submission import SourceContact, Submission, Urgency
from services.intake.fhir import reading
from tests.bundles import a_bundle

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
SOURCE = "er-st-brigid"


def a_person(**given: Any) -> Person:
    """Wren Quillfeather, whose record number St Brigid gave."""
    person = Person(
        family_name="Quillfeather",
        given_name="Wren",
        birth_date="1988-04-01",
        record_numbers=(RecordNumber("urn:oid:2.999.1", "MRN-70077"),),
        phones=("+15185550177",),
    )
    return replace(person, **given)


def a_consent(**given: Any) -> Consent:
    """A consent that permits, signed five minutes ago, good for three months."""
    consent = Consent(
        consent_id="c1",
        is_permitted=True,
        signed_at=NOW - timedelta(minutes=5),
        expires_at=NOW + timedelta(days=90),
    )
    return replace(consent, **given)


def a_submission(**given: Any) -> Submission:
    """An overdose survivor in the ED now."""
    submission = Submission(
        door="grpc",
        source_id=SOURCE,
        person=a_person(),
        consent=a_consent(),
        idempotency_key="key-1",
        visit=RecordNumber("urn:oid:2.999.2", "V-1"),
        urgency=Urgency.IMMEDIATE,
        experience_codes=("substance.opioids",),
        languages=("es", "en"),
        facility_zip="12208",
        arrived_at=NOW - timedelta(minutes=20),
        source_contact=SourceContact("desk@st-brigid.example", "en", "America/New_York"),
        note="Likes to be called Wren.",
    )
    return replace(submission, **given)


def bundle(**given: Any) -> dict[str, Any]:
    """The Bundle of an ER, one resource or another replaced."""
    return a_bundle("77", **given)


def resource(made: dict[str, Any], name: str) -> dict[str, Any]:
    """The first resource of the type in a Bundle."""
    return next(entry["resource"] for entry in made["entry"] if entry["resource"]["resourceType"] == name)


def read(made: Any) -> Submission:
    """What intake reads in a Bundle."""
    body = made if isinstance(made, bytes) else json.dumps(made).encode()
    return reading.read(reading.open_bundle(body), SOURCE, taxonomy.load())


def placed(made: dict[str, Any], path: str) -> str:
    """The FHIRPath in the Bundle of a path that begins with a resource's type; others stay as they are."""
    name, _, rest = path.partition(".")
    for position, entry in enumerate(made["entry"]):
        if entry["resource"].get("resourceType") == name:
            return f"Bundle.entry[{position}].resource" + (f".{rest}" if rest else "")
    return path
