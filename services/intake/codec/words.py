"""The words that protos and the domain spell differently."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kindred.intake.v1 import events_pb2, intake_pb2
from services.intake.domain.submission import Answered, Strength, Urgency

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

ANSWERED = {
    Answered.STATED: intake_pb2.ANSWERED_STATED,
    Answered.DECLINED: intake_pb2.ANSWERED_DECLINED,
    Answered.UNKNOWN: intake_pb2.ANSWERED_UNKNOWN,
}
ANSWERED_READ: dict[int, Answered] = {int(number): answered for answered, number in ANSWERED.items()}


def moment(message: Message, name: str) -> datetime | None:
    """The time in a field to the millisecond; None where it is unset."""
    if not message.HasField(name):
        return None
    stamped: Timestamp = getattr(message, name)
    try:
        read = stamped.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)  # out of the calendar: refused as lying in the future
    return read.replace(microsecond=read.microsecond // 1000 * 1000)
