"""Work that would stop a whole patched process, such as the system's resolver, done by a real thread instead."""

from __future__ import annotations

import importlib
import ipaddress
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


def in_real_thread(work: Callable[..., T], *args: Any) -> T:
    """The work's result; other greenlets run meanwhile.  In a process that is not patched it is a plain call."""
    if not _is_patched():
        return work(*args)
    tpool: Any = importlib.import_module("eventlet.tpool")
    result: T = tpool.execute(work, *args)
    return result


def look_up_names_aside() -> None:
    """From here on no look-up of a name stops the other greenlets, whichever library asks for it.

    smtplib asks eventlet's own socket module, what Apprise stands on asks the standard library's: both are told.
    In a process that is not patched nothing changes.
    """
    if not _is_patched():
        return
    green: Any = importlib.import_module("eventlet.green.socket")
    modules: tuple[Any, ...] = (socket, green)
    for module in modules:
        module.getaddrinfo = partial(_looked_up, module.getaddrinfo)


def _looked_up(asked: Callable[..., Any], host: Any, *args: Any, **named: Any) -> Any:
    look_up = partial(asked, host, *args, **named)
    return look_up() if _is_number(host) else in_real_thread(look_up)


def _is_number(host: Any) -> bool:
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host or "::")
    except ValueError:
        return False
    return True


def _is_patched() -> bool:
    if "eventlet" not in sys.modules:
        return False
    from eventlet import patcher

    return bool(patcher.is_monkey_patched("socket"))
