"""Eventlet's hub forgets a greenlet that it had no memory to resume: whatever that one held would be held for ever."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from eventlet import hubs

from chassis import out_of_memory

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def end_without_memory() -> None:
    """From here on the process ends where this thread's hub meets a lack of memory; other errors stay the hub's own."""
    hub: Any = hubs.get_hub()
    of_timer, of_descriptor = hub.squelch_timer_exception, hub.squelch_exception

    def on_timer(timer: Any, exc_info: _ExcInfo) -> None:
        out_of_memory.end_if_meant(exc_info[1])
        of_timer(timer, exc_info)

    def on_descriptor(fileno: int, exc_info: _ExcInfo) -> None:
        out_of_memory.end_if_meant(exc_info[1])
        of_descriptor(fileno, exc_info)

    hub.squelch_timer_exception, hub.squelch_exception = on_timer, on_descriptor
