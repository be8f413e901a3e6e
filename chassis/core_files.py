"""What a process holds in memory is written to no file when it dies, and in production handed to no crash handler."""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4  # prctl(2)
_NOT_DUMPABLE = 0


def forbid(*, is_production: bool) -> None:
    """The kernel writes no core file of this process, and the limit cannot be raised again.

    In production it hands the memory to no crash handler either (a core_pattern with a pipe heeds no limit), and nobody
    but root reads it through /proc or attaches to it; in development a debugger still may.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if is_production:
        libc = ctypes.CDLL(None, use_errno=True)  # of Linux, on which production runs
        if libc.prctl(_PR_SET_DUMPABLE, _NOT_DUMPABLE, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
