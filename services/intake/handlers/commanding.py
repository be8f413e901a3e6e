"""What a source asks of a referral that is here; each is stored with what it says, or refused."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.intake import likeness
from services.intake.domain import commands, linkage
from services.intake.domain.commands import CANCEL_REASONS, PEER_REASONS, Changed
from services.intake.domain.comparison import Beside
from services.intake.domain.consent import Consent, is_echo, is_older
from services.intake.domain.errors import ReferralUnknown, SubmissionRejected
from services.intake.domain.person import Pseudonym
from services.intake.domain.referral import Referral
from services.intake.domain.submission import Submission, faults_of

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.documents import Arrival, Kept
    from services.intake.store.referrals import Held

_MOST_TRIES = 20
_LONGEST_PAUSE_S = 0.02
_MOST_DUE = 64
_LEASE_S = 30.0
SYSTEM = Caller("system:intake", "system", "", "COC")
Decide = Callable[["Held"], tuple[Changed, "Arrival | None"]]


def cancel(
    room: Room, caller: Caller, referral_id: str, reason_code: str, *, cause: Cause, expected_version: int = 0
) -> Referral:
    """The referral is asked to end; again, it stays as it is.

    Raises Refusal INVALID reason-unknown, and what `change` raises.
    """
    _known_reason(reason_code, CANCEL_REASONS)

    def decide(held: Held) -> tuple[Changed, Arrival | None]:
        return commands.cancel(held.referral, caller.role, reason_code, room.clock.now()), None

    return change(room, caller, referral_id, decide, cause=cause, expected_version=expected_version)


def decline_by_peer(
    room: Room, caller: Caller, referral_id: str, reason_code: str, *, cause: Cause, expected_version: int = 0
) -> Referral:
    """The peer said no; raises like `cancel`."""
    _known_reason(reason_code, PEER_REASONS)

    def decide(held: Held) -> tuple[Changed, Arrival | None]:
        return commands.decline_by_peer(held.referral, caller.role, reason_code, room.clock.now()), None

    return change(room, caller, referral_id, decide, cause=cause, expected_version=expected_version)


def enter_in_error(
    room: Room, caller: Caller, referral_id: str, *, cause: Cause, expected_version: int = 0
) -> Referral:
    """The referral should never have been submitted; it stays readable as that."""

    def decide(held: Held) -> tuple[Changed, Arrival | None]:
        return commands.enter_in_error(held.referral, caller.role, room.clock.now()), None

    return change(room, caller, referral_id, decide, cause=cause, expected_version=expected_version)


def revoke_consent(
    room: Room, caller: Caller, referral_id: str, *, cause: Cause, expected_version: int = 0
) -> Referral:
    """The consent is taken back: offers and notices in flight are stopped."""

    def decide(held: Held) -> tuple[Changed, Arrival | None]:
        return commands.revoke_consent(held.referral, caller.role, room.clock.now()), None

    return change(room, caller, referral_id, decide, cause=cause, expected_version=expected_version)


def correct(
    room: Room,
    caller: Caller,
    referral_id: str,
    submission: Submission,
    *,
    cause: Cause,
    expected_version: int = 0,
) -> Referral:
    """What was submitted is replaced; a consent that was waited for moves the referral on.

    What it says of the person finds them the next time: a name for somebody who came in without one.

    A submission without a consent keeps the one that is here; of one that says no, the no is taken and everything
    stops.  The same `idempotency_key` again changes nothing.
    Raises SubmissionRejected with every fault, IdempotencyKeyReused, and what `change` raises.
    """
    now = room.clock.now()

    def decide(held: Held) -> tuple[Changed, Arrival | None]:
        kept = room.referrals.open(held)
        if submission.consent is not None and submission.consent.is_permitted is False:
            return refused(room, caller, held, submission.consent)
        whole = _with_known_consent(held, kept, submission)
        faults = faults_of(whole, now, room.taxonomy.codes, *room.settings.consent_rules)
        faults += _person_faults(room, kept.submission, submission)
        if whole.consent is not None and kept.submission.consent is None:
            faults += revoked_faults(room, held.referral.source_id, held.referral.peer_id, whole)
        if faults:
            raise SubmissionRejected(faults)
        if room.referrals.is_answered(held, submission):
            return (held.referral, []), None
        arrived_at = whole.arrived_at or held.arrived_at
        arrival = room.marks.arrival(Pseudonym(held.referral.peer_id, is_new=False), whole, arrived_at)
        arrival = replace(arrival, digest=room.marks.digest(submission), earlier=earlier(kept, whole))
        our_names = room.settings.consent_recipients
        moved = commands.correct(held.referral, caller.role, whole, arrived_at, now, our_names=our_names)
        if whole.person != kept.submission.person:
            room.people.learn(
                held.referral.peer_id, whole.person, room.marks.visit_of(whole), held.referral.source_id
            )
        return moved, arrival

    return change(room, caller, referral_id, decide, cause=cause, expected_version=expected_version)


def report_departure(
    room: Room,
    caller: Caller,
    referral_id: str,
    leaves_at: datetime,
    *,
    cause: Cause,
    where: str = "leaves_at",
) -> Referral:
    """The peer leaves at this time: matching looks again.  Raises SubmissionRejected, and what `change` raises.

    `where` is the place of the time in what was sent.
    Only an arrival that somebody said contradicts it: who had left before anybody told us left when we were told.
    """
    now = room.clock.now()

    def decide(held: Held) -> tuple[Changed, Arrival | None]:
        is_arrival_said = held.arrived_at != held.referral.submitted_at
        if leaves_at < held.arrived_at and is_arrival_said:
            message = "The departure is before the arrival."
            raise SubmissionRejected([Fault(where, "departure-before-arrival", message)])
        kept = room.referrals.open(held)
        leaves = max(leaves_at, held.arrived_at)
        whole = replace(kept.submission, expected_departure_at=leaves)
        arrival = room.marks.arrival(Pseudonym(held.referral.peer_id, is_new=False), whole, held.arrived_at)
        arrival = replace(arrival, earlier=kept.earlier)
        return commands.report_departure(held.referral, caller.role, whole, held.arrived_at, now), arrival

    return change(room, caller, referral_id, decide, cause=cause)


def expire_due(room: Room, cause: Cause) -> int:
    """Referrals whose consent ended before anybody was found are expired; returns how many were looked at."""
    now = room.clock.now()
    due = room.referrals.claim_due(_MOST_DUE, _LEASE_S)
    for held in due:
        expires_at = held.referral.consent_expires_at
        is_over = expires_at is not None and expires_at <= now
        moved, events = commands.expire_consent(held.referral, now) if is_over else (held.referral, [])
        room.referrals.change(held, moved, room.says(events, SYSTEM, cause))
    return len(due)


def refused(room: Room, caller: Caller, held: Held, consent: Consent) -> tuple[Changed, Arrival | None]:
    """The person's no, as the next version of the consent; nothing else of what came with it is taken."""
    refusal = replace(consent, version=held.referral.consent_version + 1)
    now, kept = room.clock.now(), room.referrals.open(held)
    moved = commands.refuse_consent(held.referral, caller.role, refusal, "consent-refused", now)
    if moved[0] is held.referral:
        return moved, None
    whole = replace(kept.submission, consent=refusal, idempotency_key="")
    arrival = room.marks.arrival(Pseudonym(held.referral.peer_id, is_new=False), whole, held.arrived_at)
    return moved, replace(arrival, earlier=earlier(kept, whole))


def earlier(kept: Kept, whole: Submission) -> tuple[Consent, ...]:
    """The versions of the consent before the one that counts now; none is ever dropped."""
    latest = whole.consent.version if whole.consent else 0
    return tuple(one for one in kept.consents if one.version != latest)


def _with_known_consent(held: Held, kept: Kept, submission: Submission) -> Submission:
    """The consent that is here counts on, unless a new one came; a new one is a new version."""
    known = kept.submission.consent
    if submission.consent is None:
        return replace(submission, consent=known, may_wait_for_consent=known is None)
    version = held.referral.consent_version
    if known is not None and (is_echo(submission.consent, known) or is_older(submission.consent, known)):
        return replace(submission, consent=known)
    return replace(submission, consent=replace(submission.consent, version=version + 1))


def _person_faults(room: Room, kept: Submission, submission: Submission) -> list[Fault]:
    """A correction is about the same person; another's words under this pseudonym would be read as theirs."""
    # HL7 v2 carries the visit that is here over: it was not said again, and speaks for nobody.
    is_said = kept.visit is not None and submission.door != "hl7v2"
    beside = Beside(is_same_visit=is_said and kept.visit == submission.visit)
    if not linkage.is_somebody_else(kept.person, submission.person, beside, likeness.is_alike):
        return []
    where = submission.where.get("person", "person")
    message = "This is another person than the referral's; submit a referral of their own."
    return [Fault(where, "person-differs", message)]


def revoked_faults(room: Room, source_id: str, peer_id: str, submission: Submission) -> list[Fault]:
    """A consent that was taken back is not given again by sending it again; only one signed later is a new yes.

    Asked for a person who was met before (42 CFR 2.31(c)).
    """
    consent = submission.consent
    if consent is None:
        return []
    members = room.people.group(peer_id) or [peer_id]
    found = [one for member in members for one in room.referrals.of_peer(source_id, member)]
    revoked_at = max((one.state_at for one in found if one.is_consent_revoked), default=None)
    if revoked_at is None or (consent.signed_at is not None and consent.signed_at > revoked_at):
        return []
    where = submission.where.get("consent", "consent")
    message = "The person took their consent back after this one was signed; a newer one is needed."
    return [Fault(where, "consent-revoked", message)]


def _known_reason(reason_code: str, known: tuple[str, ...]) -> None:
    if reason_code not in known:
        message = "A reason is needed: " + ", ".join(known) + "."
        fault = Fault("reason_code", "reason-unknown", message)
        raise Refusal("reason-unknown", Kind.INVALID, message, faults=[fault])


def own_referral(room: Room, caller: Caller, referral_id: str, action: str, cause: Cause) -> Held:
    """The referral, if the caller's organization made it; else there is none, and only the trail knows of a denial.

    Raises ReferralUnknown.
    """
    held = room.referrals.load(referral_id)
    if held.referral.source_id == caller.organization_id:
        return held
    room.access.record_denied(
        caller,
        record_type="Referral",  # also of its Task: an officer looks for the referral
        record_id=referral_id,
        action=action,
        reason_code="not-your-referral",
        cause=cause,
    )
    raise ReferralUnknown


def change(
    room: Room, caller: Caller, referral_id: str, decide: Decide, *, cause: Cause, expected_version: int = 0
) -> Referral:
    """Load, decide, save; again where somebody was quicker.

    Raises ReferralUnknown, Refusal CONFLICT version-stale, and what `decide` raises.
    """
    for _ in range(_MOST_TRIES):
        held = own_referral(room, caller, referral_id, "update", cause)
        if expected_version not in (0, held.referral.task_version):
            message = "The referral has changed since it was read."
            raise Refusal("version-stale", Kind.CONFLICT, message, version=held.referral.task_version)
        (moved, events), arrival = decide(held)
        if moved is held.referral:
            return moved
        if room.referrals.change(held, moved, room.says(events, caller, cause), arrival):
            return moved
        time.sleep(random.uniform(0, _LONGEST_PAUSE_S))
    raise Refusal("referral-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)
