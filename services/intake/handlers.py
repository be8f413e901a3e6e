"""One function per command: submit, read, list, and what matching says."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.intake.domain import referral as referrals
from services.intake.domain.errors import NotYourReferral, SubmissionRejected
from services.intake.domain.events import ReferralSubmitted, SubmissionRepeated
from services.intake.domain.events import SubmissionRejected as Rejected
from services.intake.domain.person import Pseudonym
from services.intake.domain.referral import Assignment, Referral, State
from services.intake.domain.submission import Submission, age_band, faults_of

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.documents import Arrival, Kept
    from services.intake.store.referrals import Held

_MOST_TRIES = 40
_LONGEST_PAUSE_S = 0.02
_LONGEST_LIST = 1_000
_USUAL_LIST = 100
_MOST_TOLD = 50
SYSTEM = Caller("system:intake", "system", "", "COC")


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a sender is told: the referral, and whether it was already here."""

    referral: Referral
    was_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What matching said about a referral; `said_at` is its producer's time."""

    referral_id: str
    said_at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Told):
    """Somebody comes."""

    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted(Told):
    """Nobody is left to ask."""

    reason_code: str


def submit(room: Room, caller: Caller, submission: Submission, cause: Cause) -> Submitted:
    """A referral with a valid consent is stored, then told; the same key, or person and visit, gets the first one.

    Raises SubmissionRejected with every fault, IdempotencyKeyReused.
    """
    now = room.clock.now()
    faults = faults_of(submission, now, room.taxonomy.codes)
    if faults:
        raise SubmissionRejected(faults)
    answered = room.referrals.answered(submission)
    who = _known_as(room, submission, answered)
    arrival = room.referrals.arrival(who, submission, submission.arrived_at or now)
    for _ in range(_MOST_TRIES):
        told = _repeat(room, caller, answered, arrival, cause) if answered else None
        told = told or _open_or_join(room, caller, arrival, now, cause)
        if told is not None:
            return told
        time.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # many senders of one referral take turns
        answered = room.referrals.answered(submission)
        arrival = replace(arrival, is_first=False)  # somebody brought the same person at the same moment
    raise Refusal("referral-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)


def _known_as(room: Room, submission: Submission, answered: Held | None) -> Pseudonym:
    if answered is not None:
        return Pseudonym(answered.referral.peer_id, is_new=False)
    return room.people.known_as(submission.person, room.referrals.visit_mark(submission))


def _open_or_join(
    room: Room, caller: Caller, arrival: Arrival, now: datetime, cause: Cause
) -> Submitted | None:
    sight = room.referrals.look(arrival)
    if sight.same_id:
        return _repeat(room, caller, room.referrals.load(sight.same_id), arrival, cause)
    submission = arrival.submission
    opened = Referral(
        referral_id=room.new_referral_id(),
        peer_id=arrival.peer_id,
        source_id=submission.source_id,
        state=State.SUBMITTED,
        urgency=submission.urgency.value,
        submitted_at=now,
        state_at=now,
    )
    said = ReferralSubmitted(
        peer_id=arrival.peer_id,
        referral_id=opened.referral_id,
        submission=submission,
        age_band=age_band(submission.person, now.date()),
        arrived_at=arrival.arrived_at,
    )
    is_stored = room.referrals.add(opened, arrival, sight, room.says([said], caller, cause))
    return Submitted(opened, was_known=False) if is_stored else None


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


def read_referral(
    room: Room, caller: Caller, referral_id: str, record_type: str, cause: Cause
) -> tuple[Referral, Kept]:
    """A referral with PHI, for its own source; the read is in the audit trail before it leaves.

    Raises ReferralUnknown, NotYourReferral.
    """
    held = room.referrals.load(referral_id)
    if held.referral.source_id != caller.organization_id:
        room.access.record_denied(
            caller,
            record_type="Referral",  # also of its Task: an officer looks for the referral
            record_id=referral_id,
            action="read",
            reason_code="not-your-referral",
            cause=cause,
        )
        raise NotYourReferral
    kept = room.referrals.open(held)
    room.access.record_read(
        caller,
        record_type=record_type,
        record_id=referral_id,
        action="read",
        subject_id=held.referral.peer_id,
        referral_id=referral_id,
        cause=cause,
    )
    return held.referral, kept


def list_referrals(room: Room, caller: Caller, status: str, limit: int, cause: Cause) -> Sequence[Referral]:
    """The caller's organization's referrals, newest first, without PHI; audited like any read."""
    faults = []
    if status and status not in set(State):
        faults.append(Fault("status", "state-unknown", "There is no such state."))
    if not 0 <= limit <= _LONGEST_LIST:
        faults.append(Fault("limit", "out-of-range", f"The limit is between 0 and {_LONGEST_LIST}."))
    if faults:
        raise Refusal("criteria-invalid", Kind.INVALID, faults=faults)
    found = room.referrals.newest(caller.organization_id, status, limit or _USUAL_LIST)
    room.access.record_read(
        caller,
        record_type="Referral",
        record_id="",
        action="search",
        criteria=["status"] if status else [],
        cause=cause,
    )
    return found


def seek(room: Room, made: Sequence[Told]) -> None:
    """Offers are out: each source sees that somebody is sought."""
    now = room.clock.now()
    room.referrals.revise(made, lambda one, told: referrals.seek(one, told.said_at, now), SYSTEM)


def assign(room: Room, accepted: Sequence[Accepted]) -> None:
    """Specialists accepted: each source sees who promised what."""
    now = room.clock.now()
    room.referrals.revise(
        accepted, lambda one, told: referrals.assign(one, told.assignment, told.said_at, now), SYSTEM
    )


def mark_unfilled(room: Room, exhausted: Sequence[Exhausted]) -> None:
    """The ladder of each is exhausted: the source sees that the supervisor has it."""
    now = room.clock.now()
    room.referrals.revise(
        exhausted,
        lambda one, told: referrals.mark_unfilled(one, told.reason_code, told.said_at, now),
        SYSTEM,
    )
