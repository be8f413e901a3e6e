"""The R4 validator against HL7's own examples, Synthea's and Gravity's, mutants of them, and a second opinion."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.intake.r4 import table, validator
from tests.conftest import SHARED_DATA

FOLDERS = ("hl7-fhir-r4-spec", "synthea-r4", "gravity-sdoh-cc", "ds4p")
Resource = dict[str, Any]
Mutation = Callable[[Resource], None]


def _examples() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((SHARED_DATA / "fhir" / folder).glob("*.json"))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem[:60]}"


needs_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="../shared/data is not here: other people's FHIR data cannot be checked"
)


@needs_data
@pytest.mark.needs_shared_data
@pytest.mark.parametrize("path", list(_examples()), ids=_name)
def test_a_published_example_is_valid(path: Path):
    """What HL7 and others publish as valid R4 has no fault."""
    resource = json.loads(path.read_text())
    assert table.load().is_resource_type(resource["resourceType"])
    assert validator.check(resource) == []


@needs_data
@pytest.mark.needs_shared_data
def test_the_examples_reach_the_resources_an_er_sends():
    """The examples are not empty, and hold the types a referral is made of."""
    types = {json.loads(path.read_text())["resourceType"] for path in _examples()}
    assert {"Patient", "ServiceRequest", "Consent", "Encounter", "Condition", "Task", "Bundle"} <= types


def _set(*path: Any, value: Any) -> Mutation:
    def change(resource: Resource) -> None:
        home: Any = resource
        for key in path[:-1]:
            home = home[key]
        home[path[-1]] = value

    return change


def _drop(key: str) -> Mutation:
    return lambda resource: resource.pop(key)


# (example, change, code, FHIRPath); the first twelve are the mutants of the comparison in
# docs/decisions/0005-fhir-validation.md.
MUTANTS: list[tuple[str, Mutation, str, str]] = [
    ("Patient-example", _set("gender", value="m"), "code-not-in-value-set", "Patient.gender"),
    ("ServiceRequest-example", _set("priority", value="now"), "code-not-in-value-set", "ServiceRequest.priority"),
    ("ServiceRequest-example", _set("subject", value={"reference": "Practitioner/1"}), "reference-wrong-type",
     "ServiceRequest.subject.reference"),
    ("Patient-example", _set("name", value=[]), "empty", "Patient.name"),
    ("Patient-example", _set("id", value="x" * 65), "bad-format", "Patient.id"),
    ("Patient-example", _set("birthDate", value="1974-02-30"), "no-such-day", "Patient.birthDate"),
    ("Patient-example", _set("birthDate", value="25/12/1974"), "bad-format", "Patient.birthDate"),
    ("Patient-example", _set("surname", value="x"), "unknown-element", "Patient.surname"),
    ("Patient-example", _set("active", value="true"), "wrong-json-type", "Patient.active"),
    ("Patient-example", _set("name", value={"family": "x"}), "not-a-list", "Patient.name"),
    ("ServiceRequest-example", _drop("subject"), "missing", "ServiceRequest.subject"),
    ("Patient-example", _set("deceasedDateTime", value="2015-01-01"), "choice-doubled", "Patient.deceased"),
    ("Patient-example", _set("contact", 0, "gender", value="x"), "code-not-in-value-set", "Patient.contact[0].gender"),
    ("Patient-example", _set("maritalStatus", value={}), "empty", "Patient.maritalStatus"),
    ("Patient-example", _set("maritalStatus", value=[{"text": "x"}]), "is-a-list", "Patient.maritalStatus"),
    ("Patient-example", _set("managingOrganization", "reference", value="#nobody"), "reference-unresolved",
     "Patient.managingOrganization.reference"),
    ("Patient-example", _set("managingOrganization", "reference", value="nowhere"), "reference-malformed",
     "Patient.managingOrganization.reference"),
    ("Patient-example", _set("_birthDate", value={"text": "x"}), "unknown-element", "Patient.birthDate.text"),
    ("Patient-example", _set("extension", value=[{"url": "urn:u"}]), "extension-value", "Patient.extension[0]"),
    ("Patient-example", _set("name", 0, "given", value=["Ada", None]), "wrong-json-type", "Patient.name[0].given[1]"),
    ("Patient-example", _set("telecom", 0, "rank", value=0), "bad-format", "Patient.telecom[0].rank"),
    ("Consent-consent-example-basic", _drop("status"), "missing", "Consent.status"),
    ("Consent-consent-example-basic", _set("status", value="on"), "code-not-in-value-set", "Consent.status"),
    ("Consent-consent-example-basic", _set("provision", "period", value={"start": "2017", "end": "2016-01-01"}),
     "period-reversed", "Consent.provision.period"),
    ("Encounter-emerg", _set("class", "code", value=7), "wrong-json-type", "Encounter.class.code"),
    ("Encounter-emerg", _set("statusHistory", 0, "status", value="x"), "code-not-in-value-set",
     "Encounter.statusHistory[0].status"),
    ("Task-example1", _set("lastModified", value="2016-03-10T25:39:32Z"), "bad-format", "Task.lastModified"),
    ("Task-example1", _set("restriction", "repetitions", value=0), "bad-format", "Task.restriction.repetitions"),
    ("SDOHCC-Condition-HungerVitalSign-Example-1", _set("clinicalStatus", value={"text": "active"}),
     "code-not-in-value-set", "Condition.clinicalStatus"),
]  # fmt: skip


@needs_data
@pytest.mark.needs_shared_data
@pytest.mark.parametrize(
    ("example", "change", "code", "path"),
    MUTANTS,
    ids=lambda value: "change" if callable(value) else str(value)[:60],
)
def test_a_mutant_is_refused_with_its_place(example: str, change: Mutation, code: str, path: str):
    """A changed example has exactly the fault that was put in, with its FHIRPath."""
    resource = _read(example)
    change(resource)
    faults = validator.check(resource)
    assert [(fault.code, fault.path) for fault in faults] == [(code, path)]


def _read(example: str) -> Resource:
    return json.loads(next(path for path in _examples() if path.stem == example).read_text())


# Examples that fhir.resources (R4B) refuses although R4 4.0.1 allows them would be listed here, each with a reason.
R4B_DIFFERS: dict[str, str] = {}


@needs_data
@pytest.mark.needs_shared_data
def test_a_second_opinion_agrees_on_the_examples():
    """fhir.resources (R4B, the same elements for these types) accepts what we accept."""
    r4b = pytest.importorskip("fhir.resources.R4B")
    disagreed = {}
    for path in _examples():
        resource = json.loads(path.read_text())
        if resource["resourceType"] not in (
            "Patient",
            "ServiceRequest",
            "Consent",
            "Encounter",
            "Condition",
            "Task",
        ):
            continue
        try:
            r4b.get_fhir_model_class(resource["resourceType"]).model_validate(copy.deepcopy(resource))
        except ValueError as fault:
            disagreed[path.stem] = str(fault)[:200]
    assert disagreed.keys() == R4B_DIFFERS.keys(), disagreed


@needs_data
@pytest.mark.needs_shared_data
def test_what_the_second_opinion_refuses_we_refuse():
    """No mutant that fhir.resources turns away gets past us, and some that it accepts do not either."""
    r4b = pytest.importorskip("fhir.resources.R4B")
    refused_there = 0
    for example, change, _, _ in MUTANTS:
        resource = _read(example)
        change(resource)
        assert validator.check(resource) != []
        try:
            r4b.get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        except ValueError:
            refused_there += 1
    assert 0 < refused_there < len(MUTANTS)


def test_the_compiled_definitions_are_r4():
    """What is committed says where it comes from, is 4.0.1 and whole, and names what is left open."""
    source = json.loads(table.SOURCE.read_text())
    assert source["fhirVersion"] == "4.0.1"
    assert "CC0" in source["source"]
    assert len(source["resources"]) == 146
    assert {url.rpartition("/")[2] for url in source["openValueSets"]} == {
        "LL379-9|4.0.1",
        "characteristic-combination|5.0.0",
        "currencies|4.0.1",
        "mimetypes|4.0.1",
        "ucum-units|4.0.1",
    }
    assert source["invariantsLeftOut"] == ["ctm-1", "ig-1", "ig-2"]


def test_every_resource_type_of_r4_can_be_spelled_out():
    """Each type's rule is whole: every field has a check, an inner type or is a resource, every invariant is read."""
    known = table.load()
    for name in known.resource_types:
        assert known.resource(name) is not None
    for rule in known.rules.values():
        for field in rule.fields.values():
            assert field.check or field.inner or field.is_resource, (rule.name, field.key)
    asked = sum(len(rule.invariants) for rule in known.rules.values())
    assert asked > 180
