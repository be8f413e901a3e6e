"""Searches among the caller's own referrals, in the audit trail before anything leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.identity import Caller
from services.intake.domain.referral import Referral
from services.intake.domain.wanted import Wanted
from services.intake.handlers.commanding import own_referral
from services.intake.handlers.reading import is_behind_glass

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.documents import Kept
    from services.intake.store.finding import Found

_ENOUGH = 2  # one match, or more than one


def search(
    room: Room, caller: Caller, wanted: Wanted, record_type: str, *, criteria: Sequence[str], cause: Cause
) -> Found:
    """One page of the caller's organization's referrals with PHI.

    The search, by the names of its criteria, and every record it found are in the audit trail before they leave.
    What is behind glass is counted, and does not leave.
    """
    found = room.finding.page(caller.organization_id, wanted)
    found = replace(found, rows=tuple(row for row in found.rows if not is_behind_glass(caller, row[1])))
    subjects = [(referral.referral_id, referral.peer_id) for referral, _ in found.rows]
    room.access.record_search(caller, record_type=record_type, criteria=criteria, found=subjects, cause=cause)
    return found


def matching(room: Room, caller: Caller, wanted: Wanted) -> list[Referral]:
    """Whether the caller's organization has such a referral, or several; nothing that was sealed leaves."""
    sought = replace(wanted, limit=_ENOUGH, count_to=0)
    return [referral for referral, _ in room.finding.page(caller.organization_id, sought).rows]


def look(room: Room, caller: Caller, referral_id: str, cause: Cause) -> tuple[Referral, Kept]:
    """The referral as it is, to be compared with what the caller wants it to be; nothing of it leaves.

    Raises ReferralUnknown.
    """
    held = own_referral(room, caller, referral_id, "update", cause)
    return held.referral, room.referrals.open(held)
