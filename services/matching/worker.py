"""Door 2: what matching hears, and the clock that moves its offers; about three lines each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis import roles, telemetry
from chassis.hearing import Heard, every, hears
from services.matching import codec, handlers
from services.matching.bootstrap import Room, build_room, prepare
from services.matching.settings import Settings

_BATCH = 64
_WAIT_S = 0.005


class Worker:
    """Opens a case for every referral and keeps the ladder moving."""

    name = "matching"

    def __init__(self, room: Room) -> None:
        self.room = room

    @hears("referral.submitted.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_referral_submitted(self, batch: Sequence[Heard]) -> None:
        """The best specialists have an offer each."""
        submitted = [handlers.Submitted(codec.need(heard.message), heard.cause) for heard in batch]
        handlers.open_cases(self.room, submitted)

    @hears("referral.stopped.v1")
    def on_referral_stopped(self, heard: Heard) -> None:
        """Open offers are withdrawn, an assignment ends, the case is closed."""
        message = heard.message
        handlers.stop(self.room, codec.stopped_need(message), message.stop_code, heard.cause)

    @hears("referral.revised.v1")
    def on_referral_revised(self, heard: Heard) -> None:
        """The case goes on with the new facts."""
        handlers.revise(self.room, codec.need(heard.message), heard.message.revision, heard.cause)

    @hears("notice.failed.v1")
    def on_notice_failed(self, heard: Heard) -> None:
        """An offer that never arrived does not hold the referral up until its deadline."""
        told = heard.message
        if codec.is_offer_unheard(told):
            handlers.not_delivered(self.room, told.referral_id, told.offer_id, heard.cause)

    @every(0.5)
    def advance_due(self) -> None:
        """Late offers are expired, waiting cases go to their next wave."""
        while handlers.advance_due(self.room, telemetry.current_cause()):
            pass

    @every(1.0)
    def watch_roster(self) -> None:
        """The index is at most a second behind the roster, and so are the offers that are out."""
        handlers.follow_roster(self.room, telemetry.current_cause())

    @every(60.0)
    def warn_of_certifications(self) -> None:
        """Whoever has to renew a certification is known in time."""
        while handlers.warn_expiring(self.room, telemetry.current_cause()):
            pass


def run(environ: Mapping[str, str]) -> int:
    """Hears and watches until it is told to stop."""
    return roles.run_worker(
        Settings, environ, service="matching", build_room=build_room, prepare=prepare, worker=Worker
    )
