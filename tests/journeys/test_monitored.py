"""A real Prometheus looks at a real system."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.driving import Running

PROMETHEUS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
WAIT_S = 60.0


class Watcher:
    """A Prometheus with our configuration that scrapes and judges every second."""

    def __init__(self, address: str) -> None:
        self.address = address

    def asked(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def values(self, query: str) -> dict[str, float]:
        """What the query finds, by process."""
        found = self.asked(f"query?{urllib.parse.urlencode({'query': query})}")["result"]
        return {row["metric"].get("process", ""): float(row["value"][1]) for row in found}

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < deadline, what
            time.sleep(0.3)


@pytest.fixture(scope="module")
def watcher(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus (Debian: prometheus) is not here: `make monitoring` brings it")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "targets").mkdir()
    (folder / "targets" / "here.json").write_text(_targets(running), encoding="utf-8")
    shutil.copy(PROMETHEUS / "alerts.yml", folder)
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    argv = [
        program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}", "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(argv, cwd=folder) as child:
        try:
            watcher = Watcher(address)
            watcher.until(lambda: _answers(watcher), "Prometheus did not come up")
            yield watcher
        finally:
            child.terminate()


def _targets(running: Running) -> str:
    environ = os.environ | {"KINDRED_VAR": str(running.place.var)}
    argv = [sys.executable, "-m", "cli", "targets"]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=True).stdout


def _answers(watcher: Watcher) -> bool:
    try:
        return watcher.asked("status/runtimeinfo") is not None
    except OSError:
        return False


def test_every_process_is_scraped_and_every_rule_can_be_judged(watcher: Watcher, running: Running):
    """All processes answer, all are ready, no rule is in error, and nothing fires that says a process is away."""
    listed = {row["labels"]["process"] for row in json.loads(_targets(running))}
    assert {"intake-api", "matching-worker", "notifications-worker", "audit-api", "audit-signer"} <= listed
    watcher.until(
        lambda: {name for name, up in watcher.values("up").items() if up} == listed, "a target is away"
    )
    watcher.until(lambda: min(watcher.values("kindred_ready").values()) == 1, "a process is not ready")
    watcher.until(
        lambda: all(rule["lastEvaluation"] > "1" for rule in _rules(watcher)), "a rule was never evaluated"
    )
    assert [(rule["name"], rule["lastError"]) for rule in _rules(watcher) if rule.get("lastError")] == []
    assert [
        rule["name"] for rule in _rules(watcher) if rule["name"] == "KindredProcessAway" and rule["alerts"]
    ] == []


def test_a_process_that_ended_is_an_alarm(watcher: Watcher, running: Running):
    """The alert of a killed process is pending within seconds, with the process's name, and goes when it is back."""
    running.signal("matching-worker")
    try:
        watcher.until(lambda: _away(watcher) == ["matching-worker"], "nobody noticed the dead process")
    finally:
        running.start()
    watcher.until(lambda: _away(watcher) == [], "the alarm stays although the process is back")


def _rules(watcher: Watcher) -> list[dict[str, Any]]:
    return [rule for group in watcher.asked("rules")["groups"] for rule in group["rules"]]


def _away(watcher: Watcher) -> list[str]:
    rule = next(rule for rule in _rules(watcher) if rule["name"] == "KindredProcessAway")
    return [alert["labels"]["process"] for alert in rule["alerts"]]
