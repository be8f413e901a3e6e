"""Specialists and referrals with character, plainly fictional, for the tests of matching."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from services.matching import taxonomy
from services.matching.domain import policy as policies
from services.matching.domain.need import Need
from services.matching.domain.place import Place, place_at
from services.matching.domain.policy import Policy, Wave
from services.matching.domain.rules import Question, question
from services.matching.domain.score import Rarity, Scale, scale
from services.matching.domain.shifts import Shifts
from services.matching.domain.specialist import AGE_BANDS, PAYERS, Certification, Specialist, Standing

TAXONOMY = taxonomy.read()
NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
BRONX = place_at(40.8448, -73.8648, "NY", "America/New_York")
QUEENS = place_at(40.7282, -73.7949, "NY", "America/New_York")
BUFFALO = place_at(42.8864, -78.8784, "NY", "America/New_York")
ALWAYS = Shifts((), True, "America/New_York")
POLICY_FILE = Path(__file__).resolve().parents[3] / "services" / "matching" / "policy.v1.json"
NOBODY_RARE = Rarity({}, 1)


def the_policy() -> Policy:
    """The policy as shipped."""
    return policies.from_document(json.loads(POLICY_FILE.read_text()))


POLICY = the_policy()


def a_certification(**changes: Any) -> Certification:
    """Valid in New York all of 2026 for everybody."""
    facts: dict[str, Any] = {
        "state": "NY",
        "payers": frozenset(PAYERS),
        "age_bands": frozenset(AGE_BANDS),
        "valid_from": date(2026, 1, 1),
        "valid_until": date(2026, 12, 31),
    }
    return Certification(**(facts | changes))


def a_specialist(
    specialist_id: str = "rosa",
    *,
    released: tuple[str, ...] = (),
    private: tuple[str, ...] = (),
    withheld: tuple[str, ...] = (),
    **changes: Any,
) -> Specialist:
    """Rosa from the Bronx: always on call, English and Spanish, everything open."""
    facts: dict[str, Any] = {
        "specialist_id": specialist_id,
        "role": "specialist",
        "programme_id": "bronx-peers",
        "place": BRONX,
        "shifts": ALWAYS,
        "languages": {"en": 3, "es": 4},
        "released": TAXONOMY.with_parents(released),
        "held": TAXONOMY.with_parents(released + private),
        "perhaps_held": TAXONOMY.within(TAXONOMY.categories(withheld)),
        "certifications": (a_certification(),),
        "modalities": frozenset({"bedside", "phone", "video"}),
        "radius_miles": 30,
    }
    return Specialist(**(facts | changes))


def a_standing(**changes: Any) -> Standing:
    """Nothing on their desk, room for three."""
    facts: dict[str, Any] = {"load_milli": 0, "capacity_milli": 3000, "waiting_since": NOW}
    return Standing(**(facts | changes))


def a_need(*, experience: tuple[str, ...] = (), place: Place | None = QUEENS, **changes: Any) -> Need:
    """Somebody in a Queens emergency room, English-speaking, adult, on Medicaid, with no wishes told."""
    facts: dict[str, Any] = {
        "referral_id": "ref_1",
        "peer_id": "peer_1",
        "source_id": "st-brigid",
        "urgency": "immediate",
        "experience": TAXONOMY.with_parents(experience),
        "languages": ("en",),
        "age_band": "adult",
        "payer": "medicaid",
        "source_place": place,
    }
    return Need(**(facts | changes))


def asked(
    need: Need, wave: Wave | None = None, at: datetime = NOW, asked_ids: frozenset[str] = frozenset()
) -> Question:
    """The rules' question for a need in wave 1, now."""
    return question(need, wave or POLICY.ladders["immediate"][0], at, POLICY, asked_ids)


def scaled(need: Need, wave: Wave | None = None, rarity: Rarity = NOBODY_RARE) -> Scale:
    """The scale for a need in wave 1."""
    return scale(need, wave or POLICY.ladders["immediate"][0], POLICY, rarity, TAXONOMY)
