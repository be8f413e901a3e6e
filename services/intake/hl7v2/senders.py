"""Who may send: the application and facility of MSH-3 and MSH-4, the source they speak for, and its clock's zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache

from chassis.errors import Fault, Kind, Refusal
from services.intake.hl7v2 import times
from services.intake.hl7v2.message import Segment

ANYBODY = "*"
_FORM = (
    "FACILITY=source, APPLICATION^FACILITY=source or *=source, and @ an IANA time zone where it has its own"
)


class SenderUnknown(Refusal):
    """Nobody told us which source this application and facility speak for."""

    def __init__(self) -> None:
        message = "This application and facility (MSH-3, MSH-4) are not known here."
        fault = Fault("MSH[1]-3", "sender-unknown", message)
        super().__init__("sender-unknown", Kind.FORBIDDEN, message, faults=[fault])


@dataclass(frozen=True, slots=True)
class Sender:
    """The source behind a message, and the zone of its times without an offset."""

    source_id: str
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Senders:
    """Every sender that is known, by "facility" and by "application^facility"."""

    by_name: Mapping[str, Sender]

    def of(self, header: Segment) -> Sender:
        """The sender of a message with this MSH; raises SenderUnknown.  Application with facility goes first."""
        application, facility = _names(header, 3), _names(header, 4)
        pairs = [f"{one}^{other}" for one in application for other in facility]
        for name in (*pairs, *facility, ANYBODY):
            if name and name in self.by_name:
                return self.by_name[name]
        raise SenderUnknown


def _names(header: Segment, field: int) -> tuple[str, ...]:
    """The namespace, and the universal id where one came (data type HD)."""
    return tuple(name for name in (header.text(field), header.text(field, 2)) if name)


@lru_cache(maxsize=16)
def read(entries: tuple[str, ...], zone_name: str) -> Senders:
    """The senders of the setting; raises ValueError that names what is malformed."""
    by_name: dict[str, Sender] = {}
    for entry in entries:
        name, equals, rest = entry.partition("=")
        source_id, _, own_zone = rest.partition("@")
        if not (name.strip() and equals and source_id.strip()):
            raise ValueError(f"KINDRED_HL7_SOURCES: {entry!r} is not {_FORM}")
        by_name[name.strip()] = Sender(source_id.strip(), times.zone(own_zone.strip() or zone_name))
    return Senders(by_name)
