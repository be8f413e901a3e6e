"""What a simulation is asked for, and what became of each referral in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.matching.domain.case import Case
from services.matching.simulation.people import Coming


@dataclass(frozen=True)
class Wanted:
    """How large, how long, which seed; `waves` is the immediate ladder as size:seconds,size:seconds.

    With `faults` things go wrong at random, by the same seed.
    """

    hospitals: int = 5
    specialists: int = 150
    days: int = 14
    seed: int = 7
    per_day: float = 6.0
    waves: str = "3:300,5:300"
    plots: str = ""
    faults: bool = False


@dataclass
class Story:
    """What became of one referral."""

    coming: Coming
    case: Case
    first_accepted_at: datetime | None = None
    promised_at: datetime | None = None
    was_unfilled: bool = False
    handoff: str = ""
    reached: int = 0
    missed: int = 0
    looked_at: int = 0
