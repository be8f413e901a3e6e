"""Which mark of a search finds the fewest entries, and how a string's beginning and an event's time are spelled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chassis.clock import to_millisecond
from services.audit.search import marks

# Which criterion finds the fewest entries, best first; it gives the index its place to look.
_NARROW = (
    "_id",
    "patient",
    "altid",
    "entity",
    "address",
    "agent",
    "agent-name",
    "policy",
    "_tag",
    "entity-name",
    "event-type",
    "subtype",
    "purpose",
    "agent-role",
    "type",
    "outcome",
)


def moment_of(document: dict[str, Any]) -> datetime | None:
    """When the event says it was recorded, to the millisecond; None where that is no moment."""
    try:
        return to_millisecond(datetime.fromisoformat(str(document.get("recorded", ""))))
    except ValueError:
        return None


def rank(parameter: str) -> int:
    """A smaller number for a parameter that usually finds fewer."""
    return _NARROW.index(parameter) if parameter in _NARROW else len(_NARROW)


def beginning(parameter: str, text: str, modifier: str) -> marks.Mark:
    """The one mark every string that begins so has."""
    folded = marks.folded(text)
    if modifier == "exact":
        return parameter, f"={folded}"
    length = max(each for each in marks.PREFIXES if each <= len(folded))
    return parameter, f"{length}:{folded[:length]}"
