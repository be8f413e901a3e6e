"""What each event type means to an auditor: which action, on which record, with which outcome (IHE BALP)."""

from __future__ import annotations

from dataclasses import dataclass

# FHIR R4 AuditEvent.outcome: 0 success, 4 minor failure (refused for its content), 8 serious (denied, given up).
SUCCESS, REFUSED, DENIED = "0", "4", "8"


@dataclass(frozen=True, slots=True)
class EventClass:
    """How one event type is written: FHIR action (C, R, U, D, E), RESTful interaction, record and outcome.

    `record_field` names the message field with the record's id, `reason_field` the one with a reason's code.
    """

    action: str
    interaction: str
    record_type: str
    record_field: str
    outcome: str = SUCCESS
    reason_field: str = ""


UNCLASSIFIED = EventClass("E", "operation", "", "")

# The record and the action of these come from the message itself: what was read, or asked for in vain.
ACCESS_TYPES = {
    "record.read.v1": EventClass("R", "read", "", "record_id"),
    "access.denied.v1": EventClass("R", "read", "", "record_id", DENIED, "reason_code"),
}

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
    "referral.submitted.v1": EventClass("C", "create", "Referral", "referral_id"),
    "submission.rejected.v1": EventClass("C", "create", "Referral", "", REFUSED, "reason_codes"),
    "submission.repeated.v1": EventClass("E", "operation", "Referral", "referral_id"),
    "referral.status-changed.v1": EventClass(
        "U", "update", "Referral", "referral_id", SUCCESS, "reason_code"
    ),
    "referral.revised.v1": EventClass("U", "update", "Referral", "referral_id", SUCCESS, "reason_code"),
    "referral.stopped.v1": EventClass("U", "update", "Referral", "referral_id", SUCCESS, "stop_code"),
    "consent.recorded.v1": EventClass("C", "create", "Consent", "consent_id", SUCCESS, "reason_code"),
    "consent.revoked.v1": EventClass("U", "update", "Consent", "consent_id"),
    "disclosure.made.v1": EventClass("R", "read", "Person", "referral_id"),
    "person.merged.v1": EventClass("U", "update", "Person", "surviving_peer_id", SUCCESS, "reason_code"),
    "person.unmerged.v1": EventClass("U", "update", "Person", "surviving_peer_id", SUCCESS, "reason_code"),
    "case.closed.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "stop_code"),
    "assignment.ended.v1": EventClass("U", "update", "Offer", "offer_id", SUCCESS, "reason_code"),
    "referral.closed.v1": EventClass("U", "update", "Referral", "referral_id", SUCCESS, "outcome"),
    "handoff.recorded.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "outcome"),
    "checkin.due.v1": EventClass("U", "update", "Case", "referral_id"),
    "checkin.recorded.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "outcome"),
    "checkin.missed.v1": EventClass("U", "update", "Case", "referral_id"),
    "case.completed.v1": EventClass("U", "update", "Case", "referral_id", SUCCESS, "outcome"),
    "referral.escalated.v1": EventClass("U", "update", "Referral", "referral_id", SUCCESS, "reason_code"),
    "specialist.enrolled.v1": EventClass("U", "update", "Specialist", "specialist_id"),
    "offer.made.v1": EventClass("C", "create", "Offer", "offer_id"),
    "offer.accepted.v1": EventClass("U", "update", "Offer", "offer_id"),
    "offer.declined.v1": EventClass("U", "update", "Offer", "offer_id", SUCCESS, "reason_code"),
    "offer.expired.v1": EventClass("U", "update", "Offer", "offer_id"),
    "offer.withdrawn.v1": EventClass("U", "update", "Offer", "offer_id", SUCCESS, "reason_code"),
    "notice.sent.v1": EventClass("C", "create", "Notice", "notice_id"),
    "notice.failed.v1": EventClass("C", "create", "Notice", "notice_id", DENIED, "reason_code"),
}
