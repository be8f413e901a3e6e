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
from services.intake.handlers.reading import is_behind_glass, refuse_behind_glass

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.documents import Kept
    from services.intake.store.finding import Found

_ENOUGH = 2  # one match, or more than one
_AT_ONCE = 50


def search(
    room: Room, caller: Caller, wanted: Wanted, record_type: str, *, criteria: Sequence[str], cause: Cause
) -> Found:
    """One page of the caller's organization's referrals with PHI.

    The search, by the names of its criteria, and every record it found are in the audit trail before they leave.
    What is behind glass is counted, and does not leave; a search by who somebody is does not count it either.
    """
    find = _of_a_person if _is_by_person(caller, wanted) else _page
    found = find(room, caller, wanted)
    subjects = [(referral.referral_id, referral.peer_id) for referral, _ in found.rows]
    room.access.record_search(caller, record_type=record_type, criteria=criteria, found=subjects, cause=cause)
    return found


def _is_by_person(caller: Caller, wanted: Wanted) -> bool:
    """True where a number would tell a colleague that somebody they know is here: by record, order or pseudonym."""
    names_somebody = bool(wanted.people or wanted.orders) or wanted.peer_ids is not None
    return names_somebody and caller.role != "system"


def _page(room: Room, caller: Caller, wanted: Wanted) -> Found:
    found = room.finding.page(caller.organization_id, wanted)
    return replace(found, rows=tuple(row for row in found.rows if not is_behind_glass(caller, row[1])))


def _of_a_person(room: Room, caller: Caller, wanted: Wanted) -> Found:
    """As if what is behind glass were not there: pages are filled up, and the total is of what was seen to the end."""
    asked = replace(wanted, limit=wanted.limit or _AT_ONCE, count_to=0)
    found = _page(room, caller, asked)
    rows = found.rows
    while found.after is not None and len(rows) < asked.limit:
        left = asked.limit - len(rows)
        found = _page(room, caller, replace(asked, after=found.after, limit=left))
        rows += found.rows
    is_whole = found.after is None and wanted.after is None and len(rows) <= wanted.count_to
    total, shown = len(rows) if is_whole else None, rows if wanted.limit else ()
    return replace(found, rows=shown, total=total, after=found.after if wanted.limit else None)


def matching(room: Room, caller: Caller, wanted: Wanted) -> list[Referral]:
    """Whether the caller's organization has such a referral, or several; nothing that was sealed leaves.

    To a person what is behind glass is not there where they ask by who somebody is.
    """
    sought = replace(wanted, limit=_ENOUGH, count_to=0)
    if _is_by_person(caller, wanted):
        return [referral for referral, _ in _of_a_person(room, caller, sought).rows]
    return [referral for referral, _ in room.finding.page(caller.organization_id, sought).rows]


def look(room: Room, caller: Caller, referral_id: str, cause: Cause) -> tuple[Referral, Kept]:
    """The referral as it is, to be compared with what the caller wants it to be; nothing of it leaves.

    Raises ReferralUnknown, and GlassNeeded: whoever may compare with their guesses, reads.
    """
    held = own_referral(room, caller, referral_id, "update", cause)
    kept = room.referrals.open(held)
    refuse_behind_glass(room, caller, kept, "Referral", referral_id, cause=cause)
    return held.referral, kept
