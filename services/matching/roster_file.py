"""Roster files as rows: CSV or JSON lines, read in portions, never held whole; every bad line has its number."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chassis.errors import Fault, Kind, Refusal

NEEDED = ("specialist_id", "role", "programme_id", "email", "languages", "zip")
COLUMNS = (
    *NEEDED,
    "display_name",
    "phone",
    "notice_language",
    "attributes",
    "agrees_to_private_use",
    "certifications",
    "modalities",
    "radius_miles",
    "shifts",
    "time_zone",
    "capacity",
    "transport",
    "on_call",
    "time_off",
    "extra_shifts",
    "limits",
    "supervisor_id",
)
MAX_ROW_BYTES = 65_536


@dataclass(frozen=True)
class RowFault:
    """What is wrong with a row: its first line, the column ("" for the whole row), a stable code, a sentence."""

    line: int
    column: str
    code: str
    message: str


@dataclass(frozen=True)
class RawRow:
    """One row's columns as text; a missing one is ""."""

    line: int
    columns: dict[str, str]


@dataclass(frozen=True)
class Progress:
    """How far the import is, counted from its beginning; `faults` are those found since the last progress."""

    rows_read: int
    rows_stored: int
    rows_unchanged: int
    faults: tuple[RowFault, ...]


Read = RawRow | RowFault
# The line's number and the object on it.
Objects = Callable[[int, dict[str, Any]], Iterator[Read]]


class RosterFile:
    """Feed it bytes as they come; it gives rows as soon as they are whole."""

    def __init__(self, file_format: str, objects: Objects | None = None) -> None:
        """`objects` reads JSON lines of another kind (roster_reading.py)."""
        if file_format not in ("csv", "jsonl"):
            raise Refusal("format-unknown", Kind.INVALID, "The format is csv, jsonl or fhir.")
        self._objects = objects
        self._is_csv = file_format == "csv"
        self._rest = b""
        self._line = 0
        self._record = ""
        self._record_line = 0
        self._is_quoted = False
        self._is_too_long = False
        self._header: list[str] | None = None

    def feed(self, chunk: bytes) -> Iterator[Read]:
        """The rows that are whole now. Raises Refusal INVALID where the header is unusable."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield from self._take(line)
        if len(self._rest) > MAX_ROW_BYTES:
            self._is_too_long = True
            self._rest = b""

    def finish(self) -> Iterator[Read]:
        """The last row, where the file does not end with a new line."""
        if self._rest or self._is_too_long:
            yield from self._take(self._rest)
            self._rest = b""
        while self._record:
            yield from self._give_up()
        if self._is_csv and self._header is None:
            raise Refusal("file-empty", Kind.INVALID, "The file has no header line.")

    def _take(self, raw: bytes) -> Iterator[Read]:
        self._line += 1
        while self._record and (self._is_too_long or len(raw) + len(self._record) > MAX_ROW_BYTES):
            yield from self._give_up()
        if self._is_too_long or len(raw) > MAX_ROW_BYTES:
            self._is_too_long = False
            yield RowFault(self._line, "", "row-too-long", "A row has at most 65536 bytes.")
            return
        try:
            text = raw.rstrip(b"\r").decode("utf-8-sig" if self._line == 1 else "utf-8")
        except UnicodeDecodeError:
            while self._record:
                yield from self._give_up()
            yield RowFault(self._line, "", "not-utf-8", "The row is not UTF-8 text.")
            return
        yield from self._csv(text) if self._is_csv else self._json(text)

    def _csv(self, text: str) -> Iterator[Read]:
        if not self._record:
            self._record_line = self._line
        record = f"{self._record}\n{text}" if self._record else text
        self._is_quoted = _ends_quoted(text, is_quoted=self._is_quoted)
        if self._is_quoted:
            self._record = record
            return
        self._record = ""
        if not record.strip():
            return
        try:
            fields = next(csv.reader([record]))
        except csv.Error:
            yield RowFault(self._record_line, "", "not-csv", "The row is not CSV.")
            return
        if self._header is None:
            self._header = _header(fields)
        elif len(fields) != len(self._header):
            message = "The row has more or fewer columns than the header."
            yield RowFault(self._record_line, "", "columns-do-not-fit", message)
        else:
            values = dict(zip(self._header, (field.strip() for field in fields), strict=True))
            yield RawRow(self._record_line, values)

    def _give_up(self) -> Iterator[Read]:
        """The line with the open quotation mark is told; those it swallowed are rows of their own."""
        _, *swallowed = self._record.split("\n")
        here, self._line = self._line, self._record_line
        self._record, self._is_quoted = "", False
        yield RowFault(self._line, "", "quote-not-closed", "A quotation mark is not closed.")
        for text in swallowed:
            self._line += 1
            yield from self._csv(text)
        self._line = here

    def _json(self, text: str) -> Iterator[Read]:
        if not text.strip():
            return
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            yield RowFault(self._line, "", "not-json", "The line is not JSON.")
            return
        if not isinstance(row, dict):
            yield RowFault(self._line, "", "not-an-object", "The line is not a JSON object.")
            return
        yield from self._objects(self._line, row) if self._objects else self._object(row)

    def _object(self, row: dict[str, object]) -> Iterator[Read]:
        values: dict[str, str] = {}
        for name, value in row.items():
            if name not in COLUMNS:
                yield RowFault(self._line, "", "unknown-column", "The row has a column that is not known.")
                return
            text = _text(value)
            if text is None:
                yield RowFault(
                    self._line, name, "wrong-type", "Send text, a number, yes or no, or a list of texts."
                )
                return
            values[name] = text
        yield RawRow(self._line, values)


def _ends_quoted(line: str, *, is_quoted: bool) -> bool:
    """Whether a quoted cell goes on in the next line. As csv has it, a mark opens a cell only where the cell begins."""
    at = 0
    while True:
        if is_quoted:
            at = line.find('"', at) + 1
            if not at:
                return True
            if line.startswith('"', at):
                at += 1
                continue
            is_quoted = False
        elif line.startswith('"', at):
            at, is_quoted = at + 1, True
            continue
        at = line.find(",", at) + 1
        if not at:
            return False


def _header(fields: list[str]) -> list[str]:
    names = [field.strip() for field in fields]
    faults = [
        Fault(f"line 1, column {place}", "unknown-column", "This column is not known.")
        for place, name in enumerate(names, start=1)
        if name not in COLUMNS
    ]
    faults += [
        Fault(name, "missing-column", "This column is needed.") for name in NEEDED if name not in names
    ]
    faults += [
        Fault(name, "column-twice", "This column is there twice.")
        for name in COLUMNS
        if names.count(name) > 1
    ]
    if faults:
        raise Refusal("header-unusable", Kind.INVALID, "The header cannot be used.", faults=faults)
    return names


def _text(value: object) -> str | None:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int)):
        return str(value).strip()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ";".join(value)
    return None
