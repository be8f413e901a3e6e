"""Reads for the referral's own source, each in the audit trail before it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.intake.domain.referral import Referral
from services.intake.domain.states import State
from services.intake.handlers.commanding import own_referral

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.documents import Kept

_LONGEST_LIST = 1_000
_USUAL_LIST = 100


def read_referral(
    room: Room, caller: Caller, referral_id: str, record_type: str, cause: Cause, *, why_broken: str = ""
) -> tuple[Referral, Kept]:
    """A referral with PHI, for its own source; the read is in the audit trail before it leaves.

    A reader with purpose BTG says why (`why_broken`, a code), and the trail says that the glass was broken.
    Raises ReferralUnknown, also there: another hospital's referral is behind the peer's consent, and no policy.
    """
    held = own_referral(room, caller, referral_id, "read", cause)
    kept = room.referrals.open(held)
    about = {
        "record_type": record_type,
        "record_id": referral_id,
        "subject_id": held.referral.peer_id,
        "referral_id": referral_id,
    }
    if caller.purpose_of_use == "BTG":
        room.access.record_glass_broken(caller, **about, reason_code=why_broken, cause=cause)
    else:
        room.access.record_read(caller, **about, action="read", cause=cause)
    return held.referral, kept


def list_referrals(room: Room, caller: Caller, status: str, limit: int, cause: Cause) -> Sequence[Referral]:
    """The caller's organization's referrals, newest first, without PHI; audited like any read."""
    faults = []
    if status and status not in set(State):
        faults.append(Fault("status", "state-unknown", "There is no such state."))
    if not 0 <= limit <= _LONGEST_LIST:
        faults.append(Fault("limit", "out-of-range", f"The limit is between 0 and {_LONGEST_LIST}."))
    if faults:
        raise Refusal("criteria-invalid", Kind.INVALID, faults=faults)
    found = room.referrals.newest(caller.organization_id, status, limit or _USUAL_LIST)
    room.access.record_read(
        caller,
        record_type="Referral",
        record_id="",
        action="search",
        criteria=["status"] if status else [],
        cause=cause,
    )
    return found
