"""An organization subscribes to the changes of its own referrals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from chassis import telemetry
from chassis.aggregates import StaleVersion
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.ids import new_id
from services.intake.domain.outward import Subscription

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.outward import HeldSubscription, Wanted


def subscribe(
    room: Room, caller: Caller, draft: Subscription, wanted: Wanted, cause: Cause
) -> HeldSubscription:
    """It is stored as requested; active once its endpoint answered a handshake.

    Raises Refusal EXHAUSTED subscriptions-too-many.
    """
    most = room.settings.outward_subscriptions
    if len(room.subscriptions.of_sources([caller.organization_id])) >= most:
        message = f"An organization has {most} Subscriptions at most."
        raise Refusal("subscriptions-too-many", Kind.EXHAUSTED, message)
    subscription_id = new_id("sub").replace("_", "-")
    made = replace(draft, subscription_id=subscription_id, source_id=caller.organization_id)
    room.subscriptions.add(made, wanted, caller, cause)
    return read_subscription(room, caller, subscription_id)


def read_subscription(room: Room, caller: Caller, subscription_id: str) -> HeldSubscription:
    """The caller's organization's own; raises Refusal NOT_FOUND for any other, and the trail alone knows of it."""
    held = room.subscriptions.load(subscription_id)
    if held is not None and held.subscription.source_id != caller.organization_id:
        room.access.record_denied(
            caller,
            record_type="Subscription",
            record_id=subscription_id,
            action="read",
            reason_code="not-your-subscription",
            cause=telemetry.current_cause(),
        )
        held = None
    if held is None:
        raise Refusal("subscription-unknown", Kind.NOT_FOUND, "There is no such Subscription of yours.")
    return held


def resubscribe(
    room: Room,
    caller: Caller,
    subscription_id: str,
    write: Callable[[HeldSubscription], tuple[Subscription, Wanted]],
    cause: Cause,
    *,
    expected_version: int = 0,
) -> HeldSubscription:
    """What its owner wants now is stored; unless it is off, its endpoint is asked again whether it is there.

    Raises Refusal NOT_FOUND, CONFLICT version-stale, and what `write` raises.
    """
    held = _expected(room, caller, subscription_id, expected_version)
    after, wanted = write(held)
    due_at = room.clock.now() if after.status == "requested" else None
    _save(room, held, after, caller, cause, wanted=wanted, due_at=due_at)
    room.deliveries.note_success(subscription_id)  # whatever failed before was another endpoint's
    return read_subscription(room, caller, subscription_id)


def unsubscribe(
    room: Room, caller: Caller, subscription_id: str, cause: Cause, *, expected_version: int = 0
) -> None:
    """It is gone, with everything that waited for it; raises like `resubscribe`."""
    held = _expected(room, caller, subscription_id, expected_version)
    _save(room, held, replace(held.subscription, status="deleted"), caller, cause)
    room.deliveries.forget(subscription_id)


def _expected(room: Room, caller: Caller, subscription_id: str, expected_version: int) -> HeldSubscription:
    held = read_subscription(room, caller, subscription_id)
    if expected_version not in (0, held.version):
        raise _stale()
    return held


def _save(
    room: Room, held: HeldSubscription, after: Subscription, caller: Caller, cause: Cause, **more: object
) -> None:
    try:
        room.subscriptions.change(held, after, caller, cause, **more)  # type: ignore[arg-type]
    except StaleVersion:
        raise _stale() from None


def _stale() -> Refusal:
    return Refusal("version-stale", Kind.CONFLICT, "The Subscription has changed since it was read.")
