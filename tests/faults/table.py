"""A pytest plugin: whatever the fault matrix names is run by `make faults`, and its report is one table at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.faults.matrix import MATRIX, Row

ROW = "fault_row"
COUNTED = ("lost", "missing", "double", "out_of_order", "over_capacity", "unaudited")
# Set once, before the other processes of the run begin, which read it from here.
_UNTIL = float(
    os.environ.setdefault(
        "FAULTS_UNTIL", str(time.time() + 60 * float(os.environ.get("FAULTS_MINUTES", "120")))
    )
)
_cells: list[dict[str, Any]] = []
_outcomes: dict[str, str] = {}
_say: list[Callable[[str], None]] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests the matrix names carry the mark `in_matrix`."""
    named = {name for row in MATRIX for name in row.tests}
    for item in items:
        if item.nodeid.partition("[")[0] in named:
            item.add_marker("in_matrix")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """No test begins after FAULTS_MINUTES (120): it fails, because what was not tried has not held."""
    if time.time() > _UNTIL:
        pytest.fail("not begun: the time of this run is over (FAULTS_MINUTES)", pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """A run of an hour says at once what failed, and why in a line: it may not be there at its end."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(config, "workerinput"):
        _say.append(reporter.write_line)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remembers how each test ended, and what each cell counted."""
    if report.failed:
        why = getattr(getattr(report.longrepr, "reprcrash", None), "message", str(report.longrepr))
        for say in _say:
            say(f"\nFAILED {report.nodeid} ({report.when}): {why.splitlines()[0][:300] if why else ''}")
    name = report.nodeid.partition("@")[0].partition("[")[0]
    if report.failed or (report.when == "call" and _outcomes.get(name) != "failed"):
        _outcomes[name] = report.outcome
    elif report.skipped:
        _outcomes.setdefault(name, "skipped")
    if report.when == "teardown":
        _cells.extend(json.loads(value) for key, value in report.user_properties if key == ROW)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each cell, then one for each fault."""
    terminalreporter.section("fault matrix")
    for line in [*lines_of_cells(_cells), "", *lines_of_matrix(MATRIX, _outcomes)]:
        terminalreporter.write_line(line)


def lines_of_cells(cells: Iterable[dict[str, Any]]) -> list[str]:
    """What each cell on the running system did and counted; sums at the end."""
    heads = ("faults", "referrals", *COUNTED, "absorbed")
    lines = [f"{'cell':<8}" + "".join(f"{head.replace('_', ' '):>14}" for head in heads) + "  notes"]
    sums = dict.fromkeys(heads, 0)
    seeds = set()
    for cell in sorted(cells, key=lambda one: one["id"]):
        told = "".join(f"{cell.get(head, '?')!s:>14}" for head in heads)
        notes = ", ".join(f"{key} {value}" for key, value in cell["notes"].items())
        lines.append(f"{cell['id']:<8}{told}  {notes}")
        seeds.add(str(cell["seed"]))
        for head in heads:
            sums[head] += cell.get(head, 0)
    lines.append(
        f"{'all':<8}" + "".join(f"{sums[head]:>14}" for head in heads) + f"  seed {', '.join(sorted(seeds))}"
    )
    return lines


def lines_of_matrix(matrix: Iterable[Row], outcomes: dict[str, str]) -> list[str]:
    """How the tests of each fault ended in this run; a fault that nobody can make here says why."""
    lines = []
    for row in matrix:
        ended = [outcomes.get(name, "not run") for name in row.tests]
        told = ", ".join(f"{ended.count(each)} {each}" for each in dict.fromkeys(ended))
        lines.append(f"{row.fault_id:<8}{told or row.unmade:<40}  {row.component}: {row.fault}")
    return lines
