"""Sends what is due: write the try down, send, settle; a few senders, woken at once, crash-safe at every step.

Knows no framework: the senders are `threading` threads, which are greenlets in a patched process.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from chassis import logs, telemetry
from chassis.aggregates import StaleVersion
from chassis.clock import Clock
from chassis.failpoints import failpoint
from chassis.mongo import is_outside_trouble
from services.intake.domain import outward
from services.intake.domain.errors import ReferralUnknown
from services.intake.domain.outward import Delivery, Health, Kind
from services.intake.domain.referral import Referral
from services.intake.outward import criteria
from services.intake.outward.reaching import Reach
from services.intake.outward.verdicts import Pace, Verdicts
from services.intake.store.outward import HeldDelivery, HeldSubscription

if TYPE_CHECKING:
    from services.intake.bootstrap import Room

ATTEMPTS = Counter(
    "kindred_outward_attempts_total", "Tries to tell a receiver, by how they ended.", ["kind", "outcome"]
)
WAITING = Gauge("kindred_outward_waiting", "Referrals of which a receiver has not heard the newest.")
_SENDERS = 4
_MOST_PER_RECEIVER = 2  # in hand at once: a slow one leaves hands for the others
_ASIDE_S = 0.25
_IDLE_S = 1.0
_PAUSE_S = 0.5
log = logs.get()


class Sending:
    """The senders of one worker process; `ring` wakes them."""

    def __init__(self, room: Room, reach: Reach, pace: Pace, clock: Clock) -> None:
        self._room, self._reach, self._pace, self._clock = room, reach, pace, clock
        self._verdicts = Verdicts(room, pace, clock)
        self._bell = threading.Condition()
        self._rung = 0
        self._in_hand: Tally[str] = Tally()
        self._is_stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """The senders run; safe to repeat."""
        if not self._threads:
            names = [f"outward-{number}" for number in range(1, _SENDERS + 1)]
            self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
            for thread in self._threads:
                thread.start()

    def ring(self) -> None:
        """Whoever waits looks for what is due now."""
        with self._bell:
            self._rung += 1
            self._bell.notify_all()

    def stop(self, wait_s: float = 10.0) -> None:
        """No new send begins; those that run have `wait_s` to end."""
        self._is_stopping = True
        self.ring()
        until = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def measure(self) -> None:
        """The gauge says how many wait."""
        WAITING.set(self._room.deliveries.count_waiting())

    def _work(self) -> None:
        while not self._is_stopping:
            rung = self._rung
            if not self._guarded(self._step):
                with self._bell:
                    if self._rung == rung and not self._is_stopping:
                        self._bell.wait(_IDLE_S)

    def _guarded(self, step: Callable[[], bool]) -> bool:
        """Trouble never ends a sender: the claim runs out and the row is due again."""
        try:
            return step()
        except StaleVersion:
            return True  # somebody else was quicker: look again
        except Exception as exc:
            kind = "trouble-outside" if is_outside_trouble(exc) else "bug"
            log.warning("outward.step-failed", kind=kind, error=type(exc).__name__, exc_info=kind == "bug")
            time.sleep(_PAUSE_S)
            return False

    def _step(self) -> bool:
        for held in self._room.subscriptions.claim_due(1, self._pace.lease_s):
            self._look_after(held)
            return True
        for row in self._room.deliveries.claim_due(1, self._pace.lease_s):
            self._in_turn(row)
            return True
        return False

    def _look_after(self, held: HeldSubscription) -> None:
        """A handshake that is due, or an end that has come."""
        subscription, now = held.subscription, self._clock.now()
        if subscription.ends_at is not None and subscription.ends_at <= now:
            self._verdicts.switch(held, replace(subscription, status="off", error="ended"))
        elif subscription.status == "requested":
            told = self._reach.greet(held, self._room.subscriptions.open(held))
            ATTEMPTS.labels("handshake", told.outcome).inc()
            self._verdicts.of_handshake(held, told)
            self.ring()
        else:
            self._verdicts.switch(held, subscription)

    def _in_turn(self, held: HeldDelivery) -> None:
        receiver_id = held.delivery.receiver_id
        if self._in_hand[receiver_id] >= _MOST_PER_RECEIVER:
            self._put_back(held, self._clock.now() + timedelta(seconds=_ASIDE_S))
            return
        self._in_hand[receiver_id] += 1
        try:
            with telemetry.continue_trace(held.cause.traceparent), telemetry.span("outward.deliver"):
                self._deliver(held)
        finally:
            self._in_hand[receiver_id] -= 1

    def _deliver(self, held: HeldDelivery) -> None:
        delivery, rows = held.delivery, self._room.deliveries
        health = rows.health(delivery.receiver_id)
        if health.is_resting(self._clock.now()):
            self._put_back(held, health.retry_at)
            return
        subscription = self._subscription_of(delivery)
        if not self._reach.is_there(delivery, subscription):
            self._put_back(held, None)
            return
        referral = self._referral_of(delivery)
        if delivery.is_done:  # it was due for nothing new; what came meanwhile is told next
            rows.revise(delivery.delivery_id, lambda one: outward.rest(one, self._clock.now()))
            return
        if referral is None or not _is_asked_for(subscription, referral):
            version = referral.task_version if referral else delivery.wanted
            rows.revise(
                delivery.delivery_id,
                lambda one: outward.rest(outward.passed_over(one, version), self._clock.now()),
            )
            return
        self._try(held, subscription, referral, health)

    def _try(
        self, held: HeldDelivery, subscription: HeldSubscription | None, referral: Referral, health: Health
    ) -> None:
        rows, delivery = self._room.deliveries, held.delivery
        number = delivery.event_number
        if subscription is not None and not number:
            number = self._room.subscriptions.next_number(delivery.receiver_id)
        begun = outward.begin(delivery, referral.task_version, number, self._clock.now())
        attempt = begun.attempt
        assert attempt is not None
        failpoint("outward.before_mark")
        try:
            rows.save(held, begun, held.loaded.due_at)
        except StaleVersion:  # it moved on meanwhile
            self._keep_number(delivery, number)
            raise
        failpoint("outward.after_mark_before_send")
        told = self._reach.tell(begun, attempt, subscription, referral, held.cause)
        failpoint("outward.after_send_before_settle")
        ATTEMPTS.labels(delivery.kind.value, told.outcome).inc()
        log.info(
            "outward.attempt",
            referral_id=delivery.referral_id,
            attempt=attempt.number,
            outcome=told.outcome.value,
            code=told.code,
        )
        again_at = self._verdicts.of_try(begun, attempt.number, subscription, told, health)

        def settled(newest: Delivery) -> tuple[Delivery, datetime | None]:
            return outward.settle(newest, attempt, told.outcome, again_at, self._clock.now())

        self._settle(lambda: rows.revise(delivery.delivery_id, settled))

    def _keep_number(self, delivery: Delivery, number: int) -> None:
        """A number that was taken waits for the next try: a missing one would look like news that was lost."""

        def kept(newest: Delivery) -> tuple[Delivery, datetime | None]:
            return replace(newest, event_number=newest.event_number or number), self._clock.now()

        if number != delivery.event_number:
            self._room.deliveries.revise(delivery.delivery_id, kept)

    def _settle(self, step: Callable[[], None]) -> None:
        """The answer is known only here, so a database that is away is waited for, up to a lease."""
        until = time.monotonic() + self._pace.lease_s
        while True:
            try:
                return step()
            except Exception as exc:
                if not is_outside_trouble(exc) or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)

    def _put_back(self, held: HeldDelivery, due_at: datetime | None) -> None:
        self._room.deliveries.save(held, held.delivery, due_at)

    def _subscription_of(self, delivery: Delivery) -> HeldSubscription | None:
        return (
            self._room.subscriptions.load(delivery.receiver_id) if delivery.kind is Kind.REST_HOOK else None
        )

    def _referral_of(self, delivery: Delivery) -> Referral | None:
        try:
            return self._room.referrals.load(delivery.referral_id).referral
        except ReferralUnknown:
            return None


def _is_asked_for(held: HeldSubscription | None, referral: Referral) -> bool:
    return held is None or criteria.parse(held.subscription.criteria).fits(referral)
