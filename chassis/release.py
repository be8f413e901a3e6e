"""Letting go of a broker connection without waiting for the broker."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any


def release(raw: Any) -> None:
    """An amqp connection is dropped at once: the socket first, for a frozen broker answers no Close (finding 5)."""
    if raw is None:
        return
    with suppress(Exception):
        raw.transport.sock.shutdown(socket.SHUT_RDWR)
    with suppress(Exception):
        raw.transport.sock.close()
    with suppress(Exception):
        raw.collect()
