"""Makes py-amqp survive text that is not UTF-8 in a message's properties or routing key.

The broker passes such text on. Unpatched, py-amqp raises inside the frame reader: the connection is closed, the
message comes again, and the consumer never gets past it (RELIABILITY, F-25 "bad UTF-8").
"""

from __future__ import annotations

from typing import Any, SupportsIndex

from amqp import abstract_channel, serialization

_strict_loads = serialization.loads
_strict_properties = serialization.GenericContent._load_properties


def tolerate_bad_text() -> None:
    """From here on such text is read with each bad byte escaped; the envelope's checks then turn it away."""
    abstract_channel.loads = _loads
    serialization.GenericContent._load_properties = _properties


class _Lenient(bytes):
    """Bytes whose slices decode whatever they hold."""

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        value = bytes.__getitem__(self, key)
        return _Lenient(value) if isinstance(value, bytes) else value

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self).decode("utf-8", "backslashreplace")


def _loads(form: str, buffer: bytes, offset: int) -> Any:
    try:
        return _strict_loads(form, buffer, offset)
    except UnicodeDecodeError:
        return _strict_loads(form, _Lenient(buffer), offset)


def _properties(self: Any, class_id: int, buffer: bytes, offset: int) -> Any:
    try:
        return _strict_properties(self, class_id, buffer, offset)
    except UnicodeDecodeError:
        return _strict_properties(self, class_id, _Lenient(buffer), offset)
