"""An organization's worklist with beds and initials; every person on it is in the audit trail before it is shown."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.identity import Caller
from services.intake.domain.referral import Referral
from services.intake.handlers.reading import is_behind_glass

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.documents import Kept


@dataclass(frozen=True, slots=True)
class Listed:
    """A referral on the worklist; `kept` holds PHI, and its reader shows no more of it than the list needs.

    Of one that is behind glass it shows bed and state only.
    """

    referral: Referral
    kept: Kept
    is_behind_glass: bool = False


def read_worklist(
    room: Room, caller: Caller, cause: Cause, already_shown: Set[str] = frozenset()
) -> Sequence[Listed]:
    """What the caller's organization waits for, newest first.

    One that is `already_shown` on a page that stays open belongs to that page's first reading.
    """
    referrals = room.worklist.of(caller.organization_id, room.clock.now())
    kept = room.worklist.opened([one.referral_id for one in referrals])
    listed = [
        Listed(one, opened, is_behind_glass(caller, opened))
        for one in referrals
        if (opened := kept.get(one.referral_id)) is not None
    ]
    new = [one.referral for one in listed if one.referral.referral_id not in already_shown]
    if new or not already_shown:
        found = [(one.referral_id, one.peer_id) for one in new]
        room.access.record_search(caller, record_type="Referral", criteria=[], found=found, cause=cause)
    return listed
