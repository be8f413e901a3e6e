"""Every fault of the matrix has a test that exists, or says why it cannot be made here."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.faults.matrix import MATRIX, Row

ROOT = Path(__file__).resolve().parents[2]


@cache
def _tests_of(file: str) -> frozenset[str]:
    """The names of the test functions of a file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_fault_has_one_row():
    """F-01 to F-38, and the two that came later, in order, each once."""
    assert [row.fault_id for row in MATRIX] == [f"F-{number:02}" for number in range(1, 41)]


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.fault_id)
def test_every_row_says_what_is_done_and_shown(row: Row):
    """A row says what is broken, how, what must hold, and which tests show it or why none does."""
    assert row.component
    assert row.fault
    assert row.how
    assert row.holds
    assert row.tests or row.unmade


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.fault_id)
def test_every_test_of_a_row_exists(row: Row):
    """A row names no test that was moved or renamed."""
    for name in row.tests:
        file, _, test = name.partition("::")
        assert test in _tests_of(file), name


def test_every_cell_is_in_the_matrix():
    """A test of tests/faults that breaks the running system stands in the row of its fault."""
    named = {name for row in MATRIX for name in row.tests}
    for path in sorted((ROOT / "tests" / "faults").glob("test_cells_*.py")):
        file = path.relative_to(ROOT).as_posix()
        assert {f"{file}::{test}" for test in _tests_of(file) if test.startswith("test_")} <= named
