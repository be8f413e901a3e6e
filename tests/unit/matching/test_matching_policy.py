"""The policy file: what cannot be a policy is refused before anybody is ranked by it."""

from __future__ import annotations

import copy
import json

import pytest

from services.matching.domain import policy as policies
from tests.unit.matching.matching_builders import POLICY_FILE

SHIPPED = json.loads(POLICY_FILE.read_text())


def test_the_shipped_policy_is_whole_and_its_history_goes_back_to_the_first():
    """Every version has its change, newest first, each with who made it, when and why."""
    versions = [change["version"] for change in SHIPPED["changes"]]
    assert versions == sorted(versions, reverse=True) and versions[-1] == "1.0.0"
    assert policies.from_document(SHIPPED).version == versions[0]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), "9.9.9"),
        (("changes", 0, "by"), ""),
        (("points_milli", "language"), 10_001),
        (("points_milli", "language"), -10_000),
        (("load_milli", "routine"), 0),
        (("strength_weights", "some"), 0),
        (("bedside", "minutes_per_mile", "walk"), 0),
        (("certification_warning_days",), [7, 30]),
        (("care", "most_acceptances"), 0),
    ],
)
def test_what_cannot_be_a_policy_is_refused(path, value):
    """A process with a broken policy does not start, rather than rank by it."""
    document = copy.deepcopy(SHIPPED)
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(ValueError, match=r"policy|certification|nobody"):
        policies.from_document(document)
