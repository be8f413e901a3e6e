"""What intake says, spelled for the bus; a secret only sealed to the one who needs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from google.protobuf.message import Message

from chassis.access import provenance
from chassis.identity import Caller
from chassis.sealing import PublicSeal
from kindred.bus.v1.bus_pb2 import SealedField
from kindred.intake.v1 import events_pb2
from services.intake.codec.words import STRENGTHS, URGENCIES, stamp
from services.intake.domain import events
from services.intake.domain.submission import SourceContact


def consent_id(referral_id: str) -> str:
    """Our id of a referral's consent; the source's own may name a person."""
    return "con" + referral_id.removeprefix("ref")


class Speller:
    """Turns what intake says into bus messages; the source's address only sealed to notifications."""

    def __init__(self, seal: PublicSeal) -> None:
        self._seal = seal

    def message(self, event: events.Event, caller: Caller) -> Message:
        """The event's message, with who caused it."""
        if isinstance(event, events.ReferralSubmitted):
            return events_pb2.ReferralSubmitted(
                provenance=provenance(caller, event.peer_id), **self._facts(event)
            )
        if isinstance(event, events.ReferralRevised):
            return events_pb2.ReferralRevised(
                provenance=provenance(caller, event.peer_id),
                revision=event.revision,
                reason_code=event.reason_code,
                **self._facts(event),
            )
        return _SPELLED[type(event)](event, caller)

    def _facts(self, event: events.ReferralSubmitted | events.ReferralRevised) -> dict[str, Any]:
        """What a match may know: coded facts, places and times, never who."""
        submission, consent = event.submission, event.submission.consent
        assert consent is not None
        return {
            "referral_id": event.referral_id,
            "source_id": submission.source_id,
            "urgency": URGENCIES[submission.urgency],
            "experience_codes": submission.experience_codes,
            "preferences": [
                events_pb2.Preference(code=one.code, strength=STRENGTHS[one.strength])
                for one in submission.preferences
            ],
            "languages": submission.languages,
            "interpreter_agreed": submission.interpreter_agreed,
            "age_band": event.age_band,
            "facility_zip": submission.facility_zip,
            "payer_code": submission.payer_code,
            "arrived_at": stamp(event.arrived_at),
            "expected_departure_at": stamp(submission.expected_departure_at),
            "consent_id": consent_id(event.referral_id),
            "consent_version": consent.version,
            "consent_expires_at": stamp(consent.expires_at),
            "modalities": submission.modalities,
            "excluded_specialist_ids": submission.excluded_specialist_ids,
            "sealed_source_contact": self._contact(submission.source_contact, event.referral_id),
        }

    def _contact(self, contact: SourceContact, referral_id: str) -> SealedField | None:
        if not contact.email:
            return None
        words = {key: value for key, value in asdict(contact).items() if value}
        return self._seal.seal(json.dumps(words).encode(), f"source-contact:{referral_id}")


def _rejected(event: events.SubmissionRejected, caller: Caller) -> Message:
    return events_pb2.SubmissionRejected(
        provenance=provenance(caller),
        source_id=event.source_id,
        door=event.door,
        reason_codes=event.reason_codes,
        paths=event.paths,
    )


def _repeated(event: events.SubmissionRepeated, caller: Caller) -> Message:
    return events_pb2.SubmissionRepeated(
        provenance=provenance(caller, event.peer_id),
        referral_id=event.referral_id,
        source_id=event.source_id,
        door=event.door,
    )


def _status_changed(event: events.ReferralStatusChanged, caller: Caller) -> Message:
    return events_pb2.ReferralStatusChanged(
        provenance=provenance(caller, event.peer_id),
        referral_id=event.referral_id,
        source_id=event.source_id,
        status=event.status,
        previous_status=event.previous_status,
        reason_code=event.reason_code,
        promised_arrival_at=stamp(event.promised_arrival_at),
        modality=event.modality,
        version=event.version,
    )


def _stopped(event: events.ReferralStopped, caller: Caller) -> Message:
    return events_pb2.ReferralStopped(
        provenance=provenance(caller, event.peer_id),
        referral_id=event.referral_id,
        source_id=event.source_id,
        stop_code=event.stop_code,
        reason_code=event.reason_code,
        consent_version=event.consent_version,
    )


def _consent_recorded(event: events.ConsentRecorded, caller: Caller) -> Message:
    return events_pb2.ConsentRecorded(
        provenance=provenance(caller, event.peer_id),
        referral_id=event.referral_id,
        consent_id=consent_id(event.referral_id),
        consent_version=event.consent_version,
        is_permitted=event.is_permitted,
        reason_code=event.reason_code,
        expires_at=stamp(event.expires_at),
    )


def _consent_revoked(event: events.ConsentRevoked, caller: Caller) -> Message:
    return events_pb2.ConsentRevoked(
        provenance=provenance(caller, event.peer_id),
        referral_id=event.referral_id,
        consent_id=consent_id(event.referral_id),
        consent_version=event.consent_version,
    )


def _disclosed(event: events.DisclosureMade, caller: Caller) -> Message:
    return events_pb2.DisclosureMade(
        provenance=provenance(caller, event.peer_id),
        referral_id=event.referral_id,
        consent_id=consent_id(event.referral_id),
        consent_version=event.consent_version,
        recipient_id=event.recipient_id,
        recipient_class=event.recipient_class,
        notice_sha256=event.notice_sha256,
        confidentiality=event.confidentiality,
    )


def _merged(event: events.PersonMerged, caller: Caller) -> Message:
    return events_pb2.PersonMerged(
        provenance=provenance(caller, event.peer_id),
        surviving_peer_id=event.peer_id,
        merged_peer_id=event.merged_peer_id,
        reason_code=event.reason_code,
    )


def _unmerged(event: events.PersonUnmerged, caller: Caller) -> Message:
    return events_pb2.PersonUnmerged(
        provenance=provenance(caller, event.peer_id),
        surviving_peer_id=event.peer_id,
        unmerged_peer_id=event.unmerged_peer_id,
        reason_code=event.reason_code,
    )


_SPELLED: dict[type, Callable[[Any, Caller], Message]] = {
    events.SubmissionRejected: _rejected,
    events.SubmissionRepeated: _repeated,
    events.ReferralStatusChanged: _status_changed,
    events.ReferralStopped: _stopped,
    events.ConsentRecorded: _consent_recorded,
    events.ConsentRevoked: _consent_revoked,
    events.DisclosureMade: _disclosed,
    events.PersonMerged: _merged,
    events.PersonUnmerged: _unmerged,
}
