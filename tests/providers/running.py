"""Other people's programs, from the environment that deploy/bootstrap.sh made for them, started and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cli.local import ports

START_S = 60.0
_VENV = "KINDRED_PROVIDERS_VENV"


def program(name: str) -> str:
    """The path of a program of theirs; the test is skipped, and says so, where they are not installed."""
    path = Path(os.environ.get(_VENV, "")) / "bin" / name
    if not os.environ.get(_VENV) or not path.exists():
        pytest.skip(f"{name} is not here: `make providers` installs requirements/providers.txt for it")
    return str(path)


def a_port() -> int:
    """A port that was free a moment ago."""
    return ports.any_free()


def started(name: str, *told: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    """The program listens at its port; fails with the end of what it wrote."""
    with log.open("wb") as written:
        process = subprocess.Popen(
            [program(name), *told], stdout=written, stderr=subprocess.STDOUT, start_new_session=True
        )
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.1)
    ended(process)
    pytest.fail(f"{name} did not start: {log.read_text(encoding='utf-8', errors='replace')[-2_000:]}")


def ended(process: subprocess.Popen[bytes]) -> None:
    """The program is gone, and so are those it started; what they kept is not needed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
