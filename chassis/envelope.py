"""The envelope of every event: CloudEvents 1.0 over AMQP, binary mode (headers are attributes, body data).

Source: CloudEvents AMQP Protocol Binding 1.0.2, section 3.1; attribute headers have the prefix "cloudEvents:".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PREFIX = "cloudEvents:"
CONTENT_TYPE = "application/protobuf"
# Characters of any attribute; a longer one is nobody's id.
LONGEST_TEXT = 256
_TYPE = re.compile(r"[a-z]+\.[a-z-]+\.v[0-9]+")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Undecodable(Exception):  # noqa: N818
    """A message that is not one of our envelopes; `reason` names the attribute at fault, never its value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is written: the event that was heard, or the request that came in."""

    correlation_id: str
    event_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event on its way. `aggregate_seq` counts per aggregate, `producer_seq` per producer, from 1."""

    id: str
    type: str
    source: str
    time: datetime
    aggregate_id: str
    aggregate_seq: int
    producer_seq: int
    correlation_id: str
    causation_id: str
    traceparent: str
    data: bytes

    def cause(self) -> Cause:
        """This event as the cause of what a listener writes."""
        return Cause(self.correlation_id, self.id, self.traceparent)


def to_amqp(envelope: Envelope) -> tuple[dict[str, Any], dict[str, Any]]:
    """AMQP properties and headers for the envelope; the body is `envelope.data` itself."""
    properties = {
        "content_type": CONTENT_TYPE,
        "message_id": envelope.id,
        "delivery_mode": 2,
        "type": envelope.type,
    }
    headers = {
        f"{PREFIX}specversion": "1.0",
        f"{PREFIX}id": envelope.id,
        f"{PREFIX}type": envelope.type,
        f"{PREFIX}source": envelope.source,
        f"{PREFIX}time": envelope.time.astimezone(UTC).isoformat(timespec="milliseconds"),
        f"{PREFIX}subject": envelope.aggregate_id,
        f"{PREFIX}aggregateseq": envelope.aggregate_seq,
        f"{PREFIX}producerseq": envelope.producer_seq,
        f"{PREFIX}correlationid": envelope.correlation_id,
    }
    if envelope.causation_id:
        headers[f"{PREFIX}causationid"] = envelope.causation_id
    if envelope.traceparent:
        headers[f"{PREFIX}traceparent"] = envelope.traceparent
    return properties, headers


def from_amqp(properties: Mapping[str, Any], headers: Mapping[str, Any] | None, body: bytes) -> Envelope:
    """The envelope of a received message; raises Undecodable where an attribute is missing or malformed.

    Attributes this version does not know are ignored, so that newer producers do not break older listeners.
    """
    headers = headers or {}
    if _text(headers, "specversion") != "1.0":
        raise Undecodable("specversion")
    if properties.get("content_type") != CONTENT_TYPE:
        raise Undecodable("content_type")
    event_type = _text(headers, "type")
    if not _TYPE.fullmatch(event_type):
        raise Undecodable("type")
    traceparent = _text(headers, "traceparent", required=False)
    return Envelope(
        id=_text(headers, "id"),
        type=event_type,
        source=_text(headers, "source"),
        time=_moment(headers),
        aggregate_id=_text(headers, "subject"),
        aggregate_seq=_count(headers, "aggregateseq"),
        producer_seq=_count(headers, "producerseq"),
        correlation_id=_text(headers, "correlationid"),
        causation_id=_text(headers, "causationid", required=False),
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else "",
        data=bytes(body),
    )


def _text(headers: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    value = headers.get(PREFIX + name, "")
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or (required and not value):
        raise Undecodable(name)
    return value


def _count(headers: Mapping[str, Any], name: str) -> int:
    value = headers.get(PREFIX + name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Undecodable(name)
    return value


def _moment(headers: Mapping[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(headers, "time"))
    except ValueError:
        raise Undecodable("time") from None
    if moment.tzinfo is None:
        raise Undecodable("time")
    return moment
