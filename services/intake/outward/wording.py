"""What a notification says: that something moved, where, and to which version; never what, and never about whom.

With a payload it is the id-only notification of HL7's "Subscriptions R5 Backport" for R4 (a Bundle of type history,
a Parameters with the subscription's status first); without one it is an empty body (R4 subscription.html, rest-hook).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from services.intake.domain.outward import Subscription
from services.intake.domain.referral import Referral
from services.intake.fhir.task import instant

_IG = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
Resource = dict[str, Any]


def handshake(subscription: Subscription, base: str, now: datetime) -> bytes:
    """Are you there?"""
    if not subscription.has_payload:
        return b""
    return _spelled([_status_entry(subscription, base, "handshake", 0, [])], now)


def moved(subscription: Subscription, referral: Referral, number: int, base: str, now: datetime) -> bytes:
    """The Task of this referral has a new version; `number` counts what this subscription was told."""
    if not subscription.has_payload:
        return b""
    where = f"{base}Task/{referral.referral_id}"
    event = {
        "name": "notification-event",
        "part": [
            {"name": "event-number", "valueString": str(number)},
            {"name": "timestamp", "valueInstant": instant(referral.state_at)},
            {"name": "focus", "valueReference": {"reference": where}},
        ],
    }
    status = _status_entry(subscription, base, "event-notification", number, [event])
    request = {"method": "PUT", "url": f"Task/{referral.referral_id}"}
    response = {"status": "200", "etag": f'W/"{referral.task_version}"'}
    entry: Resource = {"request": request, "response": response}
    return _spelled([status, {"fullUrl": where, **entry} if base else entry], now)


def _status_entry(
    subscription: Subscription, base: str, kind: str, number: int, events: list[Resource]
) -> Resource:
    where = f"Subscription/{subscription.subscription_id}"
    parameters = {
        "resourceType": "Parameters",
        "meta": {"profile": [_IG + "backport-subscription-status-r4"]},
        "parameter": [
            {"name": "subscription", "valueReference": {"reference": base + where}},
            {"name": "status", "valueCode": "requested" if kind == "handshake" else "active"},
            {"name": "type", "valueCode": kind},
            {"name": "events-since-subscription-start", "valueString": str(number)},
            *events,
        ],
    }
    return {
        "resource": parameters,
        "request": {"method": "GET", "url": f"{where}/$status"},
        "response": {"status": "200"},
    }


def _spelled(entries: list[Resource], now: datetime) -> bytes:
    bundle = {
        "resourceType": "Bundle",
        "meta": {"profile": [_IG + "backport-subscription-notification-r4"]},
        "type": "history",
        "timestamp": instant(now),
        "entry": entries,
    }
    return json.dumps(bundle, separators=(",", ":")).encode()
