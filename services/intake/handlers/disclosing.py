"""PHI to somebody outside the source: decided by the consent, on record before it leaves."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.intake.domain import asking, disclosure
from services.intake.domain import consent as consents
from services.intake.domain.disclosure import Disclosure
from services.intake.domain.errors import DisclosureDenied, ReferralUnknown

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.referrals import Held

_MOST_TRIES = 20
_LONGEST_PAUSE_S = 0.02
_TREATMENT = "TREAT"


def resolve_person(
    room: Room, caller: Caller, referral_id: str, *, cause: Cause, why_broken: str = ""
) -> Disclosure:
    """Who and where the peer is, for the specialist who was assigned; durable in the trail before it is returned.

    Who leads the specialist's programme breaks the glass for it and says why (`why_broken`, a code that was checked):
    that overrides who was assigned, and never the person's consent.

    The disclosure is written onto the referral as it was read: a revocation in between makes it stale, and it is
    decided again.
    Raises ReferralUnknown, also for a referral that is somebody else's (the trail knows the difference), and
    DisclosureDenied with the reason, which is in the trail, too.
    """
    reason = disclosure.denial_of_caller(caller.role, caller.purpose_of_use)
    if reason:
        raise _denied(room, caller, referral_id, reason, cause)
    for _ in range(_MOST_TRIES):
        held = room.referrals.load(referral_id)
        told = _told(room, caller, held, why_broken, cause)
        if told is not None:
            return told
        time.sleep(random.uniform(0, _LONGEST_PAUSE_S))
    raise Refusal("referral-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)


def _told(room: Room, caller: Caller, held: Held, why_broken: str, cause: Cause) -> Disclosure | None:
    referral, is_leading = held.referral, caller.role in disclosure.LEADS
    reason = disclosure.denial(referral, caller.role, caller.actor_id, caller.organization_id)
    if reason:
        raise _denied(room, caller, referral.referral_id, reason, cause)
    submission = room.referrals.open(held).submission
    recipients = (caller.actor_id, caller.organization_id)
    # The glass is no purpose that a consent names: somebody is treated, or nothing leaves.
    purpose = _TREATMENT if is_leading else caller.purpose_of_use
    ask = asking.for_specialist(submission, room.settings.consent_recipients, recipients, purpose)
    decision = consents.decide(submission.consent, ask, room.clock.now())
    if not decision.is_permitted:
        raise _denied(room, caller, referral.referral_id, decision.reason_code, cause)
    recipient_class = disclosure.LEADERS_CLASS if is_leading else disclosure.RECIPIENT_CLASS
    told, made = disclosure.disclose(referral, submission, decision, caller.actor_id, recipient_class)
    is_stored = room.referrals.change(held, referral, room.says([made], caller, cause))
    if is_stored and is_leading:
        room.access.record_glass_broken(
            caller,
            record_type="Referral",
            record_id=referral.referral_id,
            subject_id=referral.peer_id,
            referral_id=referral.referral_id,
            reason_code=why_broken,
            cause=cause,
        )
    return told if is_stored else None


def _denied(room: Room, caller: Caller, referral_id: str, reason: str, cause: Cause) -> Refusal:
    room.access.record_denied(
        caller,
        record_type="Referral",
        record_id=referral_id,
        action="disclose",
        reason_code=reason,
        cause=cause,
    )
    return ReferralUnknown() if reason == disclosure.NOT_YOURS else DisclosureDenied(reason)
