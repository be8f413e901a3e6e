"""What one event says to an auditor: who did what, to which record, about whom, why, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """One entry before it is sealed. Ids are pseudonymous; `flags` name what is odd about the event."""

    event_id: str
    event_type: str
    producer: str
    producer_seq: int
    recorded_at: datetime
    action: str
    interaction: str
    outcome: str
    record_type: str = ""
    record_id: str = ""
    reason: str = ""
    actor_id: str = ""
    actor_role: str = ""
    organization_id: str = ""
    purpose_of_use: str = ""
    subject_id: str = ""
    referral_id: str = ""
    criteria: tuple[str, ...] = ()
    trace_id: str = ""
    correlation_id: str = ""
    flags: tuple[str, ...] = ()
    # SHA-256 of the event's own content: two events under one id differ in it.
    content_digest: bytes = b""
    # The event's own bytes, kept where this version cannot read them, or where another system wrote them.
    unread: bytes = b""
    # How the entry is written (fhir/writing.py): rest, consent, disclosure-source, disclosure-recipient ...
    shape: str = "rest"
    # What else a message says that an auditor asks for: (field, value), ids and codes only.
    particulars: tuple[tuple[str, str], ...] = ()

    @property
    def class_code(self) -> str:
        """What a leaf tells of the event: action, outcome, and "?" where it is flagged."""
        return f"{self.action}{self.outcome}{'?' if self.flags else ''}"

    @property
    def period(self) -> str:
        """The quarter whose key seals it, such as "2026Q4"."""
        return f"{self.recorded_at.year:04d}Q{(self.recorded_at.month + 2) // 3}"


def outcome_word(outcome: str) -> str:
    """The API's word for a FHIR outcome: success, refused or failed."""
    return {"0": "success", "4": "refused", "8": "refused"}.get(outcome, "failed")
