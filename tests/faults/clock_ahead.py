"""A process whose service's clock is ahead: `python -m tests.faults.clock_ahead SECONDS MODULE WORD...`.

For an `api`: libfaketime breaks `time.sleep` of Python 3.11, which waits for a moment of the monotonic clock.
"""

from __future__ import annotations

import runpy
import sys
from datetime import datetime, timedelta

from chassis.clock import SystemClock


def main(seconds: str, *words: str) -> None:
    """The module runs as if called with these words, so many seconds from now."""
    right, ahead = SystemClock.now, timedelta(seconds=float(seconds))

    def now(self: SystemClock) -> datetime:
        return right(self) + ahead

    SystemClock.now = now  # type: ignore[method-assign]
    sys.argv = list(words)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
