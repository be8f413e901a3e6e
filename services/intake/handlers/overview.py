"""A source's referrals without PHI: page by page, and one of them as it moves; audited before they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.intake.domain.listing import LONGEST_PAGE, USUAL_PAGE, Criteria, Page, Unmapped, check
from services.intake.domain.referral import Referral
from services.intake.handlers.commanding import own_referral

if TYPE_CHECKING:
    from services.intake.bootstrap import Room


def page_of_referrals(room: Room, caller: Caller, criteria: Criteria, cause: Cause) -> Page:
    """One page of the caller's organization's referrals, newest first.

    New referrals do not move what is on later pages.  Raises Refusal INVALID with every fault of the criteria.
    """
    check(criteria)
    page = room.listing.page(caller.organization_id, criteria)
    room.access.record_read(
        caller,
        record_type="Referral",
        record_id="",
        action="search",
        criteria=criteria.named(),
        cause=cause,
    )
    return page


def watch_referral(room: Room, caller: Caller, referral_id: str, cause: Cause) -> Referral:
    """The referral as it is now, for its own source that goes on watching it; that is in the audit trail once.

    Raises ReferralUnknown.
    """
    referral = own_referral(room, caller, referral_id, "watch", cause).referral
    room.access.record_read(
        caller,
        record_type="Referral",
        record_id=referral_id,
        action="watch",
        subject_id=referral.peer_id,
        referral_id=referral_id,
        cause=cause,
    )
    return referral


def unmapped_codes(room: Room, limit: int) -> Unmapped:
    """Codes the taxonomy does not map yet, the most frequent first; raises Refusal INVALID."""
    if not 0 <= limit <= LONGEST_PAGE:
        message = f"The limit is between 0 and {LONGEST_PAGE}."
        raise Refusal("out-of-range", Kind.INVALID, faults=[Fault("limit", "out-of-range", message)])
    return room.code_counts.most(limit or USUAL_PAGE)
