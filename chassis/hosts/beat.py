"""A heart for a worker: whoever owns the broker connection beats, and a process that stopped beating is ended.

A hub that something blocks, or an owner that hangs, looks alive from outside; whoever supervises the processes
starts a new one as soon as this one is gone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from chassis import logs

_LOOK_EVERY_S = 2.0
EXIT_CODE = 70
log = logs.get()


class Heart:
    """Ends the process where nobody beats for `longest_s`; watched by a real thread, also under eventlet."""

    def __init__(self, longest_s: float = 60.0, end: Callable[[int], None] = os._exit) -> None:
        self._longest_s = longest_s
        self._end = end
        self._beaten_at = time.monotonic()
        self._is_stopped = False

    def beat(self) -> None:
        """Still alive."""
        self._beaten_at = time.monotonic()

    def start(self) -> None:
        """Watching begins."""
        self.beat()
        _real_threading().Thread(target=self._watch, name="heart", daemon=True).start()

    def stop(self) -> None:
        """Nobody watches any more."""
        self._is_stopped = True

    def _watch(self) -> None:
        sleep = _real_sleep()
        looked_at = time.monotonic()
        while not self._is_stopped:
            sleep(_LOOK_EVERY_S)
            now = time.monotonic()
            if now - looked_at > 3 * _LOOK_EVERY_S:
                self.beat()  # the whole process stood still (suspended): that is not the worker's fault
            looked_at = now
            if now - self._beaten_at > self._longest_s:
                os.write(2, b'{"event": "bus.heart-stopped", "level": "critical"}\n')
                self._end(EXIT_CODE)


def _real_threading() -> Any:
    return _original("threading")


def _real_sleep() -> Callable[[float], None]:
    return _original("time").sleep


def _original(module: str) -> Any:
    """The module as it was before eventlet's patch, without importing eventlet where it is not in use."""
    import importlib
    import sys

    if "eventlet" in sys.modules:
        from eventlet import patcher

        return patcher.original(module)
    return importlib.import_module(module)
