"""Who a person is, for medical personnel in a medical emergency (42 CFR 2.51): the four facts are on record first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.intake.domain import emergency
from services.intake.handlers.commanding import own_referral

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.documents import Kept


def disclose_in_emergency(
    room: Room,
    caller: Caller,
    referral_id: str,
    *,
    recipient_id: str,
    recipient_affiliation: str,
    nature_code: str,
    cause: Cause,
) -> Kept:
    """What may be told: recipient with affiliation, discloser, moment and nature are durable before this returns.

    An emergency needs no consent, but it is no override of a dissent: where the person took theirs back the refusal is
    `emergency-dissent`, and it is in the audit trail.  Raises ReferralUnknown for another hospital's referral, and
    Refusal INVALID where the recipient is none, or is the person.
    """
    emergency.require_recipient(recipient_id, recipient_affiliation)
    held = own_referral(room, caller, referral_id, "read", cause)
    if held.referral.is_consent_revoked:
        code = "emergency-dissent"
        room.access.record_denied(
            caller,
            record_type="Referral",
            record_id=referral_id,
            action="read",
            reason_code=code,
            cause=cause,
        )
        message = "The person took their consent back; an emergency is no override of that."
        raise Refusal(code, Kind.CONFLICT, message)
    kept = room.referrals.open(held)
    emergency.require_not_about(kept.person, recipient_id, recipient_affiliation)
    room.access.record_emergency(
        caller,
        referral_id=referral_id,
        subject_id=held.referral.peer_id,
        recipient_id=recipient_id,
        recipient_affiliation=recipient_affiliation,
        nature_code=nature_code,
        cause=cause,
    )
    return kept
