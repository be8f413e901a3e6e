"""The demonstration's referrals are real R4 Bundles of fictional people."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle

from cli.demo import bundles
from cli.demo.people import ICD10, STORIES, Story

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
TAXONOMY = Path(__file__).resolve().parents[3] / "protos" / "kindred" / "taxonomy" / "taxonomy.v1.json"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.key)
def test_an_independent_model_reads_the_bundle(story: Story) -> None:
    """Somebody else's R4 model finds nothing wrong with what the demonstration sends."""
    Bundle.model_validate_json(json.dumps(bundles.bundle(story, "run", NOW)))


def test_there_are_enough_stories_of_different_kinds() -> None:
    """At least twenty people, with every kind of end and of answer."""
    assert len(STORIES) >= 20
    assert len({story.key for story in STORIES}) == len(STORIES)
    assert {story.expected for story in STORIES} == {
        "assigned",
        "unfilled",
        "refused",
        "cancelled",
        "consent-revoked",
    }
    assert {story.door for story in STORIES} == {"fhir", "hl7v2"}
    answers = {"accept", "decline-first", "second-wave", "silent", "race", "nobody", "refused"}
    answers |= {"cancelled", "revoked"}
    assert {story.answer for story in STORIES} == answers


def test_wishes_are_in_the_taxonomy() -> None:
    """Nobody wishes for something no specialist could be."""
    known = {one["code"] for one in json.loads(TAXONOMY.read_text(encoding="utf-8"))["attributes"]}
    for story in STORIES:
        assert {code for code, _ in story.preferences} | set(story.experience) <= known


def test_the_people_are_plainly_fictional() -> None:
    """Every family name says so, and every number is of the range kept for fiction."""
    for story in STORIES:
        assert story.family.endswith("-Test")
        assert bundles.phone(story).startswith("+15185550")


def test_every_diagnosis_has_the_form_of_its_code_system() -> None:
    """ICD-10-CM codes look like ICD-10-CM codes."""
    for story in STORIES:
        for system, code in story.codes:
            if system == ICD10:
                head, _, tail = code.partition(".")
                assert len(head) == 3
                assert head[0].isalpha()
                assert len(tail) <= 4
