"""What HL7 v2 has no field for, said in ZKD segments or in OBX with our codes: one list of topics for both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.intake.hl7v2.message import Message, Segment

SYSTEM = "99KINDRED"
_SYSTEMS = frozenset({SYSTEM, "KINDRED"})
STRENGTHS = ("none", "some", "strong", "must", "avoid")
TOPICS = frozenset(
    {
        *(f"preference-{strength}" for strength in STRENGTHS),
        "lived-experience",
        "excluded-specialist",
        "modality",
        "interpreter-needed",
        "interpreter-agreed",
        "may-leave-message",
        "do-not-contact",
        "who-else-answers",
        "characteristic",
        "naloxone-given",
        "facility-zip",
        "payer",
        "contact-language",
        "contact-time-zone",
        "expected-departure",
    }
)
_WITHDRAWN = frozenset({"D", "W", "X"})  # OBX-11: deleted, posted as wrong, cannot be obtained


@dataclass(frozen=True, slots=True)
class Said:
    """One statement: its topic, its values, who said it and how, and where it stands."""

    topic: str
    values: tuple[str, ...]
    said_by: str
    how: str
    at: str


def statements(message: Message) -> Iterator[Said]:
    """Every statement of the message, in order.

    ZKD: 1 set id, 2 topic, 3 values (repeating), 4 who said it (peer, family, staff, record), 5 how (asked, form,
    chart).  OBX: 3 the topic in the coding system 99KINDRED, 5 the values, 11 not withdrawn.
    """
    for segment in message.segments:
        if segment.name == "ZKD":
            yield Said(segment.text(2), _values(segment, 3), segment.text(4), segment.text(5), segment.at(2))
        elif is_ours(segment) and segment.text(11).upper() not in _WITHDRAWN:
            yield Said(segment.text(3), _values(segment, 5), "", "", segment.at(3))


def is_ours(segment: Segment) -> bool:
    """True for an OBX whose question is one of ours."""
    return segment.name == "OBX" and segment.text(3, 3).upper() in _SYSTEMS


def _values(segment: Segment, field: int) -> tuple[str, ...]:
    return tuple(value.text() for value in segment.values(field))
