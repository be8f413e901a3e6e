"""Who could come now, and how soon: counts for an ER that decides whether to ask, never who (DOMAIN 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.matching import candidates
from services.matching.domain.need import Need
from services.matching.domain.score import Scale

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

# Minutes from now; the last is the limit for an immediate referral.
BANDS = (20, 30, 45, 60)
# Ten means ten or more: a larger count says more about people than an ER needs.
MOST_COUNTED = 10
_NO_SCALE = Scale((), (), (), 0)


@dataclass(frozen=True)
class Capacity:
    """How many could be there within each band of minutes, and how many could ring; an estimate by distance."""

    bedside: tuple[tuple[int, int], ...]
    by_phone: int
    by_video: int
    at: datetime


def capacity(room: Room, need: Need, minutes_until_departure: int) -> Capacity:
    """The counts for a referral of this kind, if it came now; the hard rules are those a real one would meet.

    Asked with nothing but urgency, language, age band, payer and place: by an attribute, counts would tell what
    somebody keeps to themselves.  Raises Refusal UNAVAILABLE roster-not-here: too few would be a wrong answer.
    """
    room.roster_watch.refresh()
    candidates.at_hand(room, need)
    now = room.clock.now()
    bands = [
        minutes for minutes in BANDS if not minutes_until_departure or minutes <= minutes_until_departure
    ]
    bedside = [
        (
            minutes,
            _count(room, replace(need, expected_departure_at=now + timedelta(minutes=minutes)), "bedside"),
        )
        for minutes in bands
    ]
    return Capacity(tuple(bedside), _count(room, need, "phone"), _count(room, need, "video"), now)


def _count(room: Room, need: Need, way: str) -> int:
    asked = replace(candidates.wide(room, need, room.clock.now()), modalities=frozenset({way}))
    return len(room.index.propose(asked, _NO_SCALE, MOST_COUNTED).specialist_ids)
