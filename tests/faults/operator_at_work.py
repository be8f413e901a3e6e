"""What an operator types while something is broken: `kindred ...` at the system of a test."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.driving import Running

_WITHIN_S = 300.0
# The database and the broker of the other tests: an operator here has only those of this system.
_OF_OTHERS = ("MONGO_URI", "AMQP_URI")


def kindred(running: Running, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """The command has ended, with whatever exit code; `extra` is more for its environment."""
    ours = {name: value for name, value in os.environ.items() if name not in _OF_OTHERS}
    environ = ours | {"KINDRED_VAR": str(running.place.var)} | extra
    argv = [sys.executable, "-m", "cli", *words]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=_WITHIN_S)
