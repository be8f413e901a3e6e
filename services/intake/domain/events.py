"""What intake says, in the past tense; the codec spells it for the bus."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.intake.domain.submission import Submission


@dataclass(frozen=True, slots=True)
class ReferralSubmitted:
    """A referral with a valid consent is stored; matching may begin."""

    peer_id: str
    referral_id: str
    submission: Submission
    age_band: str
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class SubmissionRejected:
    """Bad input was turned away; nothing else of it was kept."""

    source_id: str
    door: str
    reason_codes: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubmissionRepeated:
    """The same referral came again; its sender was told the first id."""

    peer_id: str
    referral_id: str
    source_id: str
    door: str


@dataclass(frozen=True, slots=True)
class ReferralStatusChanged:
    """What the source sees has moved."""

    peer_id: str
    referral_id: str
    source_id: str
    status: str
    previous_status: str
    reason_code: str = ""
    promised_arrival_at: datetime | None = None
    modality: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True)
class ReferralClosed:
    """The referral has ended with an outcome."""

    peer_id: str
    referral_id: str
    source_id: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ReferralRevised:
    """Facts that matter to a match have changed; `reason_code` is corrected, leaving or consent."""

    peer_id: str
    referral_id: str
    submission: Submission
    age_band: str
    arrived_at: datetime
    revision: int
    reason_code: str


@dataclass(frozen=True, slots=True)
class ReferralStopped:
    """Nothing more may happen: offers are withdrawn, notices silenced."""

    peer_id: str
    referral_id: str
    source_id: str
    stop_code: str
    reason_code: str
    consent_version: int


@dataclass(frozen=True, slots=True)
class ConsentRecorded:
    """A version of the person's consent was decided on."""

    peer_id: str
    referral_id: str
    consent_version: int
    is_permitted: bool
    reason_code: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConsentRevoked:
    """The person took their consent back."""

    peer_id: str
    referral_id: str
    consent_version: int


@dataclass(frozen=True, slots=True)
class DisclosureMade:
    """PHI is about to leave to somebody outside the source (42 CFR 2.31, 2.32)."""

    peer_id: str
    referral_id: str
    consent_version: int
    recipient_id: str
    recipient_class: str
    notice_sha256: bytes
    confidentiality: str


@dataclass(frozen=True, slots=True)
class PersonMerged:
    """Two pseudonyms are one person; `reason_code` is record-merge (HL7 A40) or reviewed."""

    peer_id: str
    merged_peer_id: str
    reason_code: str


@dataclass(frozen=True, slots=True)
class PersonUnmerged:
    """A merge was wrong and is undone."""

    peer_id: str
    unmerged_peer_id: str
    reason_code: str


Event = (
    ReferralSubmitted
    | SubmissionRejected
    | SubmissionRepeated
    | ReferralStatusChanged
    | ReferralClosed
    | ReferralRevised
    | ReferralStopped
    | ConsentRecorded
    | ConsentRevoked
    | DisclosureMade
    | PersonMerged
    | PersonUnmerged
)
