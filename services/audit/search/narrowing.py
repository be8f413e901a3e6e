"""Which criteria of a search the index is asked for, which finds the fewest entries, and when an event was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.clock import to_millisecond
from services.audit.search import joins, marks
from services.audit.search.asked import Criterion

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


def joined(criteria: Sequence[Criterion]) -> list[Criterion]:
    """The criteria with a user's and each rare one beside it as one, where the index has marks of both together."""
    users = next((each for each in criteria if is_of_users(each)), None)
    rare = [each for each in criteria if is_joined(each)] if users else []
    if users is None or not rare:
        return list(criteria)
    both = [
        Criterion(joins.join(each.parameter, each.values[0].text.lower()), "", users.values) for each in rare
    ]
    return [each for each in criteria if each is not users and each not in rare] + both


def is_of_users(criterion: Criterion) -> bool:
    """Whether the criterion names users, each with marks joined to what was rare."""
    names = [marks.last_step(value.text) for value in criterion.values]
    return criterion.parameter == "agent" and criterion.modifier == "" and all(map(joins.is_user, names))


def is_joined(criterion: Criterion) -> bool:
    """Whether the criterion asks for one rare value."""
    return (
        criterion.modifier == ""
        and len(criterion.values) == 1
        and joins.is_joined(criterion.parameter, criterion.values[0].text.lower())
    )


def rank(parameter: str) -> int:
    """A smaller number for a parameter that usually finds fewer."""
    if parameter.startswith("agent&"):
        return _NARROW.index("address")
    return _NARROW.index(parameter) if parameter in _NARROW else len(_NARROW)
