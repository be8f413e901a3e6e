"""Door 2: what intake hears from matching and notifications, about three lines each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis import roles, telemetry
from chassis.clock import to_millisecond
from chassis.hearing import Heard, every, hears
from services.intake import codec, handlers, unheard
from services.intake.bootstrap import NAME, Room, build_room, prepare
from services.intake.handlers import Accepted, Completed, Ended, Exhausted, Met, Receipt, Told, telling
from services.intake.outward.assembly import WorkerSettings, receivers, sending

# An offer is three events of one referral: they wait a moment for each other, and are one read and one write.
_BATCH = 64
_WAIT_S = 0.02


class Worker:
    """Moves the source's view of a referral."""

    name = NAME

    def __init__(self, room: Room) -> None:
        self.room = room
        self.engines = receivers(room.settings)
        self.sending = sending(room, self.engines)

    @hears("offer.made.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_offer_made(self, batch: Sequence[Heard]) -> None:
        """Somebody is asked."""
        handlers.seek(self.room, [Told(**_source(heard)) for heard in batch])

    @hears("offer.accepted.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_offer_accepted(self, batch: Sequence[Heard]) -> None:
        """Somebody comes."""
        accepted = [
            Accepted(**_source(heard), assignment=codec.assignment_from_proto(heard.message))
            for heard in batch
        ]
        handlers.assign(self.room, accepted)

    @hears("arrival.updated.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_arrival_updated(self, batch: Sequence[Heard]) -> None:
        """Somebody comes later, or rings instead."""
        updated = [
            Accepted(**_source(heard), assignment=codec.assignment_from_proto(heard.message))
            for heard in batch
        ]
        handlers.change_arrival(self.room, updated)

    @hears("referral.escalated.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_referral_escalated(self, batch: Sequence[Heard]) -> None:
        """Nobody in time; only the end of the ladder changes what the source sees."""
        exhausted = [
            Exhausted(**_source(heard), reason_code=heard.message.reason_code)
            for heard in batch
            if heard.message.is_exhausted
        ]
        handlers.mark_unfilled(self.room, exhausted)

    @hears("assignment.ended.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_assignment_ended(self, batch: Sequence[Heard]) -> None:
        """Somebody comes no more."""
        ended = [Ended(**_source(heard), offer_id=heard.message.offer_id) for heard in batch]
        handlers.seek_again(self.room, ended)

    @hears("handoff.recorded.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_handoff_recorded(self, batch: Sequence[Heard]) -> None:
        """The peer was met, or was not."""
        met = [Met(**_source(heard), handoff=codec.handoff_from_proto(heard.message)) for heard in batch]
        handlers.record_handoff(self.room, met)

    @hears("checkin.recorded.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_checkin_recorded(self, batch: Sequence[Heard]) -> None:
        """Somebody asked how the peer is; only who was reached is followed up."""
        reached = [heard for heard in batch if heard.message.outcome == "reached"]
        handlers.engage(self.room, [Told(**_source(heard)) for heard in reached])

    @hears("case.completed.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_case_completed(self, batch: Sequence[Heard]) -> None:
        """The specialist's work has ended, with an outcome."""
        completed = [Completed(**_source(heard), outcome=heard.message.outcome) for heard in batch]
        handlers.complete(self.room, completed)

    @hears("case.closed.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_case_closed(self, batch: Sequence[Heard]) -> None:
        """Everything was withdrawn: what was asked to be cancelled is."""
        handlers.close(self.room, [Told(**_source(heard)) for heard in batch])

    @hears("notice.sent.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_notice_sent(self, batch: Sequence[Heard]) -> None:
        """A notice about a referral is out."""
        self._keep(batch)

    @hears("notice.delivered.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_notice_delivered(self, batch: Sequence[Heard]) -> None:
        """It arrived."""
        self._keep(batch)

    @hears("notice.bounced.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_notice_bounced(self, batch: Sequence[Heard]) -> None:
        """It came back."""
        self._keep(batch)

    @hears("notice.replied.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_notice_replied(self, batch: Sequence[Heard]) -> None:
        """Somebody answered it."""
        self._keep(batch)

    @hears("notice.failed.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_notice_failed(self, batch: Sequence[Heard]) -> None:
        """It was given up."""
        self._keep(batch)

    @hears("referral.submitted.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_referral_submitted(self, batch: Sequence[Heard]) -> None:
        """There is a new Task; an engine knows it by the answer to its own message, or not at all."""
        moved = {heard.message.referral_id: heard.cause for heard in batch}
        if telling.tell_source(self.room, moved, ()):
            self.sending.ring()

    @hears("referral.status-changed.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_referral_status_changed(self, batch: Sequence[Heard]) -> None:
        """Our own word, once it is on the bus: the source's systems hear of it."""
        self._tell(batch)

    @hears("referral.revised.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_referral_revised(self, batch: Sequence[Heard]) -> None:
        """A Task has a new version, though its status stays."""
        self._tell(batch)

    @every(1.0)
    def keep_telling(self) -> None:
        """The senders run, and look for what came due by the clock."""
        self.sending.start()
        self.sending.ring()

    @every(10.0)
    def measure_waiting(self) -> None:
        """The gauges of what waits for a receiver, and of who waits for matching's first word."""
        self.sending.measure()
        unheard.measure(self.room.listing, self.room.clock.now())

    def stop(self) -> None:
        """The senders end what they began."""
        self.sending.stop()

    def _tell(self, batch: Sequence[Heard]) -> None:
        moved = {heard.message.referral_id: heard.cause for heard in batch}
        if telling.tell_source(self.room, moved, self.engines):
            self.sending.ring()

    def _keep(self, batch: Sequence[Heard]) -> None:
        handlers.keep_receipts(self.room, [_receipt(heard) for heard in batch])

    @every(1.0)
    def expire_due(self) -> None:
        """Referrals whose consent ended before anybody was found are expired."""
        while handlers.expire_due(self.room, telemetry.current_cause()):
            pass


def _source(heard: Heard) -> dict[str, Any]:
    """Which referral, when and why: the part that everything told has."""
    said_at = to_millisecond(heard.envelope.time)
    return {"referral_id": heard.message.referral_id, "said_at": said_at, "cause": heard.cause}


def _receipt(heard: Heard) -> Receipt:
    message = heard.message
    return Receipt(
        referral_id=message.referral_id,
        notice_id=message.notice_id,
        intent=message.intent,
        word=codec.word_from_proto(heard.envelope, message),
        cause=heard.cause,
    )


def run(environ: Mapping[str, str]) -> int:
    """The role `worker`."""
    return roles.run_worker(
        WorkerSettings, environ, service=NAME, build_room=build_room, prepare=prepare, worker=Worker
    )
