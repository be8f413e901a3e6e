"""A monitor's first look, and a log that is not there: neither is a fault of the log."""

from __future__ import annotations

import urllib.error

import pytest

from cli import monitoring
from cli.monitoring import Monitor, NoSuchLog

ORIGIN = "kindred.local/audit"
KEY = monitoring.verify.verifier_key(ORIGIN, bytes(32))
POLICY = monitoring.Policy(KEY)


def _answering(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(url: str, timeout: float) -> None:
        raise urllib.error.HTTPError(url, code, "no", None, None)  # type: ignore[arg-type]

    monkeypatch.setattr(monitoring.urllib.request, "urlopen", refused)


def test_a_log_that_never_was_is_not_called_a_log_that_does_not_verify(tmp_path, monkeypatch):
    """A quarter that is mistyped is no finding, and the answer names it."""
    _answering(404, monkeypatch)
    with pytest.raises(NoSuchLog, match=f"There is no log {ORIGIN}/1999Q1 at http://log.example/1999Q1"):
        Monitor("http://log.example", POLICY, tmp_path, "1999Q1").look()


def test_a_log_that_cannot_be_asked_is_neither_missing_nor_wrong(tmp_path, monkeypatch):
    """A server in trouble says nothing of the log."""
    _answering(503, monkeypatch)
    with pytest.raises(OSError, match="503"):
        Monitor("http://log.example", POLICY, tmp_path).look()
