"""What each message does: REF I12 to I15, and the ADT events that matter to a referral."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import Fault, Kind, Refusal
from services.intake import handlers
from services.intake.domain import limits
from services.intake.domain.commands import CANCEL_REASONS, PEER_REASONS
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.referral import Referral
from services.intake.domain.states import OPEN, State
from services.intake.domain.submission import Submission
from services.intake.handlers.commanding import own_referral
from services.intake.hl7v2 import identity, times
from services.intake.hl7v2.calls import Call, ReferralNotFound
from services.intake.hl7v2.message import Segment
from services.intake.hl7v2.reading import Reading

_MOST_TRIES = 20
_LONGEST_PAUSE_S = 0.02  # several connections of one feed that change one referral take turns
_MOST_MERGED = 50  # each is a transaction; engines send one
_STALE = "version-stale"
_OF_THE_PEER = {reason: reason for reason in PEER_REASONS if reason not in CANCEL_REASONS} | {
    "declined-by-peer": "not-said"
}
_PERSON_WORDS = frozenset({"languages", "characteristics"})
_VISIT_WORDS = frozenset({"place", "expected_departure_at"})


@dataclass(frozen=True, slots=True)
class Done:
    """What a message did: the referral as it stands, what was passed over; `is_noted` False where nothing changed."""

    referral: Referral | None = None
    warnings: tuple[Fault, ...] = ()
    is_noted: bool = True


def refer(call: Call) -> Done:
    """REF^I12: a new referral, or the one it repeats; a consent that one waited for is taken from the repeat.

    A no is heeded before anything else is judged: a wrong date elsewhere keeps nobody's refusal out.
    """
    if call.reading.faults and _says_no(call.reading):
        said = call.reading.unchecked(call.sender.source_id, call.key)
        handlers.heed_refusal(call.room, call.caller, said, call.cause)
    submission = call.reading.new(call.sender.source_id, call.key)
    told = handlers.submit(call.room, call.caller, submission, call.cause)
    referral, is_held = told.referral, told.referral.state is State.NEEDS_INFORMATION
    if told.was_known and is_held and submission.consent is not None:
        referral = _corrected(call, referral, call.reading, f"{call.key}:{referral.referral_id}")
    return Done(referral, call.reading.warnings)


def heed(call: Call, act: Act) -> None:
    """A person's no, or a restriction, in what shows of a message that cannot be read as a whole stops what it stops.

    Nothing else of such a message takes effect, and its sender is told that it was refused.
    """
    if act is refer and _says_no(call.reading):
        said = call.reading.unchecked(call.sender.source_id, call.key)
        handlers.heed_refusal(call.room, call.caller, said, call.cause)
    elif act is modify and _is_taken_back(call.reading):
        with suppress(ReferralNotFound):
            _revoked(call, call.referral())
    elif act is update and _is_taken_back(call.reading):
        for referral in call.open_of_person():
            _revoked(call, referral)


def modify(call: Call) -> Done:
    """REF^I13: what is said is changed, what is null is deleted, everything else stays.

    A consent that is refused or taken back, or a restriction that cannot be kept, stops the referral at once.  One
    that is limited, pending, bypassed or over now stops it, too, and is refused as what a referral could go on with.
    """
    found = call.referral()
    if _is_taken_back(call.reading):
        return Done(_revoked(call, found))
    consent = call.reading.said.get("consent")
    handlers.heed_document(call.room, call.caller, found.referral_id, consent, cause=call.cause)
    return Done(_corrected(call, found, call.reading, call.key), call.reading.warnings)


def cancel(call: Call) -> Done:
    """REF^I14: the source takes the referral back, with the reason of RF1-10 where it is one of ours.

    A reason of the peer's is the peer's no; `entered-in-error` says that it should never have been sent.
    """
    referral_id, reason = call.referral().referral_id, call.message.text("RF1", 10)
    who, cause = (call.room, call.caller), call.cause
    if reason == State.ENTERED_IN_ERROR:
        return Done(handlers.enter_in_error(*who, referral_id, cause=cause))
    if reason in _OF_THE_PEER:
        said = _OF_THE_PEER[reason]
        return Done(handlers.decline_by_peer(*who, referral_id, said, cause=cause))
    reason = reason if reason in CANCEL_REASONS else "other"
    return Done(handlers.cancel(*who, referral_id, reason, cause=cause))


def ask(call: Call) -> Done:
    """REF^I15: how the referral stands now; the read is in the audit trail before the answer leaves."""
    found = call.referral()
    referral, _ = handlers.read_referral(call.room, call.caller, found.referral_id, "Referral", call.cause)
    return Done(referral, is_noted=False)


def discharge(call: Call) -> Done:
    """ADT^A03: the peer leaves; open referrals of the visit look again for who can be there in time."""
    found = call.open_referrals()
    if identity.is_deceased(call.message):
        return _ended(call, found)
    leaves_at, where = _departure(call)
    for referral in found:
        who = call.room, call.caller, referral.referral_id
        handlers.report_departure(*who, leaves_at, cause=call.cause, where=where)
    return Done(is_noted=bool(found))


def _departure(call: Call) -> tuple[datetime, str]:
    """PV1-45, else EVN-6 (occurred), else EVN-2 (recorded), else now: an A03 says that they leave; and the place."""
    for name, number in (("PV1", 45), ("EVN", 6), ("EVN", 2)):
        segment = call.message.first(name)
        text = segment.text(number) if segment else ""
        found = times.read(text, call.sender.zone) if text else None
        if text and found is None and segment is not None:
            raise SubmissionRejected([Fault(segment.at(number), "time-unreadable", "This is not a time.")])
        if found is not None and found.precision >= times.MINUTE and segment is not None:
            return found.first, segment.at(number)
    return call.now, "MSH[1]-9"


def update(call: Call) -> Done:
    """ADT^A08: facts of the person and of the stay, in every open referral that has others."""
    found = call.open_of_person()
    if identity.is_deceased(call.message):
        return _ended(call, found)
    if found and _is_taken_back(call.reading):
        for referral in found:
            _revoked(call, referral)
        return Done()
    stay = {one.referral_id for one in call.open_referrals()} if found else set()
    for referral in found:
        words = _PERSON_WORDS | (_VISIT_WORDS if referral.referral_id in stay else frozenset())
        said = {name: value for name, value in call.reading.said.items() if name in words}
        about = replace(call.reading, said=said)
        _corrected(call, referral, about, f"{call.key}:{referral.referral_id}")
    return Done(is_noted=bool(found))


def merge(call: Call) -> Done:
    """ADT^A40: for each PID with its MRG, the numbers of MRG-1 lead to the person of PID-3."""
    pairs, surviving = [], None
    segments = [one for one in call.message.segments if one.name in ("PID", "MRG")]
    if len(segments) > 2 * _MOST_MERGED:
        message = f"At most {_MOST_MERGED} people are merged by one message."
        raise SubmissionRejected([Fault("MRG", "too-many", message)])
    for segment in segments:
        if segment.name == "PID":
            surviving = segment
        elif segment.name == "MRG":
            pairs += _pairs(call, surviving, segment)
    if not pairs:
        raise SubmissionRejected(
            [Fault("MRG", "segment-missing", "A merge names both persons: PID and MRG.")]
        )
    linked = [
        handlers.merge_people(call.room, call.caller, kept, merged, cause=call.cause)
        for kept, merged in pairs
    ]
    return Done(is_noted=any(one.is_new for one in linked))


def _pairs(
    call: Call, pid: Segment | None, mrg: Segment
) -> list[tuple[identity.RecordNumber, identity.RecordNumber]]:
    """Each number of MRG-1 with the one of PID-3 of the same authority."""
    source_id = call.sender.source_id
    kept = identity.record_numbers(pid.values(3), source_id) if pid else ()
    merged = identity.record_numbers(mrg.values(1), source_id)
    if len(kept) + len(merged) > 2 * limits.MOST_NUMBERS:
        raise SubmissionRejected([Fault(mrg.at(1), "too-many", "Nobody has so many numbers.")])
    by_system = {number.system: number for number in reversed(kept)}
    pairs = [(by_system[number.system], number) for number in merged if number.system in by_system]
    if not pairs:
        message = "MRG-1 holds no number of an authority that PID-3 has one of."
        raise SubmissionRejected([Fault(mrg.at(1), "merge-without-pair", message)])
    return [pair for pair in pairs if pair[0] != pair[1]]


def _is_taken_back(reading: Reading) -> bool:
    return reading.is_restricted or _says_no(reading)


def _says_no(reading: Reading) -> bool:
    consent = reading.said.get("consent")
    return consent is not None and consent.is_permitted is False


def _revoked(call: Call, referral: Referral) -> Referral:
    return handlers.revoke_consent(call.room, call.caller, referral.referral_id, cause=call.cause)


def _ended(call: Call, found: list[Referral]) -> Done:
    """The person has died: nobody is sent, nobody is called."""
    for referral in found:
        handlers.cancel(call.room, call.caller, referral.referral_id, "no-longer-needed", cause=call.cause)
    return Done(is_noted=bool(found))


def _corrected(call: Call, found: Referral, reading: Reading, key: str) -> Referral:
    """The referral with what the message says changed; one that says nothing new changes nothing.

    Somebody else's change between reading and writing is not overwritten: it is read again.
    """
    for tries_left in reversed(range(_MOST_TRIES)):
        held = own_referral(call.room, call.caller, found.referral_id, "update", call.cause)
        kept = call.room.referrals.open(held).submission
        changed = reading.onto(kept, key)
        if held.referral.state in OPEN and _says_nothing_new(kept, changed):
            return held.referral
        try:
            return handlers.correct(
                call.room,
                call.caller,
                found.referral_id,
                changed,
                cause=call.cause,
                expected_version=held.referral.task_version,
            )
        except Refusal as refusal:
            if refusal.code != _STALE:
                raise
            if not tries_left:
                raise Refusal("referral-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1) from None
            time.sleep(random.uniform(0, _LONGEST_PAUSE_S))
    raise AssertionError("the last try returns or raises")


def _says_nothing_new(kept: Submission, changed: Submission) -> bool:
    consent = changed.consent or kept.consent
    return replace(changed, idempotency_key=kept.idempotency_key, consent=consent) == kept


Act = Callable[[Call], Done]
ACTS: dict[tuple[str, str], Act] = {
    ("REF", "I12"): refer,
    ("REF", "I13"): modify,
    ("REF", "I14"): cancel,
    ("REF", "I15"): ask,
    ("ADT", "A03"): discharge,
    ("ADT", "A08"): update,
    **{("ADT", event): merge for event in ("A18", "A34", "A36", "A39", "A40")},
}
