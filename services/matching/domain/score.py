"""How well a specialist fits, in thousandths of a point, with the reasons that add up to it (P12).

A score is a sum of whole numbers, never above the policy's budgets. Importance is personal: the peer's own wishes
share one budget in proportion to their strength; lived experience they said nothing about shares a smaller one;
culture and identity score only where the peer wished for them (DOMAIN 4: never infer a wish from an identity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.matching.domain import place
from services.matching.domain.attributes import Taxonomy
from services.matching.domain.need import Need
from services.matching.domain.policy import Policy, Wave
from services.matching.domain.rules import Question, ways
from services.matching.domain.specialist import LEVELS, Specialist, Standing


@dataclass(frozen=True, slots=True)
class Term:
    """One reason. `code` is wish:<attribute>, shared:<attribute>, language:<tag>, closeness or free-capacity."""

    code: str
    points_milli: int


@dataclass(frozen=True)
class Rarity:
    """How many of the ranked specialists released each attribute: a rare shared experience counts more."""

    counts: Mapping[str, int]
    roster_size: int

    def weight_milli(self, code: str, policy: Policy) -> int:
        """1000, and one step more for every time the attribute's share of the roster is halved."""
        halvings = (self.roster_size // max(self.counts.get(code, 0), 1)).bit_length() - 1
        return 1000 + policy.rarity_step_milli * min(max(halvings, 0), policy.rarity_most_steps)


@dataclass(frozen=True)
class Scale:
    """What each thing is worth for one referral in one wave: the same for every specialist."""

    attributes: tuple[Term, ...]
    # For each language, best first: the points of each level (index 0 is "does not speak it").
    languages: tuple[tuple[str, tuple[int, ...]], ...]
    # Nearest first: (chord_squared, points).
    closeness: tuple[tuple[int, int], ...]
    capacity_points: int


def scale(need: Need, wave: Wave, policy: Policy, rarity: Rarity, taxonomy: Taxonomy) -> Scale:
    """The scale for a referral; in a later wave wishes count less, so that somebody comes at all."""
    wishes = {
        code: policy.strength_weights[strength] * rarity.weight_milli(code, policy)
        for code, strength in need.preferences.items()
        if strength in policy.strength_weights
    }
    shared = {
        code: rarity.weight_milli(code, policy)
        for code in need.experience
        if taxonomy.is_lived_experience(code) and code not in need.preferences
    }
    wish_points = policy.preference_points * wave.preference_milli // 1000
    terms = [*_share("wish", wish_points, wishes), *_share("shared", policy.experience_points, shared)]
    return Scale(
        attributes=tuple(terms),
        languages=_language_points(need, policy),
        closeness=_closeness_points(policy),
        capacity_points=policy.capacity_points,
    )


def explain(scale: Scale, asked: Question, specialist: Specialist, standing: Standing) -> tuple[Term, ...]:
    """Every reason that gives this specialist points; only what they released is ever named."""
    terms = [term for term in scale.attributes if term.code.split(":", 1)[1] in specialist.released]
    terms += _spoken(scale, specialist)
    terms.append(Term("closeness", _closeness(scale, asked, specialist)))
    terms.append(Term("free-capacity", free_capacity(scale.capacity_points, standing, asked.at)))
    return tuple(term for term in terms if term.points_milli > 0)


def total(terms: Sequence[Term]) -> int:
    """The score: what the terms add up to."""
    return sum(term.points_milli for term in terms)


def free_capacity(points: int, standing: Standing, at: datetime) -> int:
    """The share of their capacity that would be free if they accepted everything they were asked, in points."""
    free = max(standing.capacity_milli - standing.likely_milli(at), 0)
    return points * free // max(standing.capacity_milli, 1)


def _share(kind: str, budget: int, weights: Mapping[str, int]) -> list[Term]:
    whole = sum(weights.values())
    return [Term(f"{kind}:{code}", budget * weight // whole) for code, weight in sorted(weights.items())]


def _language_points(need: Need, policy: Policy) -> tuple[tuple[str, tuple[int, ...]], ...]:
    by_level = [0] * (len(LEVELS) + 1)
    for name, level in LEVELS.items():
        by_level[level] = policy.language_points * policy.level_milli[name] // 1000
    return tuple(
        (tag, tuple(points >> position for points in by_level)) for position, tag in enumerate(need.languages)
    )


def _spoken(scale: Scale, specialist: Specialist) -> list[Term]:
    """The one language that gives most points; the earlier in the peer's list where two give the same."""
    best: Term | None = None
    for tag, points in scale.languages:
        gained = points[specialist.languages.get(tag, 0)]
        if best is None or gained > best.points_milli:
            best = Term(f"language:{tag}", gained)
    return [best] if best else []


def _closeness_points(policy: Policy) -> tuple[tuple[int, int], ...]:
    steps = len(policy.closeness_miles)
    return tuple(
        (place.reach_squared(miles), policy.closeness_points * (steps - step) // steps)
        for step, miles in enumerate(policy.closeness_miles)
    )


def _closeness(scale: Scale, asked: Question, specialist: Specialist) -> int:
    if asked.need.source_place is None or "bedside" not in ways(asked, specialist):
        return 0
    chord = place.chord_squared(asked.need.source_place, specialist.place)
    return next((points for limit, points in scale.closeness if chord <= limit), 0)
