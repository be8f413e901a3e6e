"""One referral followed live for one caller: as it is now, then each change, until it is closed."""

from __future__ import annotations

from collections.abc import Callable

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.live_streams import News
from kindred.intake.v1 import intake_pb2
from services.intake import codec, handlers
from services.intake.bootstrap import Room
from services.intake.domain.referral import Referral
from services.intake.domain.states import CLOSED
from services.intake.watching import Hub, Subscription


class LiveReferral:
    """A feed of summaries (chassis.live_streams); the first look is audited, the others belong to it."""

    def __init__(self, room: Room, hub: Hub, caller: Caller, referral_id: str, cause: Cause) -> None:
        self._room, self._hub, self._caller = room, hub, caller
        self._referral_id, self._cause = referral_id, cause
        self._subscription: Subscription | None = None
        self._told_version = 0

    def listen(self, wake: Callable[[], None]) -> None:
        """From here on each change wakes the stream."""
        self._subscription = self._hub.subscribe(referral_id=self._referral_id, wake=wake)

    def look(self) -> News:
        """The referral, if its version is new; raises what `handlers.watch_referral` raises, or UNAVAILABLE."""
        assert self._subscription is not None
        while self._subscription.next(0) is not None:
            pass  # one look covers them all
        referral = self._read()
        if referral.task_version > self._told_version:
            self._told_version = referral.task_version
            told = [intake_pb2.WatchReferralResponse(summary=codec.summary_to_proto(referral))]
            return News(told, is_over=referral.state in CLOSED)
        if self._subscription.is_closed:
            raise Refusal("stopping", Kind.UNAVAILABLE, "This process stops; watch again.", retry_after_s=1)
        return News()

    def close(self) -> None:
        """Nothing wakes the stream any more."""
        if self._subscription is not None:
            self._subscription.close()

    def _read(self) -> Referral:
        if self._told_version:
            return self._room.referrals.load(self._referral_id).referral
        return handlers.watch_referral(self._room, self._caller, self._referral_id, self._cause)
