"""When somebody has to be warned that a certification ends: in steps, each once, none where it was renewed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.matching.domain.specialist import Certification, Specialist


@dataclass(frozen=True, slots=True)
class Ending:
    """This certification ends in at most so many days; 0 means that it has ended."""

    certification: Certification
    days: int

    @property
    def key(self) -> str:
        """Tells it from every other certification of its holder."""
        return key(self.certification)


def key(certification: Certification) -> str:
    """Tells a certification from every other one of its holder."""
    return f"{certification.state}/{certification.valid_until.isoformat()}"


def due(specialist: Specialist, said: Mapping[str, int], steps: Sequence[int], at: datetime) -> list[Ending]:
    """The warnings whose time has come and that were not said; `said` is the last step of each by its key."""
    found: dict[str, Ending] = {}  # two of one state that end on one day are one warning
    for certification in _ending(specialist):
        ends = _ends(certification, specialist)
        reached = [step for step in steps if ends - timedelta(days=step) <= at]
        if reached and min(reached) < said.get(key(certification), max(steps) + 1):
            found[key(certification)] = Ending(certification, min(reached))
    return list(found.values())


def next_at(specialist: Specialist, said: Mapping[str, int], steps: Sequence[int]) -> datetime | None:
    """When the next warning is due, None where none will be."""
    moments = []
    for certification in _ending(specialist):
        last = said.get(key(certification), max(steps) + 1)
        left = [step for step in steps if step < last]
        if left:
            moments.append(_ends(certification, specialist) - timedelta(days=max(left)))
    return min(moments, default=None)


def _ending(specialist: Specialist) -> list[Certification]:
    """Those that no other one of theirs carries on."""
    mine = specialist.certifications
    return [one for one in mine if not any(_carries_on(other, one) for other in mine)]


def _carries_on(other: Certification, one: Certification) -> bool:
    return (
        other.state == one.state
        and other.valid_until > one.valid_until
        and other.valid_from <= one.valid_until + timedelta(days=1)
        and one.payers <= other.payers
        and one.age_bands <= other.age_bands
    )


def _ends(certification: Certification, specialist: Specialist) -> datetime:
    return certification.span(specialist.shifts.time_zone)[1]
