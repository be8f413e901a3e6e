"""A real Prometheus with our rules looks at a running system, for the tests of alarms and dashboards."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.driving import Running

PROMETHEUS = Path(__file__).resolve().parents[1] / "deploy" / "prometheus"
WAIT_S = 60.0
FIRES_WITHIN_S = 180.0
# Tests cannot wait an hour: `for` is two seconds, and the windows of the rules (with `offset`) are these.
# Nothing else of a rule is changed, and no threshold.
HURRIED_FOR = "2s"
HURRIED = {"5m": "20s", "15m": "60s", "1h": "60s"}
log = logging.getLogger(__name__)
_WINDOW = re.compile(r"(\[|offset )(\d+[smhd])\b")


class Watcher:
    """A Prometheus with our configuration that scrapes and judges every second."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder

    def look_at(self, process: str, service: str, address: str) -> None:
        """One more process is scraped."""
        listed = [{"targets": [address], "labels": {"process": process, "service": service}}]
        (self.folder / "targets" / f"{process}.json").write_text(json.dumps(listed), encoding="utf-8")

    def forget(self, process: str) -> None:
        """It is scraped no more."""
        (self.folder / "targets" / f"{process}.json").unlink(missing_ok=True)

    def asked(self, path: str) -> Any:
        """What its API answers."""
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def found(self, query: str) -> list[dict[str, Any]]:
        """The series that the query finds now; raises HTTPError for a query that cannot be read."""
        rows: list[dict[str, Any]] = self.asked(f"query?{urllib.parse.urlencode({'query': query})}")["result"]
        return rows

    def values(self, query: str) -> dict[str, float]:
        """What the query finds, by process."""
        return {row["metric"].get("process", ""): float(row["value"][1]) for row in self.found(query)}

    def until(self, is_so: Callable[[], bool], what: str, within_s: float = WAIT_S) -> None:
        """It is so in time; else fails with `what`."""
        deadline = time.monotonic() + within_s
        while not is_so():
            assert time.monotonic() < deadline, what
            time.sleep(0.3)

    def rules(self) -> list[dict[str, Any]]:
        """Every alarm, with who raises it now."""
        return [rule for group in self.asked("rules")["groups"] for rule in group["rules"]]

    def fires(self, alarm: str, of: str = "", within_s: float = FIRES_WITHIN_S) -> dict[str, Any]:
        """The alarm fires, with `of` in one of its labels: no longer pending."""
        found: list[dict[str, Any]] = []

        def is_firing() -> bool:
            rule = next(rule for rule in self.rules() if rule["name"] == alarm)
            firing = [one for one in rule["alerts"] if one["state"] == "firing"]
            found[:] = [one for one in firing if any(of in label for label in one["labels"].values())]
            return bool(found)

        self.until(is_firing, f"{alarm} of {of or 'anybody'} is silent", within_s)
        log.info("%s fires: %s", alarm, found[0]["annotations"]["summary"])
        return found[0]

    def ends(self, alarm: str, within_s: float = FIRES_WITHIN_S) -> None:
        """Nobody raises it any more."""
        self.until(lambda: not self.raised(alarm), f"{alarm} stays", within_s)
        log.info("%s is over", alarm)

    def raised(self, alarm: str) -> list[str]:
        """The processes for which the alarm is pending or fires."""
        rule = next(rule for rule in self.rules() if rule["name"] == alarm)
        return [alert["labels"].get("process", "") for alert in rule["alerts"]]


def hurried(rules: str) -> str:
    """The rules of deploy/prometheus with shorter waits and windows; raises KeyError for a window without a short one."""
    told = yaml.safe_load(rules)
    for rule in (rule for group in told["groups"] for rule in group["rules"]):
        rule["expr"] = _WINDOW.sub(lambda found: found[1] + HURRIED[found[2]], rule["expr"])
        if "for" in rule:
            rule["for"] = HURRIED_FOR
    return yaml.safe_dump(told)


@contextmanager
def watching(running: Running, folder: Path, *, is_hurried: bool = False) -> Iterator[Watcher]:
    """Prometheus is up, with the rules of deploy/prometheus and the targets that `kindred targets` names."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus (Debian: prometheus) is not here: `make monitoring` brings it")
    (folder / "targets").mkdir()
    (folder / "targets" / "here.json").write_text(targets(running), encoding="utf-8")
    rules = (PROMETHEUS / "alerts.yml").read_text(encoding="utf-8")
    (folder / "alerts.yml").write_text(hurried(rules) if is_hurried else rules, encoding="utf-8")
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
            watcher = Watcher(address, folder)
            watcher.until(lambda: _answers(watcher), "Prometheus did not come up")
            yield watcher
        finally:
            child.terminate()


def targets(running: Running) -> str:
    """What `kindred targets` prints for this system."""
    environ = os.environ | {"KINDRED_VAR": str(running.place.var)}
    argv = [sys.executable, "-m", "cli", "targets"]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=True).stdout


def _answers(watcher: Watcher) -> bool:
    try:
        return watcher.asked("status/runtimeinfo") is not None
    except OSError:
        return False
