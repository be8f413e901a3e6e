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


Event = ReferralSubmitted | SubmissionRejected | SubmissionRepeated | ReferralStatusChanged
