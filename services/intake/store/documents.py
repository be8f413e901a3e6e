"""How a referral looks in its document: words its source may see in clear, everything else in one sealed part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.intake.domain.consent import Consent
from services.intake.domain.person import Person, RecordNumber, SafeContact, VisitMarks
from services.intake.domain.receipts import Book
from services.intake.domain.referral import Referral
from services.intake.domain.states import BEFORE_ASSIGNMENT, CLOSED, State
from services.intake.domain.submission import (
    Answered,
    Characteristic,
    Code,
    Preference,
    Referrer,
    SourceContact,
    Strength,
    Submission,
    Urgency,
)
from services.intake.store.consent_documents import consent_of, document_of
from services.intake.store.plain import plain
from services.intake.store.receipt_documents import book_of

Document = dict[str, Any]
_KEPT_FIRST, _KEPT_LAST = 20, 80


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened to a referral, as its source may see it: a state, or "corrected" and "leaving"."""

    state: str
    at: datetime
    reason_code: str = ""


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class Kept:
    """What was sealed with a referral, opened; what happened to it, oldest first; and its notices."""

    submission: Submission
    history: tuple[Happened, ...] = ()
    earlier: tuple[Consent, ...] = ()  # versions of the consent before the submission's own
    book: Book = field(default_factory=Book)

    @property
    def consents(self) -> tuple[Consent, ...]:
        """Every version of the consent, oldest first."""
        latest = self.submission.consent
        return (*self.earlier, latest) if latest else self.earlier

    @property
    def person(self) -> Person:
        """Whose referral it is."""
        return self.submission.person

    @property
    def note(self) -> str:
        """The free words, as they came."""
        return self.submission.note

    @property
    def placer_identifiers(self) -> tuple[RecordNumber, ...]:
        """The source's own numbers of its order."""
        return self.submission.placer_identifiers


@dataclass(frozen=True, slots=True)
class Arrival:
    """A submission on its way into the store: whose, when, and the marks that find it again."""

    peer_id: str
    submission: Submission
    arrived_at: datetime
    key: str  # the mark of the idempotency key, or empty
    digest: str  # the mark of the content, to tell a retry from a key used twice
    visit: VisitMarks
    orders: tuple[str, ...] = ()  # the marks of the source's own numbers of its order
    is_first: bool = False  # the person was met just now: there is no other visit of theirs
    aliases: tuple[str, ...] = ()  # pseudonyms of the person that older referrals carry
    earlier: tuple[Consent, ...] = ()  # versions of the consent before the submission's own


def new_document(referral: Referral, arrival: Arrival, claims: list[str]) -> Document:
    """Everything but the sealed part."""
    return {
        **body_of(referral),
        "arrived_at": arrival.arrived_at,
        "visit": {"system": arrival.visit.system, "number": arrival.visit.number},
        "door": arrival.submission.door,
        "orders": list(arrival.orders),
        "claims": claims,
        "answers": [{"key": arrival.key, "digest": arrival.digest}] if arrival.key else [],
        "history": [_happened(referral.state.value, referral)],
    }


def to_seal(submission: Submission, earlier: Sequence[Consent] = ()) -> Document:
    """Everything the source said, in BSON's types, and the earlier versions of the consent; read again by `kept_of`."""
    said = {
        "person": plain(submission.person),
        "placer_identifiers": [plain(one) for one in submission.placer_identifiers],
        "visit": plain(submission.visit) if submission.visit else None,
        "codes": [plain(code) for code in submission.codes],
        "preferences": [{"code": one.code, "strength": one.strength.value} for one in submission.preferences],
        "interpreter": {"needed": submission.interpreter_needed, "agreed": submission.interpreter_agreed},
        "source_contact": plain(submission.source_contact),
        "referrer": plain(submission.referrer),
        "characteristics": [
            {**plain(one), "answered": one.answered.value} for one in submission.characteristics
        ],
        "consent": document_of(submission.consent) if submission.consent else None,
        "consents": [document_of(one) for one in earlier],
    }
    lists = {name: list(getattr(submission, name)) for name in _LISTED}
    return said | lists | {name: getattr(submission, name) for name in _PLAIN}


_LISTED = ("experience_codes", "languages", "modalities", "excluded_specialist_ids", "labels")
_PLAIN = ("note", "place", "facility_zip", "payer_code", "is_naloxone_given", "may_wait_for_consent")


def kept_of(sealed: Document, body: Document) -> Kept:
    """The sealed part, opened, and what stands beside it in clear.

    A document of a version before this one lacks some words; they read as unsaid (P10).
    """
    visit, consent = sealed["visit"], sealed.get("consent")
    said = Submission(
        door=body["door"],
        source_id=body["source_id"],
        person=_person(sealed["person"]),
        consent=consent_of(consent) if consent else None,
        visit=RecordNumber(**visit) if visit else None,
        urgency=Urgency(body["urgency"]),
        codes=tuple(Code(**one) for one in sealed["codes"]),
        preferences=tuple(
            Preference(one["code"], Strength(one["strength"])) for one in sealed["preferences"]
        ),
        interpreter_needed=sealed["interpreter"]["needed"],
        interpreter_agreed=sealed["interpreter"]["agreed"],
        arrived_at=body["arrived_at"],
        expected_departure_at=body.get("expected_departure_at"),
        source_contact=SourceContact(**sealed["source_contact"]),
        placer_identifiers=tuple(RecordNumber(**one) for one in sealed["placer_identifiers"]),
        referrer=Referrer(**sealed.get("referrer", {})),
        characteristics=tuple(
            Characteristic(**{**one, "answered": Answered(one["answered"])})
            for one in sealed.get("characteristics", [])
        ),
    )
    lists: Document = {name: tuple(sealed.get(name, ())) for name in _LISTED}
    whole = replace(said, **lists, **{name: sealed[name] for name in _PLAIN if name in sealed})
    earlier = tuple(consent_of(one) for one in sealed.get("consents", ()))
    return Kept(whole, history_of(body), earlier, book_of(body))


def history_of(body: Document) -> tuple[Happened, ...]:
    """What happened, oldest first; a document of a version before this one lacks it (P10)."""
    return tuple(Happened(one["state"], one["at"], one["reason"]) for one in body.get("history", ()))


def _person(sealed: Document) -> Person:
    numbers = tuple(RecordNumber(**one) for one in sealed["record_numbers"])
    lists = {name: tuple(sealed.get(name, ())) for name in ("phones", "former_names")}
    said = {"record_numbers": numbers, **lists}
    return Person(**{**sealed, **said, "safe_contact": SafeContact(**sealed["safe_contact"])})


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
        "revision": referral.revision,
        "specialist_id": referral.specialist_id,
        "programme_id": referral.programme_id,
        "expected_departure_at": referral.expected_departure_at,
        "consent_version": referral.consent_version,
        "consent_expires_at": referral.consent_expires_at,
        "is_consent_revoked": referral.is_consent_revoked,
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
        revision=body.get("revision", 1),
        specialist_id=body.get("specialist_id", ""),
        programme_id=body.get("programme_id", ""),
        expected_departure_at=body.get("expected_departure_at"),
        consent_version=body.get("consent_version", 1),
        consent_expires_at=body.get("consent_expires_at"),
        is_consent_revoked=body.get("is_consent_revoked", False),
    )


def due_of(referral: Referral) -> datetime | None:
    """When the clock has to look at it: at the end of the consent, while nobody was found."""
    return referral.consent_expires_at if referral.state in BEFORE_ASSIGNMENT else None


def revised(body: Document, moved: Referral) -> Document:
    """The document after a move.

    A closed referral gives its visit free, so that the visit may be referred again; a retry of the old key still
    gets the old answer.
    """
    changed = {**body, **body_of(moved), "history": _history(body, moved)}
    if moved.state in CLOSED:
        changed["claims"] = [claim for claim in body["claims"] if claim.startswith("i:")] or [
            moved.referral_id
        ]
    return changed


def _history(body: Document, moved: Referral) -> list[Document]:
    """What happened, with this move; the beginning stays, however often it is corrected."""
    known: list[Document] = body.get("history", [])
    if moved.task_version == body["task_version"]:
        return known
    what = moved.state.value
    if what == body["status"] and moved.revision != body.get("revision", 1):
        is_leaving = moved.expected_departure_at != body.get("expected_departure_at")
        what = "leaving" if is_leaving else "corrected"
    return [*known[:_KEPT_FIRST], *known[_KEPT_FIRST:][-_KEPT_LAST:], _happened(what, moved)]


def _happened(what: str, referral: Referral) -> Document:
    return {"state": what, "at": referral.state_at, "reason": referral.reason_code}


def visit_of(document: Document) -> VisitMarks:
    """The visit as the blind index knows it."""
    visit = document["visit"]
    return VisitMarks(document["source_id"], document["arrived_at"], visit["system"], visit["number"])
