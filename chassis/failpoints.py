"""Named places where a test can stop, break or slow a process at the exact moment a promise is at stake.

Off unless the setting KINDRED_FAILPOINTS names them: "relay.after_publish_before_mark=kill@3;other=raise@1;x=sleep:5".
`@n` means only the n-th time the place is passed; without it, every time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass


class FailpointRaised(Exception):  # noqa: N818
    """A failpoint was told to raise here."""


@dataclass(frozen=True, slots=True)
class _Order:
    action: str
    seconds: float
    nth: int


_orders: dict[str, _Order] = {}
_passed: Counter[str] = Counter()
_lock = threading.Lock()


def enable(spec: str) -> None:
    """The failpoints named in `spec` are armed and all others are not; raises ValueError for a bad spec."""
    orders = dict(_parse(part) for part in spec.split(";") if part.strip())
    with _lock:
        _passed.clear()
        _orders.clear()
        _orders.update(orders)


def failpoint(name: str) -> None:
    """Does nothing, unless this place is armed."""
    if not _orders:
        return
    order = _orders.get(name)
    if order is None:
        return
    with _lock:
        _passed[name] += 1
        due = order.nth in (0, _passed[name])
    if due:
        _act(order, name)


def _act(order: _Order, name: str) -> None:
    if order.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order.action == "raise":
        raise FailpointRaised(name)
    else:
        time.sleep(order.seconds)


def _parse(part: str) -> tuple[str, _Order]:
    name, _, what = part.strip().partition("=")
    action, _, nth = what.partition("@")
    action, _, seconds = action.partition(":")
    if not name or action not in {"kill", "raise", "sleep"}:
        raise ValueError(f"not a failpoint: {part!r}")
    return name, _Order(action, float(seconds or 0), int(nth or 0))
