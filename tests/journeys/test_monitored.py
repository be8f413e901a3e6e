"""A real Prometheus looks at a real system."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.driving import Running
from tests.system_watching import Watcher, targets, watching

BOARDS = sorted((Path(__file__).resolve().parents[2] / "deploy" / "grafana").glob("*.json"))
# Nothing to show before it happened for the first time.
ON_OCCASION = {"kindred_audit_alarms_total", "kindred_audit_missing_events"}


@pytest.fixture(scope="module")
def watcher(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    """Up for all tests of this file."""
    with watching(running, tmp_path_factory.mktemp("prometheus")) as watcher:
        yield watcher


def test_every_process_is_scraped_and_every_rule_can_be_judged(watcher: Watcher, running: Running):
    """All processes answer, all are ready, no rule is in error, and nothing fires that says a process is away."""
    listed = {row["labels"]["process"] for row in json.loads(targets(running))}
    assert {"intake-api", "matching-worker", "notifications-worker", "audit-api", "audit-signer"} <= listed
    watcher.until(
        lambda: {name for name, up in watcher.values("up").items() if up} == listed, "a target is away"
    )
    watcher.until(lambda: min(watcher.values("kindred_ready").values()) == 1, "a process is not ready")
    watcher.until(
        lambda: all(rule["lastEvaluation"] > "1" for rule in watcher.rules()), "a rule was never evaluated"
    )
    assert [(rule["name"], rule["lastError"]) for rule in watcher.rules() if rule.get("lastError")] == []
    assert [
        rule["name"] for rule in watcher.rules() if rule["name"] == "KindredProcessAway" and rule["alerts"]
    ] == []


def test_a_process_that_ended_is_an_alarm(watcher: Watcher, running: Running):
    """The alert of a killed process is pending within seconds, with the process's name, and goes when it is back."""
    running.signal("matching-worker")
    try:
        watcher.until(
            lambda: watcher.raised("KindredProcessAway") == ["matching-worker"],
            "nobody noticed the dead process",
        )
    finally:
        running.start()
    watcher.until(
        lambda: watcher.raised("KindredProcessAway") == [], "the alarm stays although the process is back"
    )


@pytest.mark.parametrize("file", BOARDS, ids=lambda path: path.name)
def test_every_panel_can_be_asked(watcher: Watcher, file: Path):
    """Prometheus understands every query of the dashboard; what is always measured has an answer from this system."""
    board = json.loads(file.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    gauges = {query for query in asked if query.replace("_", "").isalpha() and query not in ON_OCCASION}
    assert gauges
    watcher.until(lambda: all(watcher.found(query) for query in gauges), "a panel shows nothing")
    for query in asked:
        watcher.found(query)
