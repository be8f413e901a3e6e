"""How a notice begins: from a line of the table and what happened, due now, or dead or cancelled from the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.notifications.domain.events import Event
from services.notifications.domain.intents import Happening, Rule, expires_at, notice_id, urgency_of
from services.notifications.domain.notices import Notice, Reason, State, cancel, give_up


@dataclass(frozen=True)
class Opening:
    """A notice about to be stored, what it says, and the secret of its link."""

    notice: Notice
    events: Sequence[Event] = ()
    link_token: str = field(default="", repr=False)


def open_notice(
    rule: Rule, happening: Happening, now: datetime, *, is_reachable: bool
) -> tuple[Notice, list[Event]]:
    """A notice that is due now; dead from the start where it comes too late or there is no address."""
    notice = _fresh(rule, happening, now)
    if now >= notice.expires_at:
        return give_up(notice, Reason.EXPIRED)
    if not is_reachable:
        return give_up(notice, Reason.NO_ADDRESS)
    return notice, []


def open_cancelled(rule: Rule, happening: Happening, now: datetime) -> Notice:
    """A notice that must never be sent: it takes the place of one whose event is still on its way."""
    return cancel(_fresh(rule, happening, now), Reason.OFFER_CLOSED)


def _fresh(rule: Rule, happening: Happening, now: datetime) -> Notice:
    return Notice(
        notice_id=notice_id(rule, happening),
        intent=rule.intent,
        recipient_id=happening.recipient_id,
        contact_id=happening.contact_id,
        referral_id=happening.referral_id,
        offer_id=happening.offer_id,
        channel=rule.channels[0],
        urgency=urgency_of(rule, happening),
        opened_at=now,
        expires_at=expires_at(rule, happening),
        state=State.DUE,
        due_at=now,
        deadline_at=happening.deadline_at,
        promised_arrival_at=happening.promised_arrival_at,
        modality=happening.modality,
        referral_version=happening.version,
        last_day=happening.last_day,
        peer_id=happening.peer_id,
        organization_id=happening.organization_id,
        purpose_of_use=happening.purpose_of_use,
    )
