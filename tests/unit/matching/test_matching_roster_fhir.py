"""A roster as FHIR: there and back without loss, as an R4 client understands it, and no crash on anything else."""

from __future__ import annotations

import json
from random import Random

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.demo import roster as demo
from services.matching import roster_fhir, roster_reading, roster_rows, roster_writing
from services.matching.roster_file import RawRow, RowFault
from tests.matching_room import a_row

FULL = a_row(
    display_name="Rosa Lanternfield",
    attributes="substance.opioids:released;gender.woman:private;*:private",
    agrees_to_private_use="yes",
    certifications="NY/medicaid+medicare/adult/2026-01-01/2026-12-31;NJ/any/any/2026-01-01/2027-12-31",
    shifts="mon-fri 22:00-06:00;sat 08:00-24:00",
    on_call="sat-sun 00:00-24:00",
    time_off="2026-12-24..2026-12-26;2026-12-31 18:00..2027-01-01 08:00",
    extra_shifts="2026-11-01 00:30..2026-11-01 01:30",
    limits="source:st-brigid;experience:bereavement:2026-12-31",
    transport="transit",
    supervisor_id="boss",
    phone="+12125550142",
    notice_language="es",
)


def _read(text: str, file_format: str = "fhir"):
    file = roster_reading.reader(file_format)
    return [*file.feed(text.encode()), *file.finish()]


def _meaning(row: RawRow):
    found = roster_rows.read(row)
    assert not isinstance(found, list), found
    return found


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "fhir"])
@pytest.mark.parametrize("row", [a_row(), FULL, a_row(role="supervisor", email="kept", shifts="")])
def test_a_row_written_and_read_again_means_the_same(file_format, row):
    """In every format, with everything a row can say."""
    text = roster_writing.writer(file_format)([row], True)
    (again,) = _read(text, file_format)
    assert _meaning(again) == _meaning(RawRow(again.line, row))


def test_a_whole_demonstration_roster_goes_there_and_back_as_fhir():
    """Every row of a varied roster means the same after it was FHIR."""
    rows = demo.specialists(120, seed=3)
    read = _read(roster_writing.writer("fhir")(rows, True))
    assert [_meaning(one) for one in read] == [_meaning(RawRow(0, row)) for row in rows]


def test_each_resource_is_what_an_r4_client_expects():
    """Another library's models of Practitioner, PractitionerRole and Schedule take ours."""
    for row in (FULL, a_row()):
        for entry in roster_fhir.bundle(row)["entry"]:
            resource = entry["resource"]
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    assert roster_fhir.bundle(FULL)["entry"][1]["resource"]["availableTime"][0] == {
        "daysOfWeek": ["mon", "tue", "wed", "thu", "fri"],
        "availableStartTime": "22:00:00",
        "availableEndTime": "06:00:00",
    }


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_a_spoiled_bundle_is_a_fault_and_never_a_crash(seed):
    """Whatever is taken out or replaced, there is a row or a fault with its line, and no value in the fault."""
    dice = Random(seed)
    document = roster_fhir.bundle(FULL)
    for _ in range(dice.randint(1, 3)):
        _spoil(document, dice)
    for read in _read(json.dumps(document) + "\n"):
        told = [read] if isinstance(read, RowFault) else roster_rows.read(read)
        for fault in told if isinstance(told, list) else []:
            assert fault.line == 1 and fault.code and "Lanternfield" not in fault.message


def _spoil(node, dice: Random) -> None:
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = dice.choice(keys)
        if isinstance(node[key], (dict, list)) and dice.random() < 0.8:
            node = node[key]
            continue
        node[key] = dice.choice([None, 7, "", "x", [], {}, ["x"], {"url": 3}])
        return
