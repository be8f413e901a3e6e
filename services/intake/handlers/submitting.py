"""A referral comes in: stored, or turned away with every fault."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.intake.domain import commands
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.events import SubmissionRejected as Rejected
from services.intake.domain.events import SubmissionRepeated
from services.intake.domain.person import Pseudonym, SafeContact
from services.intake.domain.referral import Referral
from services.intake.domain.states import CORRECTABLE
from services.intake.domain.submission import Submission, faults_of
from services.intake.handlers.commanding import change, revoked_faults
from services.intake.handlers.consenting import heed_refusal

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.domain.commands import Changed
    from services.intake.domain.consent import Consent
    from services.intake.store.documents import Arrival
    from services.intake.store.referrals import Held

_MOST_TRIES = 40
_LONGEST_PAUSE_S = 0.02
_MOST_TOLD = 50


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a sender is told: the referral, and whether it was already here."""

    referral: Referral
    was_known: bool


def submit(room: Room, caller: Caller, submission: Submission, cause: Cause) -> Submitted:
    """A referral with a valid consent is stored, then told; the same key, or person and visit, gets the first one.

    A person's no also ends what their earlier yes began.
    Raises SubmissionRejected with every fault, IdempotencyKeyReused.
    """
    now = room.clock.now()
    faults = faults_of(submission, now, room.taxonomy.codes, *room.settings.consent_rules)
    if faults:
        if _is_a_no(submission.consent):
            heed_refusal(room, caller, submission, cause)
        raise SubmissionRejected(faults)
    answered = room.referrals.answered(submission)
    who = _known_as(room, submission, answered)
    if answered is None and not who.is_new:
        revoked = revoked_faults(room, submission.source_id, who.peer_id, submission)
        if revoked:
            raise SubmissionRejected(revoked)
    arrival = room.marks.arrival(who, submission, submission.arrived_at or now)
    for _ in range(_MOST_TRIES):
        told = _repeat(room, caller, answered, arrival, cause) if answered else None
        told = told or _open_or_join(room, caller, arrival, now, cause)
        if told is not None:
            return told
        time.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # many senders of one referral take turns
        answered = room.referrals.answered(submission)
        arrival = replace(arrival, is_first=False)  # somebody brought the same person at the same moment
    raise Refusal("referral-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)


def _is_a_no(consent: Consent | None) -> bool:
    """True for a plain no, and for a document that is no longer in force."""
    return consent is not None and (consent.is_permitted is False or consent.deficiency == "consent-inactive")


def _known_as(room: Room, submission: Submission, answered: Held | None) -> Pseudonym:
    if answered is not None:
        return Pseudonym(answered.referral.peer_id, is_new=False)
    return room.people.known_as(submission.person, room.marks.visit_of(submission), submission.source_id)


def _open_or_join(
    room: Room, caller: Caller, arrival: Arrival, now: datetime, cause: Cause
) -> Submitted | None:
    sight = room.referrals.look(arrival)
    if sight.same_id:
        _heed_noes(room, caller, sight.same_id, arrival.submission.person.safe_contact, cause)
        return _repeat(room, caller, room.referrals.load(sight.same_id), arrival, cause)
    opened, events = commands.open_referral(
        room.new_referral_id(),
        arrival.peer_id,
        arrival.submission,
        arrival.arrived_at,
        now,
        our_names=room.settings.consent_recipients,
    )
    is_stored = room.referrals.add(opened, arrival, sight, room.says(events, caller, cause))
    if is_stored:
        room.code_counts.note(room.taxonomy.unmapped(arrival.submission.codes))
    return Submitted(opened, was_known=False) if is_stored else None


def _heed_noes(room: Room, caller: Caller, referral_id: str, said: SafeContact, cause: Cause) -> None:
    """Of a second submission of one visit only a no is taken: "do not contact" counts, whichever nurse heard it.

    Before the repeat is noted, so that a sender who was cut off and tries again is heard.
    """
    if SafeContact().heeding(said) == SafeContact():
        return

    def decide(held: Held) -> tuple[Changed, Arrival | None]:
        kept = room.referrals.open(held)
        known = kept.submission.person
        heard = known.safe_contact.heeding(said)
        if heard == known.safe_contact or held.referral.state not in CORRECTABLE:
            return (held.referral, []), None
        whole = replace(kept.submission, person=replace(known, safe_contact=heard), idempotency_key="")
        arrival = room.marks.arrival(Pseudonym(held.referral.peer_id, is_new=False), whole, held.arrived_at)
        moved = commands.correct(
            held.referral,
            caller.role,
            whole,
            held.arrived_at,
            room.clock.now(),
            our_names=room.settings.consent_recipients,
        )
        return moved, replace(arrival, earlier=kept.earlier)

    change(room, caller, referral_id, decide, cause=cause)


def _repeat(room: Room, caller: Caller, held: Held, arrival: Arrival, cause: Cause) -> Submitted | None:
    known, submission = held.referral, arrival.submission
    said = SubmissionRepeated(known.peer_id, known.referral_id, known.source_id, submission.door)
    is_stored = room.referrals.note_repeat(held, arrival, room.says([said], caller, cause))
    return Submitted(known, was_known=True) if is_stored else None


def reject(room: Room, caller: Caller, door: str, refusal: Refusal, cause: Cause) -> None:
    """The rejection's audit entry is durable; the codes and places of its faults, never a value."""
    told = refusal.faults[:_MOST_TOLD]
    room.rejections.note(
        Rejected(
            source_id=caller.organization_id,
            door=door,
            reason_codes=tuple(fault.code for fault in told) or (refusal.code,),
            paths=tuple(_without_words(fault) for fault in told),
        ),
        caller,
        cause,
    )


def _without_words(fault: Fault) -> str:
    """An element that does not exist was named by the sender: only where it stood is kept."""
    return fault.path.rpartition(".")[0] if fault.code == "unknown-element" else fault.path
