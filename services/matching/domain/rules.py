"""Hard rules: who may not be offered a referral, in any wave (DOMAIN 4; P8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.matching.domain import place
from services.matching.domain.need import Need
from services.matching.domain.policy import Policy, Wave
from services.matching.domain.specialist import AGE_BANDS, LEVELS, PAYERS, Certification, Specialist, Standing

# In the order they are tried; somebody out by several is counted under the first.
SAFETY = "safety-exclusion"
ASKED = "already-asked"
PREFERENCE = "must-or-avoid"
LANGUAGE = "language"
CERTIFICATION = "certification"
SHIFT = "off-shift"
REACH = "out-of-reach"
CAPACITY = "at-capacity"
RULES = (SAFETY, ASKED, PREFERENCE, LANGUAGE, CERTIFICATION, SHIFT, REACH, CAPACITY)

ANY_PAYER = frozenset({"unknown", "self-pay"})


@dataclass(frozen=True)
class Question:
    """What the rules ask of everybody for one referral, in one wave, at one moment; computed once.

    `payer`, `age_band` and `state` are "" where any will do; `bedside_reach` is a `chord_squared`, below zero where
    nobody can come to the bedside.
    """

    excluded_ids: frozenset[str]
    asked_ids: frozenset[str]
    must: frozenset[str]
    avoid: frozenset[str]
    languages: tuple[str, ...]
    least_level: int
    payer: str
    age_band: str
    state: str
    modalities: frozenset[str]
    bedside_reach: int
    weight_milli: int
    need: Need
    at: datetime


def question(need: Need, wave: Wave, at: datetime, policy: Policy, asked_ids: frozenset[str]) -> Question:
    """The question for this wave; a wide wave also allows phone and video."""
    widened = {"phone", "video"} if wave.is_wide else set()
    return Question(
        excluded_ids=need.excluded_ids,
        asked_ids=asked_ids,
        must=need.with_strength("must"),
        avoid=need.with_strength("avoid"),
        languages=() if need.is_interpreter_agreed else need.languages,
        least_level=LEVELS[policy.common_language_from],
        payer=need.payer if need.payer in PAYERS and need.payer not in ANY_PAYER else "",
        age_band=need.age_band if need.age_band in AGE_BANDS else "",
        state=need.source_place.state if need.source_place else "",
        modalities=need.modalities | widened,
        bedside_reach=_bedside_reach(need, at, policy),
        weight_milli=policy.load_milli[need.urgency],
        need=need,
        at=at,
    )


def excluded_by(asked: Question, specialist: Specialist, standing: Standing) -> str | None:
    """The first rule that keeps this specialist out, or None."""
    checks = (
        (SAFETY, specialist.specialist_id in asked.excluded_ids),
        (ASKED, specialist.specialist_id in asked.asked_ids),
        (PREFERENCE, not asked.must <= specialist.released or bool(asked.avoid & specialist.avoidable)),
        (LANGUAGE, not _speaks(asked, specialist)),
        (CERTIFICATION, not any(_certifies(asked, c, specialist) for c in specialist.certifications)),
        (SHIFT, not specialist.shifts.is_on(asked.at)),
        (REACH, not ways(asked, specialist)),
        (CAPACITY, not standing.can_carry(asked.weight_milli)),
    )
    return next((rule for rule, is_out in checks if is_out), None)


def ways(asked: Question, specialist: Specialist) -> frozenset[str]:
    """How this specialist could be with the peer in time: bedside, phone, video; empty where they could not."""
    possible = asked.modalities & specialist.modalities
    if "bedside" in possible and not _reaches_bedside(asked, specialist):
        return possible - {"bedside"}
    return possible


def _speaks(asked: Question, specialist: Specialist) -> bool:
    if not asked.languages:
        return True
    return any(specialist.languages.get(tag, 0) >= asked.least_level for tag in asked.languages)


def _certifies(asked: Question, certification: Certification, specialist: Specialist) -> bool:
    begins, ends = certification.span(specialist.shifts.time_zone)
    return (
        begins <= asked.at < ends
        and (not asked.payer or asked.payer in certification.payers)
        and (not asked.age_band or asked.age_band in certification.age_bands)
        and (not asked.state or asked.state == certification.state)
    )


def _reaches_bedside(asked: Question, specialist: Specialist) -> bool:
    if asked.need.source_place is None:
        return False
    reach = min(asked.bedside_reach, place.reach_squared(specialist.radius_miles))
    return place.chord_squared(asked.need.source_place, specialist.place) <= reach


def _bedside_reach(need: Need, at: datetime, policy: Policy) -> int:
    """How far away somebody may start and still arrive in time: before the limit and before the peer leaves."""
    if need.source_place is None:
        return -1
    limits = []
    if need.urgency in policy.bedside_limit_minutes:
        limits.append(policy.bedside_limit_minutes[need.urgency])
    if need.expected_departure_at is not None:
        limits.append(int((need.expected_departure_at - at).total_seconds() // 60))
    if not limits:
        return place.reach_squared(12_500)  # half the way round the Earth: only their own radius limits them
    minutes = min(limits) - policy.minutes_to_leave
    return place.reach_squared(minutes // policy.minutes_per_mile if minutes >= 0 else -1)
