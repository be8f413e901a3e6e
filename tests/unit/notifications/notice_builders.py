"""Builders of happenings and notices with character; plainly fictional."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.notifications.domain.intents import TABLE, Happening, Intent, Rule
from services.notifications.domain.notices import Notice
from services.notifications.domain.opening import open_notice

NOW = datetime(2026, 5, 5, 19, 0, tzinfo=UTC)


def rule_of(intent: Intent) -> Rule:
    """The line of the table for an intent."""
    return next(rule for rule in TABLE if rule.intent is intent)


def a_happening(intent: Intent = Intent.OFFER_MADE, **changes: Any) -> Happening:
    """Something that happened five minutes before an offer's deadline, with help twenty minutes away."""
    rule = rule_of(intent)
    facts: dict[str, Any] = {
        "event": rule.event,
        "status": rule.status,
        "happened_at": NOW,
        "referral_id": "ref_0192f3aa7b31",
        "recipient_id": "sp_ines_calloway",
        "contact_id": "specialist-contact:sp_ines_calloway",
        "offer_id": "off_0192f3aa7b32",
        "deadline_at": NOW + timedelta(minutes=5),
        "promised_arrival_at": NOW + timedelta(minutes=20),
        "modality": "bedside",
        "urgency": "immediate",
        "last_day": "2026-06-04",
        "matter": "sp_ines_calloway/IL",
        "peer_id": "peer_0192f3aa7b33",
        "organization_id": "org_harbor_lights",
        "purpose_of_use": "TREAT",
        "link_token": "tok-9f8e7d",
    }
    return Happening(**{**facts, **changes})


def a_notice(intent: Intent = Intent.OFFER_MADE, **changes: Any) -> Notice:
    """A notice that is due now."""
    notice, _ = open_notice(rule_of(intent), a_happening(intent, **changes), NOW, is_reachable=True)
    return notice
