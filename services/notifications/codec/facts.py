"""What is told of every event: a moment it names, and whom it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.clock import to_millisecond
from kindred.bus.v1.bus_pb2 import Provenance


def moment(message: Message, name: str) -> datetime | None:
    """The moment a field says, None where it says none."""
    if not message.HasField(name):
        return None
    stamp: Timestamp = getattr(message, name)
    return to_millisecond(stamp.ToDatetime(tzinfo=UTC))


class About(TypedDict):
    """Who stands in an event's provenance, as a happening keeps it."""

    peer_id: str
    organization_id: str
    purpose_of_use: str


def about(provenance: Provenance) -> About:
    """Whom the event is about, for whom, and what for."""
    return {
        "peer_id": provenance.peer_id,
        "organization_id": provenance.organization_id,
        "purpose_of_use": provenance.purpose_of_use,
    }
