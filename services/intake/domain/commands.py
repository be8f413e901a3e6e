"""What a source or a peer may ask of a referral that is here: cancel, decline, correct, leave, revoke, supply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.intake.domain import asking
from services.intake.domain.consent import RECIPIENTS, Consent, ends_at
from services.intake.domain.events import (
    ConsentRecorded,
    ConsentRevoked,
    Event,
    ReferralRevised,
    ReferralStopped,
    ReferralSubmitted,
)
from services.intake.domain.referral import Referral, changed, status_changed
from services.intake.domain.states import Command, State, next_state
from services.intake.domain.submission import Submission, age_band

CANCEL_REASONS = (
    "no-longer-needed",
    "left-before-seen",
    "transferred",
    "admitted",
    "duplicate",
    "wrong-person",
    "other",
)
PEER_REASONS = ("not-now", "other-support", "not-comfortable", "other", "not-said")
Changed = tuple[Referral, Sequence[Event]]


def open_referral(
    referral_id: str,
    peer_id: str,
    submission: Submission,
    arrived_at: datetime,
    now: datetime,
    *,
    our_names: tuple[str, ...] = RECIPIENTS,
) -> Changed:
    """A new referral: with matching at once, or held until its consent comes."""
    submission = _settled(submission, now, our_names)
    consent = submission.consent
    opened = Referral(
        referral_id=referral_id,
        peer_id=peer_id,
        source_id=submission.source_id,
        state=State.SUBMITTED,
        urgency=submission.urgency.value,
        submitted_at=now,
        state_at=now,
        expected_departure_at=submission.expected_departure_at,
        consent_version=consent.version if consent else 0,
        consent_expires_at=consent.expires_at if consent else None,
    )
    if consent is None:
        target = next_state(State.SUBMITTED, Command.HOLD, "system")
        held = replace(opened, state=target, reason_code="consent-missing")
        return held, [status_changed(opened, held)]
    return opened, [_submitted(opened, submission, arrived_at, now), _recorded(opened, consent)]


def cancel(referral: Referral, role: str, reason_code: str, now: datetime) -> Changed:
    """The source takes the referral back; it is cancelled once matching has withdrawn everything."""
    target = next_state(referral.state, Command.REQUEST_CANCEL, role)
    if target is referral.state:
        return referral, []
    if referral.state is State.NEEDS_INFORMATION:  # matching never heard of it: there is nothing to withdraw
        target = next_state(target, Command.CANCEL, "system")
    return _stopped(referral, target, "cancelled", reason_code, now)


def decline_by_peer(referral: Referral, role: str, reason_code: str, now: datetime) -> Changed:
    """The peer said no; kept apart from a source's cancellation."""
    target = next_state(referral.state, Command.DECLINE_BY_PEER, role)
    if target is referral.state:
        return referral, []
    return _stopped(referral, target, "declined-by-peer", reason_code, now)


def enter_in_error(referral: Referral, role: str, now: datetime) -> Changed:
    """It should never have been submitted; nothing is deleted."""
    target = next_state(referral.state, Command.ENTER_IN_ERROR, role)
    if target is referral.state:
        return referral, []
    return _stopped(referral, target, "entered-in-error", "entered-in-error", now)


def revoke_consent(referral: Referral, role: str, now: datetime) -> Changed:
    """The consent is taken back; acts at once, whatever the state (42 CFR 2.31(a)(6))."""
    target = next_state(referral.state, Command.REVOKE_CONSENT, role)
    if referral.is_consent_revoked:
        return referral, []
    reason = "consent-revoked" if target is not referral.state else referral.reason_code
    moved = changed(referral, target, now, is_consent_revoked=True, reason_code=reason)
    events: list[Event] = [ConsentRevoked(moved.peer_id, moved.referral_id, moved.consent_version)]
    if target is not referral.state:
        events.append(status_changed(referral, moved))
    if referral.state is not State.NEEDS_INFORMATION:
        events.append(_stop(moved, "consent-revoked", "consent-revoked"))
    return moved, events


def refuse_consent(
    referral: Referral, role: str, consent: Consent, reason_code: str, now: datetime
) -> Changed:
    """A newer document says no: it is recorded as the version that counts, and everything stops as at a revocation."""
    revoked, events = revoke_consent(referral, role, now)
    if revoked is referral:
        return referral, []
    moved = replace(revoked, consent_version=consent.version, consent_expires_at=None)
    refused = ConsentRecorded(
        peer_id=moved.peer_id,
        referral_id=moved.referral_id,
        consent_version=consent.version,
        is_permitted=False,
        reason_code=reason_code,
    )
    return moved, [refused, *events]


def expire_consent(referral: Referral, now: datetime) -> Changed:
    """The consent ended by its own terms before anybody was found."""
    target = next_state(referral.state, Command.EXPIRE, "system")
    return _stopped(referral, target, "consent-expired", "consent-expired", now)


def correct(
    referral: Referral,
    role: str,
    submission: Submission,
    arrived_at: datetime,
    now: datetime,
    *,
    our_names: tuple[str, ...] = RECIPIENTS,
) -> Changed:
    """What was submitted is replaced; a consent that was waited for moves the referral on."""
    submission = _settled(submission, now, our_names)
    consent = submission.consent
    if referral.state is State.NEEDS_INFORMATION and consent is not None:
        target = next_state(referral.state, Command.SUPPLY, role)
        return _supplied(referral, target, submission, arrived_at, now)
    target = next_state(referral.state, Command.CORRECT, role)
    facts = _facts(referral, submission)
    moved = changed(referral, target, now, **facts)
    events: list[Event] = []
    if consent is not None and moved.consent_version != referral.consent_version:
        events.append(_recorded(moved, consent))
    if referral.state is not State.NEEDS_INFORMATION:
        events.append(_revised(moved, submission, arrived_at, "corrected", now))
    return moved, events


def report_departure(
    referral: Referral, role: str, submission: Submission, arrived_at: datetime, now: datetime
) -> Changed:
    """The peer leaves at the submission's `expected_departure_at`; the same time again is no news."""
    target = next_state(referral.state, Command.REPORT_DEPARTURE, role)
    if referral.expected_departure_at == submission.expected_departure_at:
        return referral, []
    moved = changed(referral, target, now, **_facts(referral, submission))
    if referral.state is State.NEEDS_INFORMATION:
        return moved, []
    return moved, [_revised(moved, submission, arrived_at, "leaving", now)]


def _settled(submission: Submission, now: datetime, our_names: tuple[str, ...]) -> Submission:
    """The submission with its consent's end as its rules set it: an exception inside may end it sooner."""
    consent = submission.consent
    if consent is None or consent.rule is None or not any(consent.rule.turns()):
        return submission
    ends = ends_at(consent, asking.for_referral(submission, our_names), now)
    return replace(submission, consent=replace(consent, expires_at=ends))


def _supplied(
    referral: Referral, target: State, submission: Submission, arrived_at: datetime, now: datetime
) -> Changed:
    consent = submission.consent
    assert consent is not None
    moved = changed(referral, target, now, reason_code="", **_facts(referral, submission))
    said = _submitted(moved, submission, arrived_at, now)
    return moved, [_recorded(moved, consent), said, status_changed(referral, moved)]


def _submitted(
    referral: Referral, submission: Submission, arrived_at: datetime, now: datetime
) -> ReferralSubmitted:
    return ReferralSubmitted(
        peer_id=referral.peer_id,
        referral_id=referral.referral_id,
        submission=submission,
        age_band=age_band(submission.person, now.date()),
        arrived_at=arrived_at,
    )


def _facts(referral: Referral, submission: Submission) -> dict[str, object]:
    consent = submission.consent
    return {
        "revision": referral.revision + 1,
        "urgency": submission.urgency.value,
        "expected_departure_at": submission.expected_departure_at,
        "consent_version": consent.version if consent else referral.consent_version,
        "consent_expires_at": consent.expires_at if consent else referral.consent_expires_at,
    }


def _revised(
    moved: Referral, submission: Submission, arrived_at: datetime, reason_code: str, now: datetime
) -> ReferralRevised:
    return ReferralRevised(
        peer_id=moved.peer_id,
        referral_id=moved.referral_id,
        submission=submission,
        age_band=age_band(submission.person, now.date()),
        arrived_at=arrived_at,
        revision=moved.revision,
        reason_code=reason_code,
    )


def _recorded(moved: Referral, consent: Consent) -> ConsentRecorded:
    return ConsentRecorded(
        peer_id=moved.peer_id,
        referral_id=moved.referral_id,
        consent_version=moved.consent_version,
        is_permitted=True,
        expires_at=consent.expires_at,
    )


def _stopped(referral: Referral, target: State, stop_code: str, reason_code: str, now: datetime) -> Changed:
    moved = changed(referral, target, now, reason_code=reason_code)
    events: list[Event] = [status_changed(referral, moved)]
    if referral.state is not State.NEEDS_INFORMATION:
        events.append(_stop(moved, stop_code, reason_code))
    return moved, events


def _stop(moved: Referral, stop_code: str, reason_code: str) -> ReferralStopped:
    return ReferralStopped(
        peer_id=moved.peer_id,
        referral_id=moved.referral_id,
        source_id=moved.source_id,
        stop_code=stop_code,
        reason_code=reason_code,
        consent_version=moved.consent_version,
    )
