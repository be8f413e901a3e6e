"""A domain event as the message of the same name: field by field, so that one stem has one spelling everywhere."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from types import ModuleType
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kindred.bus.v1.bus_pb2 import Provenance


def spelled(
    event: Any, protos: ModuleType, who: Provenance, *, besides: frozenset[str] = frozenset()
) -> Message:
    """The message that is named as the event's class, every field under its own name; None stays unset.

    `besides` are fields of the event that the caller spells, or that `who` carries.  Raises AttributeError where the
    message has no such field: what the domain says must not be lost on the way.
    """
    message: Message = getattr(protos, type(event).__name__)(provenance=who)
    for name in (field.name for field in fields(event)):
        value = getattr(event, name)
        if name in besides or value is None:
            continue
        if isinstance(value, datetime):
            getattr(message, name).FromDatetime(value)
        elif isinstance(value, tuple):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    return message


def stamp(moment: datetime | None) -> Timestamp | None:
    """The moment as protobuf carries it."""
    if moment is None:
        return None
    made = Timestamp()
    made.FromDatetime(moment)
    return made
