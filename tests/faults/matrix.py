"""The fault matrix, read from matrix.toml: what is broken, how, which tests show it, what must hold besides."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("matrix.toml")


@dataclass(frozen=True)
class Row:
    """One fault; `unmade` says why there is no test here, or which part of the row has none."""

    fault_id: str
    component: str
    fault: str
    how: str
    holds: str
    tests: tuple[str, ...] = ()
    unmade: str = ""


def read() -> tuple[Row, ...]:
    """The rows in the order of the file; raises TypeError for a field that no row has."""
    told = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(
        Row(fault_id, **{**row, "tests": tuple(row.get("tests", ()))}) for fault_id, row in told.items()
    )


MATRIX = read()
