"""Asking a part whether it is ready, until it says yes, dies, or its time is up."""

import time
from collections.abc import Callable
from pathlib import Path

from cli.local.children import Child, wait_exit
from cli.local.faults import LocalFault

PAUSE_S = 0.1


def wait_ready(child: Child, ask: Callable[[], str], timeout_s: float) -> float:
    """Asks until the answer is empty (ready) and returns the seconds it took.

    `ask` returns what is still missing, in words.  Between two questions it waits on the process itself, so
    a crash is noticed at once.  Raises LocalFault with the last lines of the log if it died or is too slow.
    """
    started = time.monotonic()
    while missing := ask():
        if wait_exit(child, PAUSE_S):
            raise LocalFault(f"{child.name} ended while starting:\n{tail(child.log)}", f"See {child.log}.")
        if time.monotonic() - started > timeout_s:
            raise LocalFault(
                f"{child.name} was not ready after {timeout_s:.0f} s: {missing}\n{tail(child.log)}",
                f"See {child.log}; `make status` shows the rest.",
            )
    return time.monotonic() - started


def tail(log: str, lines: int = 8) -> str:
    """The last lines of a log, or a note that it is empty."""
    path = Path(log)
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "(its log is empty)"
