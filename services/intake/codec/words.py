"""The words that protos and the domain spell differently."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kindred.intake.v1 import events_pb2
from services.intake.domain.submission import Strength, Urgency

URGENCIES = {
    Urgency.ROUTINE: events_pb2.URGENCY_ROUTINE,
    Urgency.URGENT: events_pb2.URGENCY_URGENT,
    Urgency.IMMEDIATE: events_pb2.URGENCY_IMMEDIATE,
}
URGENCIES_READ: dict[int, Urgency] = {int(number): urgency for urgency, number in URGENCIES.items()}
STRENGTHS = {
    Strength.NONE: events_pb2.STRENGTH_NONE,
    Strength.SOME: events_pb2.STRENGTH_SOME,
    Strength.STRONG: events_pb2.STRENGTH_STRONG,
    Strength.MUST: events_pb2.STRENGTH_MUST,
    Strength.AVOID: events_pb2.STRENGTH_AVOID,
}
STRENGTHS_READ: dict[int, Strength] = {int(number): strength for strength, number in STRENGTHS.items()}


def stamp(moment: datetime | None) -> Timestamp | None:
    """The moment as protobuf carries it."""
    if moment is None:
        return None
    made = Timestamp()
    made.FromDatetime(moment)
    return made
