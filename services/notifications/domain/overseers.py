"""Who is told when somebody reads past a policy: named by compliance, for an organization or for all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Stands for every organization that has nobody named for a part.
EVERYBODY_ELSE: Final = "*"
NOBODY: Final = "unnamed"


class Part(StrEnum):
    """What somebody is told for: to ask the person whom they lead, or to review what was done."""

    SUPERVISOR = "supervisor"
    COMPLIANCE = "compliance"


@dataclass(frozen=True)
class Overseer:
    """One person in one part."""

    person_id: str
    part: Part


def contact_id_of(organization_id: str, person_id: str) -> str:
    """The card of an overseer, as their organization's list says it."""
    return f"overseer-contact:{organization_id}:{person_id}"


def to_tell(
    part: Part, own: Sequence[Overseer], others: Sequence[Overseer], breaker_id: str
) -> list[tuple[Overseer, bool]]:
    """Whoever has the part in the breaker's own organization, else for everybody; True where it is their own.

    Nobody is told of themselves. Empty where nobody is left: that has to be said, too.
    """
    for named, is_own in ((own, True), (others, False)):
        found = [(one, is_own) for one in named if one.part is part and one.person_id != breaker_id]
        if found:
            return found
    return []
