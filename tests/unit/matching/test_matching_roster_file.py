"""Roster files, whole and broken: every bad row has its line, column and code, and never its value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Refusal
from services.matching import roster_rows
from services.matching.domain.shifts import Window
from services.matching.roster_file import COLUMNS, MAX_ROW_BYTES, RawRow, RosterFile, RowFault
from tests.matching_room import a_row


def _read(data: bytes, file_format: str = "csv", portion: int = 10**9):
    file = RosterFile(file_format)
    parts = [data[start : start + portion] for start in range(0, len(data), portion)] or [b""]
    return [row for part in parts for row in file.feed(part)] + list(file.finish())


def _csv(*rows: dict[str, str]) -> bytes:
    quoted = [",".join('"' + row.get(name, "").replace('"', '""') + '"' for name in COLUMNS) for row in rows]
    return "\n".join([",".join(COLUMNS), *quoted, ""]).encode()


def _faults(**columns):
    result = roster_rows.read(RawRow(7, a_row(**columns)))
    return [(f.line, f.column, f.code) for f in result] if isinstance(result, list) else []


@pytest.mark.parametrize("portion", [1, 7, 100, 10**6])
def test_csv_and_json_lines_say_the_same_in_any_portions(portion):
    """The same rows come out of either format, however the bytes arrive, with a BOM and with CRLF."""
    rows = [a_row("a", display_name='Ana "Nita" O\'Neil, M.'), a_row("b", display_name="José")]
    table = b"\xef\xbb\xbf" + _csv(*rows).replace(b"\n", b"\r\n")
    lines = "".join(json.dumps(row) + "\n\n" for row in rows).encode()
    from_csv, from_json = _read(table, "csv", portion), _read(lines, "jsonl", portion)
    assert [row.line for row in from_csv] == [2, 3] and [row.line for row in from_json] == [1, 3]
    for left, right in zip(from_csv, from_json, strict=True):
        assert {k: v for k, v in left.columns.items() if v} == {k: v for k, v in right.columns.items() if v}


def test_a_quoted_field_may_hold_a_line_break():
    """A row over two lines is one row, told by its first line; the next row's line is right."""
    data = _csv(a_row("a", display_name="Ana\nNita"), a_row("b"))
    assert [(row.line, row.columns["specialist_id"]) for row in _read(data)] == [(2, "a"), (4, "b")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"only,three,columns", "columns-do-not-fit"),
        (b"\xff\xfe,broken", "not-utf-8"),
        (b"x" * (MAX_ROW_BYTES + 1), "row-too-long"),
        (b"a\rb,c", "not-csv"),
    ],
)
def test_a_broken_csv_line_is_told_and_the_next_one_read(line, code):
    """Whatever stands in a line, the good one after it is taken."""
    header, good = _csv(a_row("a")).split(b"\n")[:2]
    rows = _read(b"\n".join([header, line, good, b""]), portion=1000)
    assert isinstance(rows[0], RowFault) and (rows[0].line, rows[0].code) == (2, code)
    assert isinstance(rows[-1], RawRow) and rows[-1].columns["specialist_id"] == "a"


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        (b"{", "", "not-json"),
        (b"[" * 5000, "", "not-json"),
        (b"[1]", "", "not-an-object"),
        (b'{"nickname": "x"}', "", "unknown-column"),
        (b'{"email": {"a": 1}}', "email", "wrong-type"),
        (b'{"capacity": 1.5}', "capacity", "wrong-type"),
    ],
)
def test_a_broken_json_line_is_told(line, column, code):
    """Each broken line has its own fault."""
    [fault] = _read(line + b"\n", "jsonl")
    assert (fault.line, fault.column, fault.code) == (1, column, code)


def test_a_quotation_mark_that_is_never_closed_is_told():
    """The file ends inside a quoted field."""
    assert _read(_csv(a_row("a")) + b'"never closed')[-1].code == "quote-not-closed"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"specialist_id,role\n",
        b"zip,zip,specialist_id,role,programme_id,email,languages\n",
        ",".join([*COLUMNS, "nickname"]).encode() + b"\n",
    ],
)
def test_a_header_that_is_not_ours_stops_the_import(header):
    """Missing, doubled and unknown columns are refused as a whole."""
    with pytest.raises(Refusal):
        _read(header)


def test_a_format_we_do_not_know_is_refused():
    """Only csv and jsonl."""
    with pytest.raises(Refusal, match="format-unknown"):
        RosterFile("xlsx")


def test_json_lists_numbers_and_booleans_mean_what_their_texts_mean():
    """A list of texts, a number and true are read like "a;b", "3" and "yes"."""
    row = a_row() | {"languages": ["en:fluent", "es:native"], "capacity": 3, "agrees_to_private_use": True}
    [read] = _read(json.dumps(row).encode(), "jsonl")
    assert read.columns | {"agrees_to_private_use": ""} == a_row() | {"agrees_to_private_use": ""}


@pytest.mark.parametrize(
    ("columns", "column", "code"),
    [
        ({"specialist_id": "a b"}, "specialist_id", "not-an-id"),
        ({"specialist_id": ""}, "specialist_id", "missing"),
        ({"role": "boss"}, "role", "unknown-value"),
        ({"email": "nobody"}, "email", "not-an-email"),
        ({"email": "a@b..c"}, "email", "not-an-email"),
        ({"phone": "call me"}, "phone", "not-a-phone"),
        ({"phone": "555"}, "phone", "not-a-phone"),
        ({"phone": "kept"}, "phone", "send-both"),
        ({"display_name": "x" * 81}, "display_name", "too-long"),
        ({"languages": "en"}, "languages", "unknown-level"),
        ({"languages": "klingonish:fluent"}, "languages", "unknown-language"),
        ({"languages": ";;"}, "languages", "bad-list"),
        ({"attributes": "kindness:released"}, "attributes", "unknown-attribute"),
        ({"attributes": "overdose"}, "attributes", "release-not-said"),
        ({"agrees_to_private_use": "perhaps"}, "agrees_to_private_use", "unknown-value"),
        ({"certifications": "NY/any/any/2026-01-01"}, "certifications", "not-a-certification"),
        ({"certifications": "ny/any/any/2026-01-01/2026-12-31"}, "certifications", "unknown-state"),
        ({"certifications": "NY/gold/any/2026-01-01/2026-12-31"}, "certifications", "unknown-value"),
        ({"certifications": "NY/any/any/2026-02-30/2026-12-31"}, "certifications", "not-a-date"),
        ({"certifications": "NY/any/any/2026-12-31/2026-01-01"}, "certifications", "ends-before-it-begins"),
        ({"certifications": ""}, "certifications", "missing"),
        ({"modalities": "telepathy"}, "modalities", "unknown-value"),
        ({"zip": "00000"}, "zip", "unknown-zip"),
        ({"zip": "1045"}, "zip", "unknown-zip"),
        ({"radius_miles": "-1"}, "radius_miles", "not-a-count"),
        ({"radius_miles": "501"}, "radius_miles", "not-a-count"),
        ({"shifts": "mon 9-17"}, "shifts", "not-a-shift"),
        ({"shifts": "mon 25:00-26:00"}, "shifts", "not-a-shift"),
        ({"shifts": "mon-xyz 09:00-17:00"}, "shifts", "not-a-shift"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "unknown-time-zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "unknown-time-zone"),
        ({"capacity": "many"}, "capacity", "not-a-count"),
    ],
)
def test_every_bad_column_is_told_with_its_line_and_code(columns, column, code):
    """One bad column is one fault, and the message does not repeat what was sent."""
    assert _faults(**columns) == [(7, column, code)]
    result = roster_rows.read(RawRow(7, a_row(**columns)))
    [sent] = columns.values()
    assert isinstance(result, list) and (len(sent) < 3 or sent not in result[0].message)


def test_all_faults_of_a_row_are_told_at_once():
    """Three bad columns are three faults."""
    assert len(_faults(zip="00000", capacity="x", role="boss")) == 3


def test_a_supervisor_needs_no_shift_and_no_certification():
    """What only the ranking needs may be empty for who is never ranked."""
    empty = dict.fromkeys(("certifications", "modalities", "radius_miles", "shifts", "capacity"), "")
    assert _faults(role="supervisor", **empty) == []
    assert len(_faults(**empty)) == 5


def test_a_good_row_is_understood():
    """Shifts over days and midnight, levels, certifications and the home's time zone come out as meant."""
    row = roster_rows.read(
        RawRow(
            1,
            a_row(
                shifts="fri-mon 22:00-06:00; wed 08:00-24:00",
                time_zone="",
                languages="es-MX:native;sgn-ase:basic",
                attributes="hiv:private;overdose:released;overdose:private",
                agrees_to_private_use="yes",
            ),
        )
    )
    assert not isinstance(row, list)
    night = [Window(day, 22 * 60, 6 * 60) for day in (4, 5, 6, 0)]
    assert row.specialist.shifts.windows == (*night, Window(2, 8 * 60, 0))
    assert row.specialist.shifts.time_zone == "America/New_York"
    assert row.specialist.languages == {"es": 4, "ase": 1} and row.notice_language == "es"
    assert (row.released, row.private, row.withheld) == ([], ["hiv", "overdose"], [])


@pytest.mark.parametrize("answer", ["no", ""])
def test_of_what_a_specialist_withholds_only_the_category_is_read(answer):
    """Without agreement no private attribute leaves the row; one that is alone in its category hides among others."""
    attributes = "gender.man:private;faith.christian.catholic:private;faith.none:released;hiv:private"
    row = roster_rows.read(RawRow(1, a_row(attributes=attributes, agrees_to_private_use=answer)))
    assert not isinstance(row, list)
    assert (row.released, row.private, row.withheld) == (["faith.none"], [], ["faith", "gender", "lone"])
    assert row.specialist.held == {"faith", "faith.none"}
    every = {"hiv", "overdose", "gender", "gender.woman", "gender.man", "faith.jewish"}
    assert every <= row.specialist.perhaps_held


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["csv", "jsonl"]), st.integers(1, 50))
def test_no_bytes_break_the_reader(noise, file_format, portion):
    """Any bytes are rows, faults or one refusal of the whole file; nothing else is ever raised."""
    header = ",".join(COLUMNS).encode() + b"\n" if file_format == "csv" else b""
    for row in _read(header + noise, file_format, portion):
        if isinstance(row, RawRow):
            assert roster_rows.read(row) is not None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(COLUMNS), st.text(max_size=40))
def test_no_text_in_any_column_breaks_the_rows(column, text):
    """Whatever stands in one column, the row is understood or its fault is told in that column."""
    result = roster_rows.read(RawRow(3, a_row() | {column: text}))
    if isinstance(result, list):
        assert {fault.column for fault in result} <= {
            column,
            *(("shifts", "certifications") if column == "role" else ()),
        }
