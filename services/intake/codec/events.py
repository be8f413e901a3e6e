"""What intake says, spelled for the bus; a secret only sealed to the one who needs it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from google.protobuf.message import Message

from chassis.access import provenance
from chassis.identity import Caller
from chassis.sealing import PublicSeal
from chassis.spelling import spelled, stamp
from kindred.bus.v1.bus_pb2 import SealedField
from kindred.intake.v1 import events_pb2
from services.intake.codec.words import STRENGTHS, URGENCIES
from services.intake.domain import events
from services.intake.domain.submission import SourceContact, Submission


def consent_id(referral_id: str) -> str:
    """Our id of a referral's consent; the source's own may name a person."""
    return "con" + referral_id.removeprefix("ref")


_OF_CONSENT = (events.ConsentRecorded, events.ConsentRevoked, events.DisclosureMade)
_ELSEWHERE = frozenset({"peer_id"})  # in the provenance


class Speller:
    """Turns what intake says into bus messages; the source's address and the peer's only sealed to notifications.

    `usual_zone` is the zone of hospitals that name none.
    """

    def __init__(self, seal: PublicSeal, usual_zone: str = "") -> None:
        self._seal, self._usual_zone = seal, usual_zone

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
        subject = getattr(event, "peer_id", "")  # a rejection is about nobody: nothing of it was kept
        message: Any = spelled(event, events_pb2, provenance(caller, subject), besides=_ELSEWHERE)
        if isinstance(event, _OF_CONSENT):
            message.consent_id = consent_id(event.referral_id)
        if isinstance(event, events.PersonMerged | events.PersonUnmerged):
            message.surviving_peer_id = event.peer_id
        return message

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
            "sealed_peer_contact": self._peer_contact(submission, event.referral_id),
        }

    def _contact(self, contact: SourceContact, referral_id: str) -> SealedField | None:
        if not contact.email:
            return None
        words = {key: value for key, value in asdict(contact).items() if value}
        return self._seal.seal(json.dumps(words).encode(), f"source-contact:{referral_id}")

    def _peer_contact(self, submission: Submission, referral_id: str) -> SealedField | None:
        """How the peer is written to, where and only where that was said to be safe."""
        phone = submission.person.safe_phone()
        if not phone:
            return None
        zone = submission.source_contact.time_zone
        words = {
            "phone": phone,
            "language": next(iter(submission.languages), ""),
            # A sender that was given no zone of its own is read in UTC, where no hospital of ours is.
            "time_zone": self._usual_zone if zone in ("", "UTC") else zone,
        }
        return self._seal.seal(json.dumps(words).encode(), f"peer-contact:{referral_id}")
