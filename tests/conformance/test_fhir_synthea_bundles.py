"""Whole Synthea transactions, as a record system would export them, through intake's reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import Refusal
from services.intake import taxonomy
from services.intake.domain.submission import faults_of
from services.intake.fhir import reading
from tests.bundles import a_bundle
from tests.conftest import SHARED_DATA

pytestmark = [
    pytest.mark.needs_shared_data,
    pytest.mark.skipif(
        not SHARED_DATA.is_dir(), reason="../shared/data is not here: no Synthea Bundles to read"
    ),
]
FILES = sorted((SHARED_DATA / "fhir/synthea-r4").glob("*.json"))


def _referral_about(record: dict[str, Any]) -> dict[str, Any]:
    """The record with a request and a consent of its own Patient added."""
    patient = next(one for one in record["entry"] if one["resource"]["resourceType"] == "Patient")
    added = a_bundle("synthea", patient=None, encounter=None, condition=None)
    text = json.dumps(
        [e for e in added["entry"] if e["resource"]["resourceType"] in ("ServiceRequest", "Consent")]
    )
    entries = json.loads(text.replace("urn:uuid:patient", patient["fullUrl"]))
    for entry in entries:
        entry["resource"].pop("encounter", None)
        entry["resource"].pop("requester", None)
    return {**record, "entry": [*record["entry"], *entries]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem[:20])
def test_a_record_without_a_request_is_no_referral(path: Path):
    """A valid Bundle that refers nobody is refused for that, and for nothing else."""
    with pytest.raises(Refusal) as refused:
        reading.read(reading.open_bundle(path.read_bytes()), "er-1", taxonomy.load())
    assert [fault.code for fault in refused.value.faults] == ["service-request-missing"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem[:20])
def test_a_record_with_a_request_and_consent_is_a_referral(path: Path):
    """A whole record, unchanged but for the request and the consent, is read: person, languages, conditions."""
    made = _referral_about(json.loads(path.read_text()))
    submission = reading.read(reading.open_bundle(json.dumps(made).encode()), "er-1", taxonomy.load())
    assert faults_of(submission, datetime.now(UTC), taxonomy.load().codes) == []
    assert submission.person.family_name and submission.person.birth_date
    assert len(submission.person.record_numbers) >= 2
    assert submission.languages and len(submission.codes) > 3
