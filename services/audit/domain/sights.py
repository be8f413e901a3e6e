"""One entry as a report sees it: who did what to whose record, when and why; ids only, the person as a mark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

READS = frozenset({"record.read.v1", "disclosure.made.v1", "glass.broken.v1", "emergency.declared.v1"})
DENIED = frozenset({"4", "8", "12"})


@dataclass(frozen=True, slots=True)
class Sight:
    """`person` is the same for all entries about one person, and names nobody; "" where it is about nobody."""

    number: int
    at: datetime
    actor: str = ""
    role: str = ""
    organization: str = ""
    purpose: str = ""
    event_type: str = ""
    outcome: str = "0"
    action: str = ""
    record_type: str = ""
    person: str = ""
    referral: str = ""
    other: str = ""

    @property
    def is_denied(self) -> bool:
        """Whether they were turned away."""
        return self.outcome in DENIED

    @property
    def is_read(self) -> bool:
        """Whether somebody looked at, or was given, data about a person."""
        return self.event_type in READS

    @property
    def is_our_own(self) -> bool:
        """Whether one of our services did it by itself, as when it tells an overseer of broken glass."""
        return self.actor.startswith("system:")

    @property
    def is_somebodys(self) -> bool:
        """Whether a person did it, not one of our services or another system."""
        return (
            bool(self.actor) and not self.actor.startswith(("system:", "client:")) and self.role != "system"
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry a rule points at: why, as a code, and with which figures."""

    number: int
    why: str
    figures: tuple[tuple[str, str], ...] = ()
