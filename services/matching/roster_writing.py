"""Roster rows as a file: CSV, JSON lines, or FHIR Bundles, written in portions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from chassis.errors import Kind, Refusal
from services.matching import roster_fhir
from services.matching.roster_file import COLUMNS

Row = dict[str, str]
# Writes some rows; True for the first ones of a file.
Write = Callable[[Sequence[Row], bool], str]


def writer(file_format: str) -> Write:
    """How this format is written; raises Refusal INVALID format-unknown."""
    known: dict[str, Write] = {"csv": _csv, "jsonl": _json_lines, "fhir": _fhir}
    if file_format not in known:
        raise Refusal("format-unknown", Kind.INVALID, "The format is csv, jsonl or fhir.")
    return known[file_format]


def chunks(write: Write, portions: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    """The file's bytes; a roster of nobody is a file without rows."""
    is_first = True
    for rows in portions:
        yield write(rows, is_first).encode()
        is_first = False
    if is_first:
        yield write([], True).encode()


def _csv(rows: Sequence[Row], is_first: bool) -> str:
    sink = io.StringIO()
    table = csv.DictWriter(sink, COLUMNS, lineterminator="\n")
    if is_first:
        table.writeheader()
    table.writerows(rows)
    return sink.getvalue()


def _json_lines(rows: Sequence[Row], _: bool) -> str:
    return "".join(json.dumps({k: v for k, v in row.items() if v}, ensure_ascii=False) + "\n" for row in rows)


def _fhir(rows: Sequence[Row], _: bool) -> str:
    return "".join(json.dumps(roster_fhir.bundle(row), ensure_ascii=False) + "\n" for row in rows)
