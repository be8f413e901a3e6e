"""Reads for the referral's own source, each in the audit trail before it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.intake.domain import labels
from services.intake.domain.errors import GlassNeeded
from services.intake.domain.referral import Referral
from services.intake.domain.states import State
from services.intake.handlers.commanding import own_referral

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.documents import Kept
    from services.intake.store.referrals import Held

_LONGEST_LIST = 1_000
_USUAL_LIST = 100
_BREAKING = "BTG"


def read_referral(
    room: Room, caller: Caller, referral_id: str, record_type: str, cause: Cause, *, why_broken: str = ""
) -> tuple[Referral, Kept]:
    """A referral with PHI, for its own source; the read is in the audit trail before it leaves.

    A reader with purpose BTG says why (`why_broken`, a code), and the trail says that the glass was broken; without it
    the glass is open already (`break_glass`), and the trail says that they looked.
    Raises ReferralUnknown, also there: another hospital's referral is behind the peer's consent, and no policy; and
    GlassNeeded where its source labelled it very restricted.
    """
    held = own_referral(room, caller, referral_id, "read", cause)
    kept = room.referrals.open(held)
    about = _about(held, record_type)
    if caller.purpose_of_use == _BREAKING and why_broken:
        room.access.record_glass_broken(caller, **about, reason_code=why_broken, cause=cause)
        return held.referral, kept
    refuse_behind_glass(room, caller, kept, record_type, referral_id, cause=cause)
    room.access.record_read(caller, **about, action="read", cause=cause)
    return held.referral, kept


def break_glass(room: Room, caller: Caller, referral_id: str, why_broken: str, cause: Cause) -> None:
    """It is on record that the caller breaks the glass, and why; what they look at then is on record look by look.

    Raises ReferralUnknown.
    """
    held = own_referral(room, caller, referral_id, "read", cause)
    breaker = replace(caller, purpose_of_use=_BREAKING)
    room.access.record_glass_broken(breaker, **_about(held, "Referral"), reason_code=why_broken, cause=cause)


def is_behind_glass(caller: Caller, kept: Kept) -> bool:
    """True where a person of its own hospital reads it only past the glass: its source said "very restricted" (DS4P V).

    A colleague who is a patient, somebody known, somebody in danger from who may look: a curious reader gets nothing.
    The record system that sent it keeps its own glass.
    """
    return caller.role != "system" and labels.read(kept.submission.labels).confidentiality == "V"


def refuse_behind_glass(
    room: Room, caller: Caller, kept: Kept, record_type: str, referral_id: str, *, cause: Cause
) -> None:
    """Raises GlassNeeded, on record, where the caller is a person who has not broken the glass that it is behind."""
    if is_behind_glass(caller, kept) and caller.purpose_of_use != _BREAKING:
        _deny(room, caller, record_type, referral_id, cause)
        raise GlassNeeded


def _about(held: Held, record_type: str) -> dict[str, str]:
    referral = held.referral
    ids = {"record_id": referral.referral_id, "referral_id": referral.referral_id}
    return {"record_type": record_type, "subject_id": referral.peer_id, **ids}


def _deny(room: Room, caller: Caller, record_type: str, referral_id: str, cause: Cause) -> None:
    about = {"record_type": record_type, "record_id": referral_id, "action": "read"}
    room.access.record_denied(caller, **about, reason_code="glass-needed", cause=cause)


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
