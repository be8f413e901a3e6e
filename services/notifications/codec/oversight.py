"""What who leads and who reviews has to hear of: broken glass, and cases that wait for a decision."""

from __future__ import annotations

from datetime import timedelta

from chassis.clock import to_millisecond
from chassis.envelope import Envelope
from kindred.access.v1.events_pb2 import GlassBroken
from kindred.audit.v1.events_pb2 import ReviewOpened
from services.notifications.codec.facts import about, moment
from services.notifications.domain.intents import Happening

_REVIEWED_WITHIN = timedelta(hours=24)
# A case whose glass was broken is told by that event already.
_TOLD_ELSEWHERE = "break-glass"


def glass_broken(envelope: Envelope, event: GlassBroken) -> Happening:
    """Somebody read past a policy, named as `recipient_id` until it is known who has to hear of it.

    The same person, record and day are the same news.
    """
    happened_at, who = to_millisecond(envelope.time), event.provenance.actor_id
    return Happening(
        event=envelope.type,
        happened_at=happened_at,
        referral_id=event.referral_id or event.record_id,
        recipient_id=who,
        contact_id="",
        matter=f"{who}/{happened_at:%Y-%m-%d}",
        # A review is due then (services/audit/domain/review.py).
        deadline_at=happened_at + _REVIEWED_WITHIN,
        **about(event.provenance),
    )


def review_opened(envelope: Envelope, event: ReviewOpened) -> Happening | None:
    """A case that compliance has to decide; None where `glass.broken.v1` tells them of the same.

    All cases of one rule and day are the same news: a detection may find hundreds, and the list shows each of them.
    """
    if event.rule == _TOLD_ELSEWHERE:
        return None
    happened_at = to_millisecond(envelope.time)
    return Happening(
        event=envelope.type,
        happened_at=happened_at,
        referral_id="",
        # Who asked for the review by hand is not asked to decide it.
        recipient_id=event.provenance.actor_id,
        contact_id="",
        matter=f"{event.rule}/{happened_at:%Y-%m-%d}",
        deadline_at=moment(event, "due_at"),
        **about(event.provenance),
    )
