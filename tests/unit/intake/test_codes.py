"""Clinical codes become lived experience only where they say so; every code that is mapped exists in ICD-10-CM."""

from __future__ import annotations

import bisect
import fnmatch
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.intake import taxonomy
from services.intake.domain.submission import Code

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SCT = "http://snomed.info/sct"
ROWS: list[dict[str, Any]] = json.loads(taxonomy.SOURCE.read_text())["attributes"]


def meaning(*codes: str, system: str = ICD) -> list[str]:
    """What the codes mean together."""
    return list(taxonomy.load().attributes_of(Code(system, code) for code in codes))


@pytest.mark.parametrize(
    ("code", "attributes"),
    [
        ("T40.1X1A", ["overdose", "substance.opioids"]),
        ("T40.1X4D", ["overdose", "substance.opioids"]),
        ("T40.1X2A", ["overdose", "suicide.attempt"]),
        ("T40.1X3A", ["overdose"]),
        ("T40.411A", ["overdose", "substance.opioids"]),
        ("T40.2X5A", []),
        ("T40.2X6A", []),
        ("T40.1X", []),
        ("T40", []),
        ("T39.1X2A", ["overdose", "suicide.attempt"]),
        ("T39.1X1A", []),
        ("T36.92XA", ["overdose", "suicide.attempt"]),
        ("T36.92", ["overdose", "suicide.attempt"]),
        ("T40.425A", []),
        ("T50.A25A", []),
        ("T51.0X1A", ["substance.alcohol"]),
        ("T51.0X2A", ["suicide.attempt"]),
        ("T43.611A", []),
        ("T43.651A", ["overdose", "substance.stimulants"]),
        ("T42.4X5A", []),
        ("T71.162A", ["suicide.attempt"]),
        ("T14.91XA", ["suicide.attempt"]),
        ("X78.9XXA", ["suicide.attempt"]),
        ("Z91.51", ["suicide.attempt"]),
        ("Z91.52", []),
        ("R45.88", []),
        ("R45.851", ["suicide.thoughts"]),
        ("R45.850", []),
        ("F10.20", ["substance.alcohol"]),
        ("F10.21", ["substance.alcohol"]),
        ("F11.21", ["substance.opioids"]),
        ("F17.210", []),
        ("O99.320", ["parenting.pregnancy", "substance"]),
        ("O99.325", ["substance"]),
        ("Z33.2", []),
        ("Z79.891", []),
        ("Z79.899", []),
        ("Z81.1", []),
        ("Z81.8", []),
        ("Z63.72", ["family"]),
        ("Z71.52", ["family"]),
        ("Z59.01", ["homelessness"]),
        ("Z59.811", []),
        ("Z59.812", ["homelessness"]),
        ("Z65.1", ["justice.incarceration"]),
        ("Z65.3", ["justice"]),
        ("T74.11XA", ["trauma"]),
        ("T76.11XA", []),
        ("Z69.11", ["trauma.partner-violence"]),
        ("Z69.12", []),
        ("Z04.41", []),
        ("Z91.85", ["military.veteran"]),
        ("F64.0", []),
        ("F43.11", ["mental-health.post-traumatic-stress"]),
        ("F43.21", ["mental-health"]),
    ],
)
def test_a_code_means_what_it_says(code: str, attributes: list[str]):
    """By intent, by place, by specificity; what was suspected, ruled out, prescribed or somebody else's is nothing."""
    assert meaning(code) == attributes


@pytest.mark.parametrize("spelled", ["T40.1X1A", "T401X1A", "t40.1x1a", " T40.1X1A "])
def test_a_code_may_be_spelled_as_engines_do(spelled: str):
    """Without the dot, in small letters, with spaces."""
    assert meaning(spelled) == ["overdose", "substance.opioids"]


@pytest.mark.parametrize("junk", ["", "F", "F1", "heroin", "F10.20.1.9999", "10F", "F10*", "Ж10", "F10\n20"])
def test_what_is_no_code_means_nothing(junk: str):
    """And refuses nothing."""
    assert meaning(junk) == []


def test_a_system_is_not_guessed():
    """The same letters in another system mean nothing; SNOMED CT is matched exactly; both systems may say their OID."""
    assert meaning("F10.20", system="http://hl7.org/fhir/sid/icd-9-cm") == []
    assert meaning("F10.20", system="") == []
    assert meaning("F10.20", system="urn:oid:2.16.840.1.113883.6.90") == ["substance.alcohol"]
    assert meaning("7200002", system=SCT) == ["substance.alcohol"]
    assert meaning("72000021", system=SCT) == []


def test_substance_and_mental_health_together_are_both_together():
    """One alone is not; a parent is enough."""
    assert "co-occurring" not in meaning("F10.20", "F11.20")
    assert "co-occurring" in meaning("F10.20", "F33.1")
    assert "co-occurring" in meaning("F19.20", "F99")


def test_unmapped_codes_are_told_once_each():
    """Those that mean nothing, in the order they came."""
    codes = [Code(ICD, "E11.9"), Code(ICD, "F10.20"), Code("urn:x", "K"), Code(ICD, "E11.9")]
    assert taxonomy.load().unmapped(codes) == [Code(ICD, "E11.9"), Code("urn:x", "K")]


def test_every_attribute_is_whole():
    """Labels in both languages, a parent that exists and is the code without its last part, no code twice."""
    codes = [row["code"] for row in ROWS]
    assert len(set(codes)) == len(codes)
    for row in ROWS:
        assert set(row["label"]) == {"en", "es"}, row["code"]
        assert all(text.strip() == text and text for text in row["label"].values()), row["code"]
        assert row["parent"] == (row["code"].rpartition(".")[0] or None), row["code"]
        assert row["parent"] is None or row["parent"] in codes, row["code"]
        assert set(row.get("all_of", ())) <= set(codes), row["code"]
    for language in ("en", "es"):
        assert len({row["label"][language] for row in ROWS}) == len(ROWS)


def test_identity_is_never_inferred_from_a_diagnosis():
    """Gender, LGBTQ+, ethnicity, faith and age have no maps."""
    mapped = {
        row["code"].partition(".")[0]
        for row in ROWS
        if row["icd10cm_prefixes"] or row["snomed_codes"] or row.get("icd10cm_patterns")
    }
    assert not mapped & {"gender", "lgbtq", "ethnicity", "faith", "age"}


def test_no_snomed_code_is_more_than_one_attribute_by_accident():
    """A concept id has its check digit (Verhoeff), so that a typing error cannot be shipped."""
    for row in ROWS:
        for code in row["snomed_codes"]:
            assert _is_verhoeff(code), (row["code"], code)


_D = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
]  # fmt: skip
_P = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4], [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7], [9, 4, 5, 3, 1, 2, 6, 8, 7, 0], [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5], [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
]  # fmt: skip


def _is_verhoeff(digits: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _D[check][_P[place % 8][int(digit)]]
    return check == 0


@pytest.fixture(scope="module")
def book() -> Path:
    """ICD-10-CM as the National Center for Health Statistics publishes it, in a package of others."""
    found = importlib.util.find_spec("simple_icd_10_cm")  # importing it takes seconds; its data are two files
    if found is None or found.origin is None:
        pytest.skip("ICD-10-CM's own list is not installed: codes cannot be compared with it")
    return Path(found.origin).parent / "data"


def test_every_mapped_code_exists(book: Path):
    """A prefix or pattern that no code of ICD-10-CM begins with is a typing error."""
    (listed,) = book.glob("code-list-*.txt")
    codes = sorted(listed.read_text().split())
    assert len(codes) > 90_000
    of_poisoning = [code for code in codes if code[0] == "T"]
    for row in ROWS:
        for prefix in (one.replace(".", "") for one in row["icd10cm_prefixes"]):
            place = bisect.bisect_left(codes, prefix)
            assert codes[place].startswith(prefix), (row["code"], prefix)
        for pattern in row.get("icd10cm_patterns", ()):
            rule = re.compile(fnmatch.translate(pattern.replace(".", "") + "*"))
            assert any(map(rule.match, of_poisoning)), (row["code"], pattern)


def test_icd_itself_agrees_about_intent(book: Path):
    """Self-harm with intent is an attempt, and nothing else is; a side effect, a suspicion, a relative is nothing."""
    (tabular,) = book.glob("*.xml")
    named = re.findall(r"<name>([A-Z][0-9][^<]*)</name>\s*<desc>([^<]*)</desc>", tabular.read_text())
    assert len(named) > 20_000
    nothing = re.compile("adverse effect of|underdosing of|family history|suspected|perpetrator of spousal")
    for code, words in ((code, words.lower()) for code, words in named):
        attributes = meaning(code)
        if code[0] == "T" and code != "T14.91":
            is_attempt = "self-harm" in words and "nonsuicidal" not in words
            assert ("suicide.attempt" in attributes) == is_attempt, (code, words)
        if nothing.search(words):
            assert not attributes, (code, words)
