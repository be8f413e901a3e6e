"""Security labels: what a code means, what a whole comes to, and what goes out on a resource."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from services.intake import taxonomy
from services.intake.domain import labels, sensitivity
from services.intake.domain.labels import Labels
from services.intake.domain.submission import Code
from tests.unit.intake.intake_builders import a_consent, a_submission

ICD = "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    ("code", "sensitivities"),
    [
        ("F11.20", {"OPIOIDUD"}),
        ("T40.1X1A", {"OPIOIDUD"}),
        ("F10.239", {"ETHUD"}),
        ("K70.30", {"ETHUD"}),
        ("F14.10", {"SUD"}),
        ("T43.621A", {"SUD"}),
        ("F33.1", {"PSY"}),
        ("R45.851", {"PSY"}),
        ("T14.91XA", {"PSY"}),
        ("T40.1X2A", {"OPIOIDUD", "PSY"}),
        ("T40.421A", {"OPIOIDUD"}),
        ("T39.92XA", {"PSY"}),
        ("T54.91XA", set()),
        ("B20", {"HIV"}),
        ("Z21", {"HIV"}),
        ("T74.21XA", {"SDV"}),
        ("Z34.90", {"SEX"}),
        ("F84.0", {"DVD"}),
        ("A54.9", {"STD"}),
        ("D57.1", {"SCA"}),
        ("S93.401A", set()),
        ("I10", set()),
    ],
)
def test_an_icd_code_has_the_sensitivities_of_the_table(code: str, sensitivities: set[str]):
    """Reviewed codes; a code that no prefix names is known to be none of them."""
    assert sensitivity.of_code(Code(ICD, code)) == sensitivities


def test_a_code_of_another_system_is_not_known_to_be_harmless():
    """Nobody can tell, so it counts as if it might."""
    assert sensitivity.of_code(Code("http://snomed.info/sct", "86406008")) is None


def test_every_icd_prefix_of_the_taxonomy_agrees_with_the_table():
    """A code that the taxonomy maps to a sensitive attribute is sensitive by itself, too."""
    known = taxonomy.load()
    for prefix, attributes in known.icd.items():
        of_attributes = set().union(*(sensitivity.of_attribute(one) for one in attributes))
        if sensitivity.confidentiality_of(of_attributes) == "R":
            assert sensitivity.of_code(Code(ICD, prefix)), (prefix, attributes)


def test_every_sensitive_root_of_the_taxonomy_is_in_the_table():
    """What an attribute says of somebody's health has a label; places, ages and work with the law have none."""
    roots = {code.partition(".")[0] for code in taxonomy.load().codes}
    silent = {root for root in roots if not sensitivity.of_attribute(root)}
    assert silent == {
        "age",
        "bereavement",
        "chronic-pain",
        "deaf",
        "disability",
        "family",
        "gender",
        "justice",
        "migration",
        "military",
        "parenting",
        "place",
    }


@pytest.mark.parametrize(
    ("given", "confidentiality", "is_part_2", "some"),
    [
        ({"experience_codes": ("substance.opioids",)}, "R", True, {"OPIOIDUD", "SUD", "ETH"}),
        ({"experience_codes": ("mental-health.depression",)}, "R", False, {"PSY"}),
        ({"experience_codes": ("faith.muslim",)}, "N", False, {"REL"}),
        ({"experience_codes": ("place.rural",)}, "N", False, set()),
        ({"experience_codes": ("place.rural",), "labels": ("V",)}, "V", False, set()),
        ({"experience_codes": ("place.rural",), "labels": ("L",)}, "N", False, set()),
        ({"experience_codes": ("place.rural",), "labels": ("HIV",)}, "R", False, {"HIV"}),
        ({"experience_codes": ("place.rural",), "labels": ("42CFRPart2",)}, "R", True, set()),
        (
            {"experience_codes": ("place.rural",), "consent": a_consent(policies=("42CFRPart2",))},
            "R",
            True,
            set(),
        ),
        ({"experience_codes": (), "codes": (Code(ICD, "F11.20"),)}, "R", True, {"OPIOIDUD"}),
        ({"experience_codes": ()}, "R", True, set()),
    ],
)
def test_a_referral_is_labelled_by_all_that_is_in_it(
    given: dict[str, Any], confidentiality: str, is_part_2: bool, some: set[str]
):
    """Codes, the source's own labels and the law its consent cites; nothing coded is protected like the usual case."""
    found = labels.of(a_submission(**given))
    assert (found.confidentiality, found.is_part_2) == (confidentiality, is_part_2)
    assert some <= found.sensitivities
    assert ("NORDSCLCD" in found.refrains) is is_part_2


def test_one_confidentiality_stands_first():
    """A resource has one confidentiality and every other label in its system."""
    codings = labels.security(labels.of(a_submission()))
    assert codings[0] == {"system": labels.CONFIDENTIALITY, "code": "R"}
    assert [one["code"] for one in codings].count("R") == 1
    assert {"system": labels.ACT_CODE, "code": "42CFRPart2"} in codings
    assert {"system": labels.ACT_CODE, "code": "NORDSCLCD"} in codings


def test_the_mark_of_a_bundle_is_the_highest_in_it():
    """High-water mark: whatever the order, the highest confidentiality and every other label."""
    ones = [
        Labels("N", frozenset({"REL"}), purposes=frozenset({"TREAT", "COC"})),
        Labels("R", frozenset({"HIV"}), purposes=frozenset({"TREAT"})),
        Labels("U", policies=frozenset({"42CFRPart2"})),
    ]
    marks = {labels.high_water(order) for order in itertools.permutations(ones)}
    assert marks == {
        Labels("R", frozenset({"REL", "HIV"}), frozenset({"42CFRPart2"}), purposes=frozenset({"TREAT"}))
    }
    assert labels.high_water([]).confidentiality == "U"


def test_a_part_is_in_every_wider_one():
    """An opioid use disorder is a substance use disorder and behavioral health; HIV is neither."""
    assert {"SUD", "ETH", "BH", "SPI"} <= sensitivity.with_wider({"OPIOIDUD"})
    assert sensitivity.with_wider({"HIV"}) == {"HIV"}
