"""Quotation marks in a roster: one that is not closed costs its own row, never the good rows after it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.roster_file import COLUMNS, MAX_ROW_BYTES, RawRow, RosterFile, RowFault
from tests.matching_room import a_row

HEADER = ",".join(COLUMNS)


def _read(*lines: str, portion: int = 10**9) -> list[RawRow | RowFault]:
    file, data = RosterFile("csv"), "\n".join(lines).encode()
    parts = [data[start : start + portion] for start in range(0, len(data), portion)]
    return [row for part in parts for row in file.feed(part)] + list(file.finish())


def _line(specialist_id: str, display_name: str = "") -> str:
    row = a_row(specialist_id, display_name=display_name)
    return ",".join(row.get(name, "") for name in COLUMNS)


def _told(read: list[RawRow | RowFault]) -> list[tuple[int, str]]:
    return [
        (row.line, row.code if isinstance(row, RowFault) else row.columns["specialist_id"]) for row in read
    ]


@pytest.mark.parametrize("portion", [1, 50, 10**9])
def test_a_mark_inside_a_cell_is_a_mark(portion: int):
    """Five feet 6" tall opens no quotation, here or in a row further down."""
    read = _read(HEADER, _line("a", 'Al 6" tall'), _line("b"), _line("c", 'Bo 5"'), portion=portion)
    assert _told(read) == [(2, "a"), (3, "b"), (4, "c")]
    assert isinstance(read[0], RawRow) and read[0].columns["display_name"] == 'Al 6" tall'


@pytest.mark.parametrize("portion", [1, 50, 10**9])
def test_a_mark_that_is_not_closed_costs_its_own_row(portion: int):
    """The rows behind it are read, with their own lines."""
    read = _read(HEADER, _line("a"), _line("b", '"Al'), _line("c"), _line("d"), portion=portion)
    assert _told(read) == [(2, "a"), (3, "quote-not-closed"), (4, "c"), (5, "d")]


def test_a_mark_that_is_not_closed_costs_its_own_row_in_a_long_file():
    """More rows than one row may have bytes come after it, and each of them is read once."""
    many = [_line(f"s{number}") for number in range(MAX_ROW_BYTES // 50)]
    told = _told(_read(HEADER, _line("b", '"Al'), *many))
    assert told[0] == (2, "quote-not-closed")
    assert told[1:] == [(number + 3, f"s{number}") for number in range(len(many))]


@given(st.lists(st.text(alphabet='a",\n', max_size=12), min_size=1, max_size=6))
def test_whatever_csv_writes_is_read_back(names: list[str]):
    """Any cell that Python's csv module quotes comes back as it was, one row for each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name in names:
        writer.writerow(a_row("a", display_name=name).get(column, "") for column in COLUMNS)
    read = _read(text.getvalue())
    assert [row.columns["display_name"] for row in read if isinstance(row, RawRow)] == [
        one.strip() for one in names
    ]
