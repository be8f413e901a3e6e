"""Who is the same person, which is the same visit, how old, and whether the consent permits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake import taxonomy
from services.intake.domain import asking
from services.intake.domain import consent as consents
from services.intake.domain.person import (
    Person,
    PersonMarks,
    RecordNumber,
    VisitMarks,
    is_same_person,
    is_same_visit,
    normalized,
)
from services.intake.domain.submission import Code, SourceContact, age_band, faults_of
from services.intake.store.blind import BlindIndex
from tests.unit.intake.intake_builders import NOW, a_consent, a_person, a_submission


@pytest.mark.parametrize(
    ("known", "new", "is_same"),
    [
        ({"name": "n", "birth": "b"}, {"name": "n", "birth": "b"}, True),
        ({"records": {"s": {"1"}}}, {"records": {"s": {"1"}}}, True),
        ({"name": "n", "birth": "b", "records": {"s": {"1"}}}, {"name": "n", "birth": "b"}, True),
        ({"name": "n", "records": {"s": {"1"}}}, {"name": "n", "records": {"s": {"2"}}}, False),
        ({"name": "n", "records": {"s": {"1"}}}, {"name": "n", "records": {"t": {"2"}}}, True),
        (
            {"name": "n", "birth": "b", "records": {"s": {"1"}}},
            {"name": "m", "birth": "c", "records": {"s": {"1"}}},
            False,
        ),
        (
            {"name": "n", "birth": "b", "records": {"s": {"1"}}},
            {"name": "m", "birth": "b", "records": {"s": {"1"}}},
            True,
        ),
        ({"records": {"s": {"1"}, "t": {"1"}}}, {"records": {"s": {"1"}, "t": {"2"}}}, False),
        ({}, {}, False),
    ],
)
def test_the_same_person_agrees_in_every_key(known: dict, new: dict, is_same: bool):
    """Every key both sides have must agree; nothing in common is another person."""
    one, two = PersonMarks(**known), PersonMarks(**new)
    assert is_same_person(one, two) is is_same
    assert is_same_person(two, one) is is_same


@pytest.mark.parametrize(
    ("known", "new", "is_same"),
    [
        (VisitMarks("a", NOW, "s", "1"), VisitMarks("a", NOW + timedelta(days=3), "s", "1"), True),
        (VisitMarks("a", NOW, "s", "1"), VisitMarks("a", NOW, "s", "2"), False),
        (VisitMarks("a", NOW, "s", "1"), VisitMarks("a", NOW + timedelta(hours=11)), True),
        (VisitMarks("a", NOW), VisitMarks("a", NOW + timedelta(hours=12)), False),
        (VisitMarks("a", NOW), VisitMarks("b", NOW), False),
    ],
)
def test_the_same_visit_has_one_number_or_one_half_day(known: VisitMarks, new: VisitMarks, is_same: bool):
    """Visit numbers decide; without them the same source within 12 hours does."""
    assert is_same_visit(known, new) is is_same


@pytest.mark.parametrize(
    ("one", "other"),
    [("José", "jose"), ("O'Brien", "o brien"), ("ANNE-MARIE", "Anne Marie"), ("Núñez  Pérez", "nunez perez")],
)
def test_names_are_compared_without_case_and_marks(one: str, other: str):
    """Spelling habits of record systems do not make two people of one."""
    assert normalized(one) == normalized(other)


@given(st.text(st.characters(max_codepoint=127)))
def test_a_plain_name_reads_as_any_other(name: str):
    """The short way for unaccented names ends where the long way does: a mark more changes nothing."""
    assert normalized(name) == normalized(name + "\N{COMBINING ACUTE ACCENT}").strip()


def test_a_blind_mark_tells_nothing_and_depends_on_the_key():
    """Marks are equal for equal words under one key, and different under another, for another purpose or system."""
    one, other = BlindIndex(b"1" * 96), BlindIndex(b"2" * 96)
    number = RecordNumber("urn:oid:1", "MRN-1")
    assert one.record(number) == one.record(number) != other.record(number)
    assert one.record(number) != one.record(replace(number, system="urn:oid:2"))
    assert one.mark("a", "b", "c") != one.mark("a", "bc") and one.mark("a", "b") != one.mark("b", "b")
    assert "MRN" not in repr(one.person(a_person()))


@pytest.mark.parametrize(
    ("birth", "band"),
    [
        ("2008-11-22", "minor"),
        ("2008-11-21", "young-adult"),
        ("2000-11-22", "young-adult"),
        ("2000-11-21", "adult"),
        ("1961-11-22", "adult"),
        ("1961-11-21", "older-adult"),
        ("1975", "adult"),
        ("2008", "unknown"),
        ("2000-11", "unknown"),
        ("", "unknown"),
        ("1988-02-30", "unknown"),
    ],
)
def test_an_age_band_is_only_told_when_sure(birth: str, band: str):
    """The band of a partial birth date is unknown where it could be two."""
    assert age_band(Person(birth_date=birth), date(2026, 11, 21)) == band


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({}, []),
        ({"is_permitted": False}, ["consent-refused"]),
        ({"is_permitted": None}, ["consent-silent"]),
        ({"signed_at": None}, ["consent-unsigned"]),
        ({"signed_at": NOW + timedelta(hours=1)}, ["consent-dated-ahead"]),
        ({"expires_at": NOW}, ["consent-expired"]),
        ({"expires_at": None}, []),
        ({"starts_at": NOW + timedelta(days=1)}, ["consent-not-yet-valid"]),
        ({"deficiency": "consent-inactive", "is_permitted": None}, ["consent-inactive"]),
        ({"signed_at": None, "expires_at": NOW - timedelta(days=1)}, ["consent-unsigned", "consent-expired"]),
    ],
)
def test_a_consent_permits_only_when_nothing_is_wrong_with_it(given: dict, codes: list[str]):
    """P7: refused, silent, unsigned, expired or deficient consents permit nothing, and say why."""
    ask = asking.for_referral(a_submission(), consents.RECIPIENTS)
    assert [code for _, code in consents.decide(a_consent(**given), ask, NOW).reasons] == codes
    assert all(code in consents.MESSAGES for code in codes)


def test_no_consent_is_no():
    """Without a consent nothing leaves."""
    ask = asking.for_referral(a_submission(), consents.RECIPIENTS)
    assert consents.decide(None, ask, NOW).reasons == (("consent", "consent-missing"),)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"person": Person(family_name="Quill"), "visit": None}, "person-not-findable"),
        ({"person": a_person(birth_date="2027-01-01")}, "birth-date-in-future"),
        ({"person": a_person(birth_date="yesterday")}, "birth-date-unreadable"),
        ({"arrived_at": NOW + timedelta(hours=1)}, "arrival-in-future"),
        ({"expected_departure_at": NOW - timedelta(hours=9)}, "departure-before-arrival"),
        ({"experience_codes": ("substance.unobtainium",)}, "attribute-unknown"),
        ({"languages": ("not a tag",)}, "language-unreadable"),
        ({"facility_zip": "1220"}, "zip-unreadable"),
        ({"payer_code": "barter"}, "payer-unknown"),
        ({"modalities": ("telepathy",)}, "modality-unknown"),
        ({"idempotency_key": ""}, "idempotency-key-missing"),
        ({"source_contact": SourceContact("nobody")}, "email-unreadable"),
        ({"source_contact": SourceContact("a@b.example", "en", "No Zone!")}, "time-zone-unreadable"),
        ({"excluded_specialist_ids": ("not an id",)}, "specialist-id-unreadable"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict, code: str):
    """Each rule of sense has a code of its own."""
    found = faults_of(a_submission(**given), NOW, taxonomy.load().codes)
    assert [fault.code for fault in found] == [code]


@pytest.mark.parametrize(
    ("system", "code", "attributes"),
    [
        ("http://hl7.org/fhir/sid/icd-10-cm", "T40.1X1A", {"overdose", "substance.opioids"}),
        ("http://hl7.org/fhir/sid/icd-10-cm", "f1120", {"substance.opioids"}),
        ("http://snomed.info/sct", "55680006", {"overdose"}),
        ("https://kindred.example/fhir/CodeSystem/attributes", "substance.alcohol", {"substance.alcohol"}),
        ("https://kindred.example/fhir/CodeSystem/attributes", "nonsense", set()),
        ("http://hl7.org/fhir/sid/icd-10-cm", "Z99.9", set()),
        ("urn:oid:2.999", "T40.1X1A", set()),
    ],
)
def test_codes_mean_attributes_of_the_taxonomy(system: str, code: str, attributes: set[str]):
    """ICD-10-CM by prefix, SNOMED CT by concept, our own as they are; anything else means nothing."""
    assert set(taxonomy.load().attributes_of([Code(system, code)])) == attributes
