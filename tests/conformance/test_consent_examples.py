"""Published consents and labels, read as a referral would meet them: a reviewed table of what each decides, and why."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.errors import Refusal
from services.intake import taxonomy
from services.intake.domain import labels
from services.intake.domain.submission import faults_of
from services.intake.fhir import labelled, reading
from services.intake.fhir.parcel import Parcel
from tests.bundles import a_bundle
from tests.conftest import SHARED_DATA

HERE = SHARED_DATA / "fhir"
needs_data = pytest.mark.skipif(
    not HERE.is_dir(), reason="../shared/data is not here: no published consents to read"
)

# Of each of HL7's R4 examples: the code and place with which it refuses a referral, and why that is right.
HL7 = {
    # Opt-out of whatever the hospital keeps; no exception permits anything.
    "Out": ("consent-refused", "provision.type"),
    # Opt-in, valid from 1964 to 2016: over.
    "basic": ("consent-expired", "provision.period.end"),
    # Opt-out; the access of one individual is meant as an exception, but no rule says permit, and it is not us.
    "grantor": ("consent-refused", "provision.type"),
    # Opt-in with conditions and no type; its text says "all but what this hospital authored", its elements do not.
    "notAuthor": ("consent-silent", "provision.type"),
    # Opt-in, denied to Organization/f001, who is not in the sending and may be us.
    "notOrg": ("consent-restricted", "provision.actor"),
    # As notAuthor: "all but this Task" by its text, "only this Task" by its elements.
    "notThis": ("consent-silent", "provision.type"),
    # The rule's timeframe is January 2015.
    "notTime": ("consent-expired", "provision.period.end"),
    # Opt-out; its exceptions have no type, which R4 requires of every nested rule.
    "pkb": ("consent-refused", "provision.type"),
    # An acknowledged notice of privacy practices (category npp) is no consent to a disclosure; it also ended in 2016.
    "signature": ("consent-restricted", "category"),
}


def referral_with(consent: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    """An ER's Bundle with the published consent in place of its own."""
    made = a_bundle("example", consent=None)
    ours = copy.deepcopy(consent) | {"patient": {"reference": "urn:uuid:patient"}}
    if "performer" in ours:
        ours["performer"] = [{"reference": "urn:uuid:patient"}]
    for resource in (ours, *others):
        name = f"{resource['resourceType']}/{resource.get('id', 'one')}"
        request = {"method": "POST", "url": resource["resourceType"]}
        made["entry"].append(
            {"fullUrl": f"https://elsewhere.example/{name}", "resource": resource, "request": request}
        )
    return made


def told(made: dict[str, Any]) -> dict[str, str]:
    """Code -> place in the Consent of every fault."""
    position = next(n for n, one in enumerate(made["entry"]) if one["resource"]["resourceType"] == "Consent")
    try:
        submission = reading.read(
            reading.open_bundle(json.dumps(made).encode()), "er-st-brigid", taxonomy.load()
        )
    except Refusal as refusal:
        return {fault.code: fault.path for fault in refusal.faults}
    found = faults_of(submission, datetime.now(UTC), taxonomy.load().codes)
    start = f"Bundle.entry[{position}].resource."
    return {fault.code: fault.path.removeprefix(start) for fault in found}


def example(name: str) -> dict[str, Any]:
    """One of the published files, without its narrative."""
    read: dict[str, Any] = json.loads((HERE / name).read_text(encoding="utf-8"))
    read.pop("text", None)
    return read


@pytest.mark.parametrize("name", sorted(HL7))
@needs_data
@pytest.mark.needs_shared_data
def test_each_example_of_hl7_decides_as_reviewed(name: str):
    """None of HL7's own examples permits a referral to us today, each for a reason the document gives."""
    code, place = HL7[name]
    found = told(referral_with(example(f"hl7-fhir-r4-spec/Consent-consent-example-{name}.json")))
    assert found.get(code) == place, found


@needs_data
@pytest.mark.needs_shared_data
def test_every_published_consent_is_in_the_table():
    """A consent added to the shared data is reviewed before it is relied on."""
    files = {path.stem.rpartition("-")[2] for path in HERE.glob("hl7-fhir-r4-spec/Consent-*.json")}
    assert files == set(HL7)


@needs_data
@pytest.mark.needs_shared_data
def test_a_denial_to_somebody_we_know_is_not_us_leaves_the_opt_in():
    """HL7's notOrg with its Organization along: the opt-in stands for everybody but them."""
    consent = example("hl7-fhir-r4-spec/Consent-consent-example-notOrg.json")
    clinic = example("hl7-fhir-r4-spec/Organization-f001.json")
    assert told(referral_with(consent, clinic)) == {}
    clinic["name"] = "Kindred Peer Support"  # may be us: neither a yes nor surely somebody else
    assert told(referral_with(consent, clinic)) == {"consent-restricted": "provision.actor"}


# BSeR's examples (consent-bser-patientconsent-*.fsh), as the resources they make.
def bser(performer: str) -> dict[str, Any]:
    """The consent of Eve Everywoman, or of Baby Everybaby by their mother."""
    system = "http://terminology.hl7.org/CodeSystem/"
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": system + "consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": system + "v3-ActCode", "code": "INFA"}]}],
        "dateTime": "2019-05-23",
        "performer": [{"reference": performer}],
        "policyRule": {"coding": [{"system": system + "v3-ActCode", "code": "OPTIN"}]},
        "provision": {
            "type": "permit",
            "actor": [
                {
                    "role": {"coding": [{"system": system + "v3-ParticipationType", "code": "CST"}]},
                    "reference": {"reference": "Organization/organization-us-core-organization-saint-luke"},
                }
            ],
            "action": [{"coding": [{"system": system + "consentaction", "code": "access"}]}],
        },
    }


@pytest.mark.parametrize("performer", ["Patient/eve", "RelatedPerson/mom"])
def test_a_consent_that_names_the_keeper_permits_what_that_keeper_sends(performer: str):
    """BSeR: Saint Luke is the custodian, no recipient is named; it permits Saint Luke's referral and nobody else's."""
    made = referral_with(bser(performer))
    assert told(made) == {"consent-restricted": "provision.actor"}
    keeper = {"reference": "Organization/organization-us-core-organization-saint-luke"}
    for entry in made["entry"]:
        if entry["resource"]["resourceType"] == "Encounter":
            entry["resource"]["serviceProvider"] = keeper
    assert told(made) == {}


@pytest.mark.parametrize("name", ["no-consent-found", "permit"])
@needs_data
@pytest.mark.needs_shared_data
def test_a_question_about_a_consent_is_no_consent(name: str):
    """The ASU SHARES files are questions to a consent service (CDS Hooks): no consent is in them, so nothing leaves."""
    question = json.dumps(example(f"asu-shares-consent/example-request-{name}.json")).encode()
    with pytest.raises(Refusal) as refused:
        reading.open_bundle(question)
    assert [fault.code for fault in refused.value.faults] == ["bundle-wanted"]
    made = a_bundle("asu", consent=None)
    submission = reading.read(reading.open_bundle(json.dumps(made).encode()), "er-st-brigid", taxonomy.load())
    found = faults_of(submission, datetime.now(UTC), taxonomy.load().codes)
    assert [fault.code for fault in found] == ["consent-missing"]


# DS4P's examples: the labels each carries, and the confidentiality they come to.
DS4P = {
    "extension-display-observation": (set(), "U"),
    "extension-display-patient": (set(), "U"),
    "extension-inline-sec-label-immunization": ({"PROCESSINLINELABEL"}, "U"),
    "extension-inline-sec-label-patient": (
        {"PROCESSINLINELABEL", "R"},
        "R",
    ),  # the number alone is restricted
    "extension-sec-label-basis": ({"R", "42CFRPart2"}, "R"),
    "extension-sec-label-related-artifact-consent": ({"R"}, "R"),
    "extension-sec-label-related-artifact-provenance": (set(), "U"),  # reliability, not sensitivity
    "extensions-sec-label-classifier": ({"R"}, "R"),
}


@pytest.mark.parametrize("name", sorted(DS4P))
@needs_data
@pytest.mark.needs_shared_data
def test_each_label_of_ds4p_is_read(name: str):
    """Labels on the resource, inline on an element, and the law a label rests on."""
    wanted, confidentiality = DS4P[name]
    found = labelled.of_resource(example(f"ds4p/{name}.json"))
    assert found == wanted
    assert labels.read(found).confidentiality == confidentiality
    assert labels.read(found).is_part_2 is ("42CFRPart2" in wanted)


def test_a_labelled_patient_raises_the_mark_of_the_whole():
    """High-water mark: one restricted number in the Patient, and the referral is restricted."""
    patient = {
        "resourceType": "Patient",
        "meta": {"security": [{"system": labels.CONFIDENTIALITY, "code": "V"}]},
    }
    bundle = {
        "type": "collection",
        "meta": {"security": [{"system": labels.ACT_CODE, "code": "NODSCLCD"}]},
        "entry": [
            {"resource": patient},
            {"resource": {"resourceType": "Observation", "meta": patient["meta"]}},
        ],
    }
    assert labelled.read(Parcel.open(bundle, "")) == ("NODSCLCD", "V")
