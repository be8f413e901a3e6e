"""Facts of events for audit's unit tests: an envelope around a message, as audit's worker would read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from chassis import catalog
from chassis.envelope import Envelope
from services.audit import codec
from services.audit.domain.facts import Facts

MOMENT = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
GOLDEN = Path(__file__).parent / "wire" / "golden"
_numbers = count(1)


def facts_of(message: Message, *, event_id: str = "", after: timedelta = timedelta()) -> Facts:
    """What an event says to an auditor."""
    number = next(_numbers)
    envelope = Envelope(
        id=event_id or f"evt_{number:032x}",
        type=catalog.type_of(message),
        source="intake",
        time=MOMENT + after,
        aggregate_id="agg_1",
        aggregate_seq=1,
        producer_seq=number,
        correlation_id="cor_1",
        causation_id="",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        data=message.SerializeToString(),
    )
    return codec.facts_from_event(envelope, message)


def golden(event_type: str) -> Any:
    """The stored sample of an event type."""
    message = catalog.message_class(event_type)()
    message.ParseFromString(
        bytes.fromhex(json.loads((GOLDEN / f"{event_type}.json").read_text())["body_hex"])
    )
    return message
