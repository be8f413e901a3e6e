"""What a receiver's answer means for it: when to try again, when a subscription has failed often enough to be off."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import Counter

from chassis import logs, telemetry
from chassis.aggregates import StaleVersion
from chassis.clock import Clock
from chassis.identity import Caller
from chassis.retries import jittered
from services.intake.domain.outward import TROUBLE, Delivery, Health, Kind, Outcome, Subscription
from services.intake.outward.hooks import Told
from services.intake.store.outward import HeldSubscription

if TYPE_CHECKING:
    from services.intake.bootstrap import Room

STOPPED = Counter(
    "kindred_outward_stopped_total",
    "Alarm: a subscription switched off, or a message an engine refused for good.",
    ["kind", "reason"],
)
SYSTEM = Caller("system:intake", "system", "", "COC")
_LONGEST_WAIT_S = 3_600.0
_MOST_TRIES = 10
log = logs.get()


@dataclass(frozen=True)
class Pace:
    """How hard to try."""

    first_wait_s: float = 5.0
    most_failures: int = 16
    lease_s: float = 60.0


class Verdicts:
    """Keeps the health of receivers and the status of subscriptions."""

    def __init__(self, room: Room, pace: Pace, clock: Clock) -> None:
        self._room, self._pace, self._clock = room, pace, clock

    def of_handshake(self, held: HeldSubscription, told: Told) -> None:
        """Active where it was answered; else another one later, or off."""
        subscription = held.subscription
        if told.outcome is Outcome.DELIVERED:
            self._room.deliveries.note_success(subscription.subscription_id)
            self.switch(held, replace(subscription, status="active", error=""))
            self._room.deliveries.wake(subscription.subscription_id)
            return
        health = self._note_failure(subscription.subscription_id, told)
        if self._is_enough(health, told):
            self._switch_off(held, told.code)
        else:
            after = replace(subscription, error=told.code)
            self._room.subscriptions.change(
                held, after, SYSTEM, telemetry.current_cause(), due_at=health.retry_at
            )

    def of_try(
        self,
        delivery: Delivery,
        tries: int,
        subscription: HeldSubscription | None,
        told: Told,
        health: Health,
    ) -> datetime:
        """What the try means for the receiver; returns when a failed one may be repeated."""
        rows = self._room.deliveries
        own_wait = self._clock.now() + timedelta(seconds=self._wait_s(tries - 1, told))
        if told.outcome is Outcome.DELIVERED or (delivery.kind is Kind.HL7 and told.outcome not in TROUBLE):
            if health.failures:
                rows.note_success(delivery.receiver_id)
            if subscription is not None and subscription.subscription.status == "error":
                self._switch_now(delivery.receiver_id, status="active", error="")
            if told.outcome is Outcome.REFUSED:
                STOPPED.labels(delivery.kind.value, told.code).inc()
                log.error("outward.refused", referral_id=delivery.referral_id, code=told.code)
            return own_wait
        after = self._note_failure(delivery.receiver_id, told, health)
        if subscription is not None:
            if self._is_enough(after, told):
                self._switch_now(delivery.receiver_id, status="off", error=told.code)
            elif subscription.subscription.error != told.code or subscription.subscription.status == "active":
                self._switch_now(delivery.receiver_id, status="error", error=told.code)
        return after.retry_at or own_wait

    def _note_failure(self, receiver_id: str, told: Told, seen: Health | None = None) -> Health:
        seen = seen or self._room.deliveries.health(receiver_id)
        return self._room.deliveries.note_failure(receiver_id, seen, self._wait_s(seen.failures, told))

    def _wait_s(self, tries: int, told: Told) -> float:
        wait_s = jittered(self._pace.first_wait_s, tries, _LONGEST_WAIT_S)
        return max(wait_s, told.retry_after_s * random.uniform(1.0, 1.1))

    def _is_enough(self, health: Health, told: Told) -> bool:
        return told.outcome is Outcome.GONE or health.failures >= self._pace.most_failures

    def _switch_now(self, subscription_id: str, *, status: str, error: str) -> None:
        """The newest state of the subscription gets this status, unless its owner has changed it meanwhile."""
        for _ in range(_MOST_TRIES):
            held = self._room.subscriptions.load(subscription_id)
            if held is None or not held.subscription.is_told:
                return
            with suppress(StaleVersion):
                if status == "off":
                    self._switch_off(held, error)
                else:
                    self.switch(held, replace(held.subscription, status=status, error=error))
                return

    def _switch_off(self, held: HeldSubscription, code: str) -> None:
        self.switch(held, replace(held.subscription, status="off", error=code))
        STOPPED.labels(Kind.REST_HOOK.value, "switched-off").inc()
        log.error("outward.switched-off", source=held.subscription.source_id, code=code)

    def switch(self, held: HeldSubscription, after: Subscription) -> None:
        """The subscription has this state, due at its end."""
        due_at = after.ends_at if after.is_told else None
        self._room.subscriptions.change(held, after, SYSTEM, telemetry.current_cause(), due_at=due_at)
