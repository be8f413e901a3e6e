"""What each event type means to an auditor: which action, on which record, with which outcome (IHE BALP)."""

from __future__ import annotations

from dataclasses import dataclass

# FHIR R4 AuditEvent.outcome: 0 success, 4 minor failure (refused for its content), 8 serious (denied, given up).
SUCCESS, REFUSED, DENIED = "0", "4", "8"


@dataclass(frozen=True, slots=True)
class EventClass:
    """How one event type is written: FHIR action (C, R, U, D, E), RESTful interaction, record and outcome.

    `record_field` names the message field with the record's id, `reason_field` the one with a reason's code.
    `shape` is the form of its AuditEvent (fhir/writing.py), `particulars` the fields an auditor asks for besides, and
    `denial_field` a yes or no that makes it a denial where it is no.
    """

    action: str
    interaction: str
    record_type: str
    record_field: str
    outcome: str = SUCCESS
    reason_field: str = ""
    shape: str = "rest"
    particulars: tuple[str, ...] = ()
    denial_field: str = ""


UNCLASSIFIED = EventClass("E", "operation", "", "")
_CONSENT = ("consent_id", "consent_version")

# The record and the action of these come from the message itself: what was read, or asked for in vain.
ACCESS_TYPES = {
    "record.read.v1": EventClass("R", "read", "", "record_id"),
    "access.denied.v1": EventClass("R", "read", "", "record_id", DENIED, "reason_code"),
}

# Of these only the record's type does.
NAMES_ITS_RECORD = frozenset({"record.exported.v1", "glass.broken.v1"})

ACCESS_ACTIONS = {
    "create": ("C", "create"),
    "read": ("R", "read"),
    "update": ("U", "update"),
    "delete": ("D", "delete"),
    "search": ("E", "search"),
    "list": ("E", "search"),
    "replay": ("E", "operation"),
    "discard": ("E", "operation"),
}

CLASSES: dict[str, EventClass] = {
    **ACCESS_TYPES,
    # A hospital hands a person's data to us: for BALP the recipient's side of a disclosure.
    "referral.submitted.v1": EventClass(
        "C",
        "create",
        "Referral",
        "referral_id",
        shape="disclosure-recipient",
        particulars=("source_id", *_CONSENT),
    ),
    "submission.rejected.v1": EventClass("C", "create", "Referral", "", REFUSED, "reason_codes"),
    "submission.repeated.v1": EventClass("E", "operation", "Referral", "referral_id"),
    "referral.status-changed.v1": EventClass(
        "U", "update", "Referral", "referral_id", SUCCESS, "reason_code"
    ),
    "referral.revised.v1": EventClass("U", "update", "Referral", "referral_id", SUCCESS, "reason_code"),
    "referral.stopped.v1": EventClass("U", "update", "Referral", "referral_id", SUCCESS, "stop_code"),
    "consent.recorded.v1": EventClass(
        "E",
        "operation",
        "Consent",
        "consent_id",
        SUCCESS,
        "reason_code",
        shape="consent",
        particulars=("consent_version", "is_permitted", "expires_at"),
        denial_field="is_permitted",
    ),
    "consent.revoked.v1": EventClass(
        "U", "update", "Consent", "consent_id", particulars=("consent_version",)
    ),
    "disclosure.made.v1": EventClass(
        "R",
        "read",
        "Referral",
        "referral_id",
        shape="disclosure-source",
        particulars=(
            "recipient_id",
            "recipient_class",
            *_CONSENT,
            "confidentiality",
            "notice_sha256",
        ),
    ),
    "person.merged.v1": EventClass("U", "update", "Person", "surviving_peer_id", SUCCESS, "reason_code"),
    "person.unmerged.v1": EventClass("U", "update", "Person", "surviving_peer_id", SUCCESS, "reason_code"),
    "case.closed.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "stop_code"),
    "assignment.ended.v1": EventClass("U", "update", "Offer", "offer_id", SUCCESS, "reason_code"),
    "referral.closed.v1": EventClass("U", "update", "Referral", "referral_id", SUCCESS, "outcome"),
    "assignment.chosen.v1": EventClass("U", "update", "Offer", "offer_id", SUCCESS, "reason_code"),
    "arrival.updated.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "step"),
    "arrival.overdue.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "reason_code"),
    "rematch.requested.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "reason_code"),
    "case.moved.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "reason_code"),
    "ladder.changed.v1": EventClass("U", "update", "Ladder", "programme_id"),
    "handoff.recorded.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "outcome"),
    "checkin.due.v1": EventClass("U", "update", "Case", "referral_id"),
    "checkin.recorded.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "outcome"),
    "checkin.missed.v1": EventClass("U", "update", "Case", "referral_id"),
    "case.completed.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "outcome"),
    "referral.escalated.v1": EventClass("U", "update", "Referral", "referral_id", SUCCESS, "reason_code"),
    "specialist.enrolled.v1": EventClass("U", "update", "Specialist", "specialist_id"),
    "specialist.changed.v1": EventClass("U", "update", "Specialist", "specialist_id", SUCCESS, "what"),
    "certification.expiring.v1": EventClass("E", "operation", "Specialist", "specialist_id"),
    "offer.made.v1": EventClass("C", "create", "Offer", "offer_id"),
    "offer.accepted.v1": EventClass("U", "update", "Offer", "offer_id"),
    "offer.declined.v1": EventClass("U", "update", "Offer", "offer_id", SUCCESS, "reason_code"),
    "offer.expired.v1": EventClass("U", "update", "Offer", "offer_id"),
    "offer.withdrawn.v1": EventClass("U", "update", "Offer", "offer_id", SUCCESS, "reason_code"),
    "session.began.v1": EventClass(
        "E", "operation", "", "", SUCCESS, "reason_code", shape="session", particulars=("door",)
    ),
    "session.ended.v1": EventClass(
        "E", "operation", "", "", SUCCESS, "reason_code", shape="session", particulars=("door",)
    ),
    "token.issued.v1": EventClass(
        "E", "operation", "Token", "", shape="token", particulars=("client_id", "scopes", "expires_at")
    ),
    "record.exported.v1": EventClass(
        "R", "read", "", "record_id", shape="export", particulars=("format", "rows", "content_sha256")
    ),
    "emergency.declared.v1": EventClass(
        "R",
        "read",
        "Referral",
        "referral_id",
        SUCCESS,
        "nature_code",
        shape="disclosure-source",
        particulars=("recipient_id", "recipient_affiliation", "discloser_id", "occurred_at"),
    ),
    "glass.broken.v1": EventClass("R", "read", "", "record_id", SUCCESS, "reason_code"),
    # What the other system's AuditEvent says of action, record and outcome comes from itself (codec/outside.py).
    "event.received.v1": EventClass("E", "operation", "AuditEvent", "", shape="outside"),
    "review.opened.v1": EventClass(
        "C", "create", "Review", "review_id", SUCCESS, "rule", particulars=("due_at", "entries")
    ),
    "review.decided.v1": EventClass(
        "U", "update", "Review", "review_id", SUCCESS, "decision", particulars=("rule",)
    ),
    "log.checked.v1": EventClass(
        "E",
        "operation",
        "AuditLog",
        "",
        SUCCESS,
        "codes",
        particulars=("is_whole", "entries", "entries_checked", "findings", "with_bodies", "milliseconds"),
    ),
    "notice.sent.v1": EventClass("C", "create", "Notice", "notice_id"),
    "notice.failed.v1": EventClass("C", "create", "Notice", "notice_id", DENIED, "reason_code"),
    "notice.delivered.v1": EventClass("U", "update", "Notice", "notice_id"),
    "notice.bounced.v1": EventClass("U", "update", "Notice", "notice_id", DENIED, "reason_code"),
    "notice.replied.v1": EventClass("U", "update", "Notice", "notice_id", SUCCESS, "kind"),
    "contact.changed.v1": EventClass("U", "update", "Contact", "person_id"),
    "contact.erased.v1": EventClass("D", "delete", "Contact", "person_id"),
}
