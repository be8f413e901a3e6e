"""What a referral needs, in codes: matching never learns who the peer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.matching.domain.place import Place

STRENGTHS = ("none", "some", "strong", "must", "avoid")
_USUAL_MODALITIES = frozenset({"bedside", "phone"})


@dataclass(frozen=True)
class Need:
    """One referral. `experience` has its parents; `preferences` are the peer's own, code to strength.

    `source_place` is the facility's ZIP, None where it is unknown: then nobody can be sent to the bedside.
    """

    referral_id: str
    peer_id: str
    source_id: str
    urgency: str
    experience: frozenset[str] = frozenset()
    preferences: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    is_interpreter_agreed: bool = False
    age_band: str = "unknown"
    payer: str = "unknown"
    source_place: Place | None = None
    expected_departure_at: datetime | None = None
    consent_expires_at: datetime | None = None
    modalities: frozenset[str] = _USUAL_MODALITIES
    excluded_ids: frozenset[str] = frozenset()

    @property
    def state(self) -> str:
        """The state the facility is in, "" where nobody knows: whose specialists are compared for rarity."""
        return self.source_place.state if self.source_place else ""

    def with_strength(self, strength: str) -> frozenset[str]:
        """The codes the peer gave this strength."""
        return frozenset(code for code, given in self.preferences.items() if given == strength)

    def is_consent_valid(self, at: datetime) -> bool:
        """False from the moment the consent ends; no offer goes out after it (42 CFR 2.31)."""
        return self.consent_expires_at is None or at < self.consent_expires_at
