"""Alarms, dashboards and the handbook speak of the same things, and of what the code measures."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system_watching import hurried

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
BOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
METRIC = re.compile(r"\bkindred_[a-z_]+")


def rules_of(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    told = (PROMETHEUS / "alerts.yml").read_text(encoding="utf-8")
    return {rule["alert"]: rule for rule in rules_of(told)}


def measured() -> set[str]:
    """Every metric of the code, with the names a histogram has in Prometheus."""
    text = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("chassis", "services")
        for path in (ROOT / folder).rglob("*.py")
    )
    names = set(re.findall(r"\"(kindred_[a-z_]+)\"", text))
    return names | {f"{name}_{part}" for name in names for part in ("bucket", "count", "sum")}


def test_every_alarm_is_explained_and_every_explained_alarm_is_there():
    """The handbook has a row for each alert, by its name, and names none that Prometheus does not know."""
    rows = re.findall(
        r"^\| `(Kindred\w+)`", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(rows) == sorted(alerts())


def test_every_alarm_is_made_to_fire():
    """Each alert has a sample that fires it with its severity, and one of a system that is well."""
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    quiet = [row["alertname"] for row in tests[0]["alert_rule_test"] if row["exp_alerts"] == []]
    fired = {test["name"].removesuffix(" fires"): test["promql_expr_test"][0]["expr"] for test in tests[1:]}
    assert sorted(quiet) == sorted(fired) == sorted(alerts())
    for name, rule in alerts().items():
        assert f'severity="{rule["labels"]["severity"]}"' in fired[name]
        assert rule["annotations"]["summary"]


def test_every_alarm_is_raised_in_earnest():
    """Each alert is seen firing and ending at a really broken system, by a test of the fault suite."""
    told = "".join(path.read_text() for path in sorted((ROOT / "tests" / "faults").glob("test_alarms_*.py")))
    assert set(re.findall(r"fires\(\s*\"(Kindred\w+)\"", told)) == set(alerts())


def test_the_hurry_of_those_tests_changes_waits_and_windows_and_nothing_else():
    """`for` is there where it was, windows are shorter, and every threshold, name and label is the rule's own."""
    rules = (PROMETHEUS / "alerts.yml").read_text(encoding="utf-8")
    window = re.compile(r"(?<=\[)\w+(?=])|(?<=offset )\w+")
    for mine, theirs in zip(rules_of(hurried(rules)), rules_of(rules), strict=True):
        assert mine.pop("for", None) == ("2s" if theirs.pop("for", None) else None)
        assert window.sub("", mine.pop("expr")) == window.sub("", theirs.pop("expr"))
        assert mine == theirs


@pytest.mark.parametrize("file", [PROMETHEUS / "alerts.yml", *BOARDS], ids=lambda path: path.name)
def test_what_is_watched_is_measured(file: Path):
    """A rule or a panel over a metric that no process has would be silent for ever."""
    text = file.read_text(encoding="utf-8")
    assert set(METRIC.findall(text)) - measured() == set()


@pytest.mark.parametrize("file", BOARDS, ids=lambda path: path.name)
def test_a_dashboard_can_be_loaded(file: Path):
    """Panels do not lie over each other, have a title and a query, and take their source from the reader."""
    board = json.loads(file.read_text(encoding="utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)
    assert all(panel["title"] and panel["targets"] for panel in board["panels"])
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${source}"}


def test_promtool_accepts_the_rules_and_each_fires():
    """Prometheus itself reads the rules, and its own test runner sees each alert fire and stay quiet."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian: prometheus) is not here: `make monitoring` brings it")
    for argv in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        told = subprocess.run(
            ["promtool", *argv], cwd=PROMETHEUS, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr
