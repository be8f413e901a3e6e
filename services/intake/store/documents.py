"""How a referral looks in its document: words its source may see in clear, everything else in one sealed part."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from services.intake.domain.person import Person, RecordNumber, SafeContact, VisitMarks
from services.intake.domain.referral import Referral
from services.intake.domain.states import CLOSED, State
from services.intake.domain.submission import Submission

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was sealed with a referral, opened."""

    person: Person
    note: str
    placer_identifiers: tuple[RecordNumber, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A submission on its way into the store: whose, when, and the marks that find it again."""

    peer_id: str
    submission: Submission
    arrived_at: datetime
    key: str  # the mark of the idempotency key, or empty
    digest: str  # the mark of the content, to tell a retry from a key used twice
    visit: VisitMarks
    is_first: bool = False  # the person was met just now: there is no other visit of theirs


def new_document(referral: Referral, arrival: Arrival, claims: list[str]) -> Document:
    """Everything but the sealed part."""
    consent = arrival.submission.consent
    assert consent is not None
    return {
        **body_of(referral),
        "arrived_at": arrival.arrived_at,
        "visit": {"system": arrival.visit.system, "number": arrival.visit.number},
        "door": arrival.submission.door,
        "consent": {
            "version": consent.version,
            "signed_at": consent.signed_at,
            "expires_at": consent.expires_at,
        },
        "claims": claims,
        "answers": [{"key": arrival.key, "digest": arrival.digest}] if arrival.key else [],
    }


def to_seal(submission: Submission) -> Document:
    """Everything the source said, in BSON's types; read again by `kept_of`."""
    return {
        "person": asdict(submission.person),
        "note": submission.note,
        "placer_identifiers": [asdict(one) for one in submission.placer_identifiers],
        "visit": asdict(submission.visit) if submission.visit else None,
        "place": submission.place,
        "codes": [asdict(code) for code in submission.codes],
        "experience_codes": list(submission.experience_codes),
        "preferences": [{"code": one.code, "strength": one.strength.value} for one in submission.preferences],
        "languages": list(submission.languages),
        "interpreter": {"needed": submission.interpreter_needed, "agreed": submission.interpreter_agreed},
        "source_contact": asdict(submission.source_contact),
        "consent_id": submission.consent.consent_id if submission.consent else "",
    }


def kept_of(sealed: Document) -> Kept:
    """The sealed part, opened."""
    person = dict(sealed["person"])
    person["record_numbers"] = tuple(RecordNumber(**one) for one in person["record_numbers"])
    person["phones"] = tuple(person["phones"])
    person["safe_contact"] = SafeContact(**person["safe_contact"])
    placers = tuple(RecordNumber(**one) for one in sealed["placer_identifiers"])
    return Kept(Person(**person), sealed["note"], placers)


def body_of(referral: Referral) -> Document:
    """The clear words."""
    return {
        "peer_id": referral.peer_id,
        "source_id": referral.source_id,
        "status": referral.state.value,
        "urgency": referral.urgency,
        "submitted_at": referral.submitted_at,
        "status_at": referral.state_at,
        "task_version": referral.task_version,
        "reason_code": referral.reason_code,
        "promised_arrival_at": referral.promised_arrival_at,
        "modality": referral.modality,
        "offer_id": referral.offer_id,
        "heard_at": referral.heard_at,
    }


def referral_of(referral_id: str, body: Document) -> Referral:
    """The referral in a document."""
    return Referral(
        referral_id=referral_id,
        peer_id=body["peer_id"],
        source_id=body["source_id"],
        state=State(body["status"]),
        urgency=body["urgency"],
        submitted_at=body["submitted_at"],
        state_at=body["status_at"],
        task_version=body["task_version"],
        reason_code=body["reason_code"],
        promised_arrival_at=body["promised_arrival_at"],
        modality=body["modality"],
        offer_id=body["offer_id"],
        heard_at=body["heard_at"],
    )


def revised(body: Document, moved: Referral) -> Document:
    """The document after a move.

    A closed referral gives its visit free, so that the visit may be referred again; a retry of the old key still
    gets the old answer.
    """
    changed = {**body, **body_of(moved)}
    if moved.state in CLOSED:
        changed["claims"] = [claim for claim in body["claims"] if claim.startswith("i:")] or [
            moved.referral_id
        ]
    return changed


def visit_of(document: Document) -> VisitMarks:
    """The visit as the blind index knows it."""
    visit = document["visit"]
    return VisitMarks(document["source_id"], document["arrived_at"], visit["system"], visit["number"])
