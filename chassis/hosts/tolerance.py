"""Makes py-amqp survive text that is not UTF-8 in a message's properties.

Unpatched it raises inside the frame reader: the connection is closed, the message comes again, and the consumer
never gets past it (RELIABILITY, F-25 "bad UTF-8").
"""

from __future__ import annotations

from amqp import serialization


def tolerate_bad_text() -> None:
    """From here on such text is read with a mark for each bad byte; the envelope's checks then turn it away."""
    serialization.pstr_t = _read_text


def _read_text(raw: bytes | str) -> str:
    return raw if isinstance(raw, str) else bytes(raw).decode("utf-8", "backslashreplace")
