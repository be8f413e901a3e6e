"""Work that would stop a whole patched process, such as the system's resolver, done by a real thread instead."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def in_real_thread(work: Callable[..., T], *args: Any) -> T:
    """The work's result; other greenlets run meanwhile.  In a process that is not patched it is a plain call."""
    if not _is_patched():
        return work(*args)
    tpool: Any = importlib.import_module("eventlet.tpool")
    result: T = tpool.execute(work, *args)
    return result


def _is_patched() -> bool:
    if "eventlet" not in sys.modules:
        return False
    from eventlet import patcher

    return bool(patcher.is_monkey_patched("socket"))
