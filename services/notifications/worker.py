"""Door 2: what notifications hears, and the clock that keeps the senders going; about three lines each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis import roles
from chassis.clock import to_millisecond
from chassis.hearing import Heard, every, hears
from chassis.hosts.blocking import look_up_names_aside
from services.notifications import codec, handlers
from services.notifications.bootstrap import SERVICE, Room, build_room, prepare
from services.notifications.settings import Settings

_BATCH = 50
_WAIT_S = 0.005


class Worker:
    """Hears what others say; decides nothing."""

    name = SERVICE

    def __init__(self, room: Room) -> None:
        self.room = room
        # The system's resolver would stop every greenlet of a patched process: ours, smtplib's and Apprise's.
        look_up_names_aside()

    @hears("specialist.enrolled.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_specialist_enrolled(self, batch: Sequence[Heard]) -> None:
        """A specialist or supervisor can be reached from now on."""
        seal = self.room.seal
        handlers.keep_contacts(self.room, [codec.enrolled_card(heard.message, seal) for heard in batch])

    @hears("referral.submitted.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_referral_submitted(self, batch: Sequence[Heard]) -> None:
        """The source of a referral can be reached from now on; its peer, where that is safe, hears that it is here."""
        self._keep(batch)
        told = [(codec.received_for_peer(heard.envelope, heard.message), heard.cause) for heard in batch]
        handlers.tell_peers(self.room, told)

    @hears("referral.revised.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_referral_revised(self, batch: Sequence[Heard]) -> None:
        """The source is reached where its correction says, from now on; the peer only if that still says it is safe."""
        self._keep(batch)

    @hears("offer.made.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_offer_made(self, batch: Sequence[Heard]) -> None:
        """The specialist hears of the offer, if there is still time."""
        seal = self.room.seal
        told = [(codec.offer_made(heard.envelope, heard.message, seal), heard.cause) for heard in batch]
        handlers.tell(self.room, told)

    @hears("offer.withdrawn.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_offer_withdrawn(self, batch: Sequence[Heard]) -> None:
        """The offer's notice is stopped; who may have heard of the offer hears that it is closed."""
        self._close(batch)

    @hears("offer.accepted.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_offer_accepted(self, batch: Sequence[Heard]) -> None:
        """The offer's notice is stopped: it was answered."""
        self._close(batch)

    @hears("offer.declined.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_offer_declined(self, batch: Sequence[Heard]) -> None:
        """The offer's notice is stopped: it was answered."""
        self._close(batch)

    @hears("assignment.ended.v1")
    def on_assignment_ended(self, heard: Heard) -> None:
        """Whoever had said yes hears that they need not come."""
        handlers.tell(self.room, [(codec.offer_closed(heard.envelope, heard.message), heard.cause)])

    @hears("checkin.due.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_checkin_due(self, batch: Sequence[Heard]) -> None:
        """The specialist is reminded of a follow-up contact; the peer, where that is safe, hears that it comes."""
        told = [(codec.checkin_due(heard.envelope, heard.message), heard.cause) for heard in batch]
        handlers.tell(self.room, told)
        for_peers = [(codec.checkin_for_peer(heard.envelope, heard.message), heard.cause) for heard in batch]
        handlers.tell_peers(self.room, for_peers)

    @hears("checkin.missed.v1")
    def on_checkin_missed(self, heard: Heard) -> None:
        """The supervisor hears of a follow-up contact that nobody made."""
        handlers.tell(self.room, [(codec.checkin_missed(heard.envelope, heard.message), heard.cause)])

    @hears("referral.stopped.v1")
    def on_referral_stopped(self, heard: Heard) -> None:
        """What is queued for the referral is silenced, and what comes late."""
        handlers.stop(self.room, heard.message.referral_id, heard.message.stop_code)

    @hears("referral.status-changed.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_referral_status_changed(self, batch: Sequence[Heard]) -> None:
        """The source hears that help is on its way, or that nobody could come yet; the peer, if safe, when it comes."""
        told = [(codec.status_changed(heard.envelope, heard.message), heard.cause) for heard in batch]
        handlers.tell(self.room, told)
        moves = [(codec.moved_for_peer(heard.envelope, heard.message), heard.cause) for heard in batch]
        handlers.tell_peers(self.room, handlers.recall_overtaken(self.room, moves))

    @hears("referral.escalated.v1")
    def on_referral_escalated(self, heard: Heard) -> None:
        """The supervisor hears that nobody is left to ask."""
        handlers.tell(self.room, [(codec.escalated(heard.envelope, heard.message), heard.cause)])

    @hears("arrival.overdue.v1")
    def on_arrival_overdue(self, heard: Heard) -> None:
        """The supervisor hears that a promise is not kept, or comes too late."""
        handlers.tell(self.room, [(codec.arrival_overdue(heard.envelope, heard.message), heard.cause)])

    @hears("assignment.chosen.v1")
    def on_assignment_chosen(self, heard: Heard) -> None:
        """Whoever was chosen by hand hears that the request is theirs."""
        handlers.tell(self.room, [(codec.assignment_chosen(heard.envelope, heard.message), heard.cause)])

    @hears("case.moved.v1")
    def on_case_moved(self, heard: Heard) -> None:
        """Whoever carried the case hears that somebody else does."""
        moved = codec.case_moved(heard.envelope, heard.message)
        handlers.tell(self.room, [(moved, heard.cause)] if moved else [])

    @hears("certification.expiring.v1")
    def on_certification_expiring(self, heard: Heard) -> None:
        """Its holder and their supervisor hear that a certificate ends."""
        told = codec.certification_expiring(heard.envelope, heard.message)
        handlers.tell(self.room, [(happening, heard.cause) for happening in told])

    @hears("glass.broken.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_glass_broken(self, batch: Sequence[Heard]) -> None:
        """The supervisor of whoever read past a policy, and compliance, hear of it."""
        told = [(codec.glass_broken(heard.envelope, heard.message), heard.cause) for heard in batch]
        handlers.tell_of_broken_glass(self.room, told)

    @hears("review.opened.v1", batch=_BATCH, wait_s=_WAIT_S)
    def on_review_opened(self, batch: Sequence[Heard]) -> None:
        """Compliance hears that something waits for their decision."""
        told = [(codec.review_opened(heard.envelope, heard.message), heard.cause) for heard in batch]
        handlers.tell_of_cases(self.room, [(case, cause) for case, cause in told if case])

    @hears("person.merged.v1")
    def on_person_merged(self, heard: Heard) -> None:
        """Two pseudonyms are one person: what was said of writing to either holds for both."""
        told, at = heard.message, to_millisecond(heard.envelope.time)
        handlers.join(self.room, told.surviving_peer_id, told.merged_peer_id, is_joined=True, at=at)

    @hears("person.unmerged.v1")
    def on_person_unmerged(self, heard: Heard) -> None:
        """They are two people: each is written to as was said of them alone."""
        told, at = heard.message, to_millisecond(heard.envelope.time)
        handlers.join(self.room, told.surviving_peer_id, told.unmerged_peer_id, is_joined=False, at=at)

    @every(1.0)
    def keep_sending(self) -> None:
        """The senders run, and look for what came due by the clock."""
        self.room.sending.start()
        self.room.sending.ring()

    @every(60.0)
    def forget_links(self) -> None:
        """A link is kept until its notice is worthless, for the inbox of its reader."""
        handlers.forget_links(self.room)

    def stop(self) -> None:
        """The senders end what they began; what they had not begun is due again."""
        self.room.sending.stop()

    def _keep(self, batch: Sequence[Heard]) -> None:
        seal = self.room.seal
        peers = [codec.peer_card(heard.envelope, heard.message, seal) for heard in batch]
        sources = [codec.source_card(heard.message, seal) for heard in batch]
        handlers.keep_of_referrals(self.room, sources, [card for card in peers if card])

    def _close(self, batch: Sequence[Heard]) -> None:
        told = [(codec.offer_closed(heard.envelope, heard.message), heard.cause) for heard in batch]
        handlers.close_offers(self.room, told)


def run(environ: Mapping[str, str]) -> int:
    """Hears and sends until it is told to stop."""
    return roles.run_worker(
        Settings, environ, service=SERVICE, build_room=build_room, prepare=prepare, worker=Worker
    )
