"""Whatever is sent to the FHIR door is taken or refused; nothing in it makes an error of ours."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Kind, Refusal
from services.intake import taxonomy
from services.intake.domain.referral import Referral
from services.intake.domain.states import State
from services.intake.fhir import patching, reading, searching, service_request, task, updating
from services.intake.fhir.search_values import Marker
from services.intake.r4 import validator
from tests.integration.intake.fhir_client import a_request, a_task
from tests.unit.intake.intake_builders import NOW, SOURCE, a_submission

TAXONOMY = taxonomy.load()
MARKER = Marker(SOURCE, lambda number: "0" * 40, lambda number: "1" * 40)
SAID = a_submission()
REFERRAL = Referral("ref-1", "peer_1", SOURCE, State.SUBMITTED, "immediate", NOW, NOW)
TASK = task.of(REFERRAL, ())
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _mutants(made: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The resource with some of its values gone, doubled, or replaced by anything."""
    places = [place for place in _places(made) if place]

    def changed(changes: list[tuple[tuple[Any, ...], str, Any]]) -> dict[str, Any]:
        mutant = copy.deepcopy(made)
        for place, what, value in changes:
            home: Any = mutant
            try:
                for key in place[:-1]:
                    home = home[key]
                if what == "drop":
                    del home[place[-1]]
                else:
                    home[place[-1]] = [home[place[-1]]] * 2 if what == "double" else value
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change took the place away
        return mutant

    change = st.tuples(st.sampled_from(places), st.sampled_from(["drop", "double", "set"]), anything)
    return st.lists(change, min_size=1, max_size=3).map(changed)


@settings(max_examples=60, deadline=None)
@given(_mutants(a_request("hostile")) | _mutants(a_task("hostile")))
def test_any_order_is_read_or_refused(mutant: dict[str, Any]):
    """A mutated ServiceRequest or Task is a submission, or a refusal of it with its places."""
    for name in ("ServiceRequest", "Task"):
        try:
            reading.read(reading.open_single(json.dumps(mutant).encode(), name), SOURCE, TAXONOMY)
        except Refusal as refusal:
            assert refusal.kind is Kind.INVALID and refusal.faults


@settings(max_examples=60, deadline=None)
@given(_mutants(TASK | {"restriction": {"period": {"end": "2026-11-22T10:00:00Z"}}}))
def test_any_update_is_understood_or_refused(mutant: dict[str, Any]):
    """A mutated Task asks for something, for nothing, or is refused."""
    if validator.check(mutant):
        return
    try:
        updating.read(TASK, mutant)
    except Refusal as refusal:
        assert refusal.kind is Kind.INVALID and refusal.faults


steps = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "op": st.sampled_from(["add", "replace", "remove", "test", "move"]) | anything,
            "path": st.sampled_from(
                ["/status", "/identifier/0", "/identifier/-", "/x~1y", "//", "", "/a/b/c"]
            )
            | anything,
            "value": anything,
        },
    )
    | anything,
    max_size=4,
)


@settings(deadline=None)
@given(steps | anything)
def test_any_patch_is_applied_or_refused(sent: Any):
    """A patch changes a copy or is refused; what it is applied to stays as it was."""
    before = copy.deepcopy(TASK)
    try:
        assert isinstance(patching.apply(TASK, sent), dict)
    except Refusal as refusal:
        assert refusal.kind in (Kind.INVALID, Kind.CONFLICT)
    assert before == TASK


names = st.sampled_from(
    [
        *searching.PARAMETERS["Task"],
        *searching.RESULT_PARAMETERS,
        "_cursor",
        "patient:identifier",
        "owner:identifier",
    ]
) | st.text(max_size=10)
values = st.text(max_size=20) | st.sampled_from(
    [
        "a|b",
        "|",
        ",",
        "\\,",
        "ge2026",
        "ap9999-12-31",
        "0001-01-01",
        "2026-11-22T10:00:00+99:99",
        "-authored-on",
    ]
)


@settings(deadline=None)
@given(st.lists(st.tuples(names, values), max_size=5), st.booleans(), st.sampled_from(["Task", "Consent"]))
def test_any_search_is_understood_or_refused(sent: list[tuple[str, str]], is_strict: bool, name: str):
    """Every pair of name and value is a criterion, passed over, or refused; its link is one and names nobody."""
    try:
        query = searching.read(name, sent, MARKER, NOW, is_strict=is_strict)
    except Refusal as refusal:
        assert refusal.kind is Kind.INVALID
        return
    assert searching.link("http://x/fhir", query).isascii()


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([{"op": "replace", "path": "/status", "value": "cancelled"}], "cancelled"),
        ([{"op": "test", "path": "/status", "value": "requested"}], "requested"),
        (
            [
                {"op": "remove", "path": "/identifier/0"},
                {"op": "add", "path": "/identifier", "value": []},
                {"op": "add", "path": "/identifier/-", "value": {}},
                {"op": "add", "path": "/identifier/0", "value": {}},
                {"op": "replace", "path": "/identifier/1", "value": {"value": "1"}},
            ],
            "requested",
        ),
    ],
)
def test_a_patch_does_what_it_says(steps: list[dict[str, Any]], status: str):
    """add, replace, remove and test are RFC 6902's, in objects and in lists."""
    changed = patching.apply(TASK, steps)
    assert changed["status"] == status
    if len(steps) > 2:
        assert changed["identifier"] == [{}, {"value": "1"}]


@pytest.mark.parametrize("state", State)
def test_every_state_of_a_request_is_valid_r4(state: State):
    """Whatever state a referral is in, its ServiceRequest and Task are valid R4."""
    one = Referral("ref-1", "peer_1", SOURCE, state, "routine", NOW, NOW, specialist_id="spec-1")
    assert validator.check(service_request.of(one, SAID)) == []
    assert validator.check(task.of(one, SAID.placer_identifiers)) == []
