"""Door 2: what intake hears from matching, about three lines each."""

from __future__ import annotations

from collections.abc import Mapping

from chassis import roles
from chassis.clock import to_millisecond
from chassis.hearing import Heard, hears
from services.intake import codec, handlers
from services.intake.bootstrap import NAME, Room, build_room, prepare
from services.intake.settings import Settings


class Worker:
    """Moves the source's view of a referral."""

    name = NAME

    def __init__(self, room: Room) -> None:
        self.room = room

    @hears("offer.made.v1")
    def on_offer_made(self, heard: Heard) -> None:
        """Somebody is asked."""
        handlers.seek(self.room, heard.message.referral_id, to_millisecond(heard.envelope.time), heard.cause)

    @hears("offer.accepted.v1")
    def on_offer_accepted(self, heard: Heard) -> None:
        """Somebody comes."""
        assignment = codec.assignment_from_proto(heard.message)
        said_at = to_millisecond(heard.envelope.time)
        handlers.assign(self.room, heard.message.referral_id, assignment, said_at, heard.cause)

    @hears("referral.escalated.v1")
    def on_referral_escalated(self, heard: Heard) -> None:
        """Nobody in time; only the end of the ladder changes what the source sees."""
        if heard.message.is_exhausted:
            said_at = to_millisecond(heard.envelope.time)
            reason_code = heard.message.reason_code
            handlers.mark_unfilled(self.room, heard.message.referral_id, reason_code, said_at, heard.cause)


def run(environ: Mapping[str, str]) -> int:
    """The role `worker`."""
    return roles.run_worker(
        Settings, environ, service=NAME, build_room=build_room, prepare=prepare, worker=Worker
    )
