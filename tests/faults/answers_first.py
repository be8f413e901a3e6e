"""The negative control of F-24: a service that answers a read first and writes its entry afterwards, in a thread.

`python -m tests.faults.answers_first intake api` starts the real api with nothing else changed.
"""

from __future__ import annotations

import runpy
import sys
import threading
import time
from typing import Any

from chassis.access import AccessLog
from chassis.failpoints import failpoint

# So long the entry waits: the answer has left by then.
_LATE_S = 0.3


def _write_late(self: AccessLog, *given: Any) -> None:
    def late() -> None:
        time.sleep(_LATE_S)
        failpoint("control.after_answer_before_write")
        _WRITES(self, *given)

    threading.Thread(target=late, daemon=True).start()


_WRITES = AccessLog._write


if __name__ == "__main__":
    AccessLog._write = _write_late  # type: ignore[method-assign]
    service, role = sys.argv[1:3]
    sys.argv = [f"services.{service}", role]
    runpy.run_module(f"services.{service}", run_name="__main__")
