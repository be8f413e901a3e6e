"""A hospital's own system that subscribes, refers, and sees its referrals move."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from kindred.matching.v1.events_pb2 import OfferMade
from tests.bundles import a_bundle
from tests.integration.intake.intake_processes import Bus, Er, referral_of, until
from tests.integration.intake.outward_sides import Subscriber

# A quick pace, and receivers on this machine.
PACE = {
    "KINDRED_OUTWARD_ALLOW_PRIVATE": "1",
    "KINDRED_OUTWARD_FIRST_WAIT_S": "0.05",
    "KINDRED_OUTWARD_MOST_FAILURES": "6",
    "KINDRED_OUTWARD_TIMEOUT_S": "1.5",
    "KINDRED_OUTWARD_LEASE_S": "2.5",
}


# Every Task but new ones, so that a test's first notification is of the first move.
MOVED = "Task?status=on-hold,rejected,accepted,in-progress,completed,cancelled,failed,entered-in-error"


class Desk:
    """A hospital's own system, that subscribes."""

    def __init__(self, er: Er, organization_id: str) -> None:
        self.er = replace(er, role="system", actor_id="his", organization_id=organization_id)

    def subscribe(self, url: str, **given: Any) -> httpx.Response:
        """POST /fhir/Subscription."""
        channel = {"type": "rest-hook", "endpoint": url, "payload": "application/fhir+json"}
        resource = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "To know who comes",
            "criteria": MOVED,
            "channel": channel | given.pop("channel", {}),
            **given,
        }
        headers = {**self.er.headers(), "Content-Type": "application/fhir+json"}
        return httpx.post(f"{self.er.base}/fhir/Subscription", json=resource, headers=headers, timeout=15)

    def put(self, resource: dict[str, Any], **headers: str) -> httpx.Response:
        """PUT /fhir/Subscription/{id}."""
        sent = {**self.er.headers(), "Content-Type": "application/fhir+json", **headers}
        url = f"{self.er.base}/fhir/Subscription/{resource['id']}"
        return httpx.put(url, json=resource, headers=sent, timeout=15)

    def delete(self, subscription_id: str) -> httpx.Response:
        """DELETE /fhir/Subscription/{id}."""
        url = f"{self.er.base}/fhir/Subscription/{subscription_id}"
        return httpx.delete(url, headers=self.er.headers(), timeout=15)

    def shown(self, subscription_id: str) -> dict[str, Any]:
        """The Subscription as it stands."""
        shown: dict[str, Any] = self.er.get(f"Subscription/{subscription_id}").json()
        return shown

    def active(self, side: Subscriber, **given: Any) -> tuple[str, str]:
        """A subscription whose handshake was answered: its id and its secret."""
        made = self.subscribe(side.url, **given)
        assert made.status_code == 201, made.text
        subscription_id = made.json()["id"]
        until("active", lambda: self.shown(subscription_id)["status"] == "active")
        return subscription_id, made.json()["channel"]["extension"][0]["valueString"]


def refer(desk: Desk, name: str) -> str:
    """A new referral of the desk's organization."""
    return referral_of(desk.er.post(a_bundle(f"{name}-{desk.er.organization_id}")))


def move(bus: Bus, referral_id: str) -> None:
    """Somebody is asked: version 2."""
    bus.say(OfferMade(referral_id=referral_id, offer_id=f"off-{referral_id}"))
