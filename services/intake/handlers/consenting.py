"""A consent that comes after the referral: a new version, a refusal, or taken back by whatever document says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault
from chassis.identity import Caller
from services.intake.domain import asking, limits
from services.intake.domain import consent as consents
from services.intake.domain.commands import Changed
from services.intake.domain.consent import Consent
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.referral import Referral
from services.intake.domain.states import OPEN
from services.intake.handlers.commanding import change, correct, own_referral, refused, revoke_consent

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.domain.submission import Submission
    from services.intake.store.documents import Arrival
    from services.intake.store.referrals import Held

# A document with one of these takes back what was permitted; any other fault refuses the document alone.
_TAKES_BACK = frozenset({"consent-refused", "consent-inactive", "consent-revoked", "consent-false"})


# So does the document itself once it has ended, or permits less than a referral needs.
_ENDS = _TAKES_BACK | {"consent-expired", "consent-restricted"}
# And what has it pending or bypassed now, where a door tells such things of a consent that is here.
_ENDS_WHAT_IS_HERE = _ENDS | {"consent-silent"}


def update_consent(
    room: Room,
    caller: Caller,
    referral_id: str,
    consent: Consent,
    *,
    idempotency_key: str,
    where: Mapping[str, str],
    cause: Cause,
    expected_version: int = 0,
) -> Referral:
    """The referral's consent as a newer document has it: the next version, or the end of it.

    A document that says no, has ended, permits too little or is not in force stops the referral at once; so does one
    entered in error, which makes known that what was relied on is false (42 CFR 2.31(c)).  `where` names the place of
    each fault in what was sent.
    Raises SubmissionRejected where the document can be neither: unsigned, silent, or older than the one that is here;
    and what `correct` raises.
    """
    held = own_referral(room, caller, referral_id, "update", cause)
    kept = room.referrals.open(held)
    ask = asking.for_referral(kept.submission, *room.settings.consent_rules)
    decision = consents.decide(consent, ask, room.clock.now())
    known = kept.submission.consent
    if known is not None and consents.is_older(consent, known):
        message = "A consent that was signed later is here."
        raise SubmissionRejected([Fault(where.get("consent", "Consent"), "consent-older", message)])
    if decision.reason_code in _ENDS:
        return _taken_back(
            room,
            caller,
            referral_id,
            consent,
            decision.reason_code,
            cause=cause,
            expected_version=expected_version,
        )
    if not decision.is_permitted:
        faults = consents.faults_of(consent, ask, room.clock.now())
        raise SubmissionRejected([Fault(where.get(at, at), code, words) for at, code, words in faults])
    whole = replace(kept.submission, consent=consent, idempotency_key=idempotency_key, where=where)
    return correct(room, caller, referral_id, whole, cause=cause, expected_version=expected_version)


def heed_refusal(room: Room, caller: Caller, submission: Submission, cause: Cause) -> Sequence[Referral]:
    """A submission that is refused because the person says no stops what the same person's earlier yes began.

    Only at the same source, only where the no is not older than that yes, and only for who is surely the same person;
    nothing is made or learned of anybody.  Returns the referrals that were stopped.
    """
    submission = limits.kept_within(submission)  # too much of something else keeps nobody's no out
    refusal = submission.consent
    if refusal is None:
        return []
    visit_mark = room.marks.visit_of(submission)
    peer_id = room.people.found(submission.person, visit_mark, submission.source_id)
    members = room.people.group(peer_id) if peer_id else []
    found = [one for member in members for one in room.referrals.of_peer(submission.source_id, member)]
    return [
        _taken_back(room, caller, referral.referral_id, refusal, "consent-refused", cause=cause)
        for referral in found
        if referral.state in OPEN and _is_refused(room, referral, refusal)
    ]


def heed_document(
    room: Room, caller: Caller, referral_id: str, consent: Consent | None, *, cause: Cause
) -> bool:
    """A consent that has ended, or permits too little now, stops what it began, though its message is refused.

    True where it did.  Only a document that is no older than the one that is here; who waits for a consent goes on
    waiting.  Raises what `change` raises.
    """
    held = own_referral(room, caller, referral_id, "update", cause)
    kept = room.referrals.open(held).submission
    if consent is None or kept.consent is None or consents.is_older(consent, kept.consent):
        return False
    ask = asking.for_referral(kept, *room.settings.consent_rules)
    reasons = consents.decide(consent, ask, room.clock.now()).reasons
    ends = next((code for _, code in reasons if code in _ENDS_WHAT_IS_HERE), "")
    if ends:
        _taken_back(room, caller, referral_id, consent, ends, cause=cause)
    return bool(ends)


def _is_refused(room: Room, referral: Referral, refusal: Consent) -> bool:
    """A plain no counts where it is newer; a document that is no longer in force, where it is the very same one."""
    known = room.referrals.open(room.referrals.load(referral.referral_id)).submission.consent
    if refusal.is_permitted is False:
        return known is None or _is_newer(refusal, known)
    is_same = known is not None and bool(refusal.consent_id) and refusal.consent_id == known.consent_id
    return is_same and refusal.deficiency == "consent-inactive"


def _is_newer(refusal: Consent, known: Consent) -> bool:
    """A refusal without a date may be the last word."""
    return refusal.signed_at is None or known.signed_at is None or refusal.signed_at >= known.signed_at


def _taken_back(
    room: Room,
    caller: Caller,
    referral_id: str,
    consent: Consent,
    reason_code: str,
    *,
    cause: Cause,
    expected_version: int = 0,
) -> Referral:
    """A refusal is a version of its own; a document that is merely withdrawn ends the version that is here."""
    if reason_code != "consent-refused":
        return revoke_consent(room, caller, referral_id, cause=cause, expected_version=expected_version)

    def decide(held: Held) -> tuple[Changed, Arrival | None]:
        return refused(room, caller, held, consent)

    return change(room, caller, referral_id, decide, cause=cause, expected_version=expected_version)
