"""A message as the broker gave it, before anybody believes a word of it, and its form at rest."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chassis.envelope import PREFIX

# What the broker added on the way; a message that is put back starts anew.
_BROKER_HEADERS = ("x-death", "x-first-death", "x-last-death", "x-delivery-count", "x-acquired-count")
_PROPERTIES = ("content_type", "content_encoding", "message_id", "type", "timestamp", "app_id", "priority")
_SAFE = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of one connection. `deliveries` is how often the broker had tried before (x-delivery-count)."""

    tag: int
    generation: int
    body: bytes
    properties: dict[str, Any]
    headers: dict[str, Any]
    redelivered: bool = False
    deliveries: int = 0
    is_dead: bool = False  # from the dead queue

    def event_id(self) -> str:
        """The id it claims, or "" where that is not plain enough to be stored in clear."""
        return self._claimed("id")

    def event_type(self) -> str:
        """The type it claims, or ""."""
        return self._claimed("type")

    def pack(self) -> bytes:
        """Properties, headers and body in one piece, without what the broker added."""
        head = json.dumps(
            {
                "properties": {key: self.properties[key] for key in _PROPERTIES if key in self.properties},
                "headers": {
                    key: value
                    for key, value in _named(self.headers).items()
                    if not key.startswith(_BROKER_HEADERS)
                },
            },
            default=_tag,
            sort_keys=True,
        ).encode()
        return len(head).to_bytes(4, "big") + head + self.body

    def fingerprint(self) -> str:
        """The same for the same message, however often it comes."""
        return hashlib.sha256(self.pack()).hexdigest()[:32]

    def _claimed(self, name: str) -> str:
        value = self.headers.get(PREFIX + name)
        return value if isinstance(value, str) and _SAFE.fullmatch(value) else ""


def unpack(packed: bytes) -> Delivery:
    """The message again, as if it had just come for the first time."""
    size = int.from_bytes(packed[:4], "big")
    head = json.loads(packed[4 : 4 + size], object_hook=_untag)
    return Delivery(0, 0, packed[4 + size :], head["properties"], head["headers"])


def _named(value: Any) -> Any:
    """Tables with text for every name; py-amqp leaves a name that is not UTF-8 as bytes."""
    if isinstance(value, dict):
        return {
            key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key): _named(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_named(each) for each in value]
    return value


def _tag(value: object) -> dict[str, str]:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return {"$time": moment.isoformat()}
    if isinstance(value, Decimal):
        return {"$text": str(value)}
    return {"$text": type(value).__name__}


def _untag(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if "$time" in value:
        return datetime.fromisoformat(value["$time"])
    return value.get("$text", value)
