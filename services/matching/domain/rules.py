"""Hard rules: who may not be offered a referral, in any wave (DOMAIN 4; P8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.matching.domain import limits, place
from services.matching.domain.need import Need
from services.matching.domain.policy import IMMEDIATE, Policy, Wave
from services.matching.domain.specialist import (
    AGE_BANDS,
    LEVELS,
    PAYERS,
    TRANSPORTS,
    Certification,
    Specialist,
    Standing,
)

# In the order they are tried; somebody out by several is counted under the first.
SAFETY = "safety-exclusion"
ASKED = "already-asked"
PREFERENCE = "must-or-avoid"
LIMIT = "own-limit"
LANGUAGE = "language"
CERTIFICATION = "certification"
SHIFT = "off-shift"
REST = "resting"
REACH = "out-of-reach"
CAPACITY = "at-capacity"
RULES = (SAFETY, ASKED, PREFERENCE, LIMIT, LANGUAGE, CERTIFICATION, SHIFT, REST, REACH, CAPACITY)

# Half the way round the Earth: only their own radius limits them.
_HALF_ROUND_MILES = 12_500
ANY_PAYER = frozenset({"unknown", "self-pay"})


@dataclass(frozen=True)
class Question:
    """What the rules ask of everybody for one referral, in one wave, at one moment; computed once.

    `payer`, `age_band` and `state` are "" where any will do; `bedside_reach` is a `chord_squared` for each
    transport, below zero where nobody can come to the bedside; `about` is what a specialist's own limit can name.
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
    bedside_reach: Mapping[str, int]
    about: frozenset[tuple[str, str]]
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
        state=need.state,
        modalities=need.modalities | widened,
        bedside_reach=_bedside_reach(need, at, policy),
        about=limits.subjects(need),
        weight_milli=policy.load_milli[need.urgency],
        need=need,
        at=at,
    )


def excluded_by(asked: Question, specialist: Specialist, standing: Standing) -> str | None:
    """The first rule that keeps this specialist out, or None."""
    return next((rule for rule, is_out in _CHECKS if is_out(asked, specialist, standing)), None)


def all_that_exclude(asked: Question, specialist: Specialist, standing: Standing) -> tuple[str, ...]:
    """Every rule that keeps this specialist out, in the order of the rules."""
    return tuple(rule for rule, is_out in _CHECKS if is_out(asked, specialist, standing))


def ways(asked: Question, specialist: Specialist) -> frozenset[str]:
    """How this specialist could be with the peer in time: bedside, phone, video; empty where they could not."""
    possible = asked.modalities & specialist.modalities
    if "bedside" in possible and not _reaches_bedside(asked, specialist):
        return possible - {"bedside"}
    return possible


def _is_unsafe(asked: Question, specialist: Specialist, _: Standing) -> bool:
    return specialist.specialist_id in asked.excluded_ids or asked.need.peer_id in specialist.never


def _is_asked(asked: Question, specialist: Specialist, _: Standing) -> bool:
    return specialist.specialist_id in asked.asked_ids


def _is_unwished(asked: Question, specialist: Specialist, _: Standing) -> bool:
    return not asked.must <= specialist.released or bool(asked.avoid & specialist.avoidable)


def _is_beyond_limits(asked: Question, specialist: Specialist, _: Standing) -> bool:
    zone = specialist.shifts.time_zone
    return any(limits.forbids(limit, asked.about, zone, asked.at) for limit in specialist.limits)


def _is_not_understood(asked: Question, specialist: Specialist, _: Standing) -> bool:
    if not asked.languages:
        return False
    return all(specialist.languages.get(tag, 0) < asked.least_level for tag in asked.languages)


def _is_uncertified(asked: Question, specialist: Specialist, _: Standing) -> bool:
    return not any(_certifies(asked, one, specialist) for one in specialist.certifications)


def _is_off(asked: Question, specialist: Specialist, _: Standing) -> bool:
    return not specialist.is_available(asked.at, is_immediate=asked.need.urgency == IMMEDIATE)


def _is_resting(asked: Question, _: Specialist, standing: Standing) -> bool:
    return standing.is_resting(asked.at)


def _is_out_of_reach(asked: Question, specialist: Specialist, _: Standing) -> bool:
    return not ways(asked, specialist)


def _is_full(asked: Question, _: Specialist, standing: Standing) -> bool:
    return not standing.can_carry(asked.weight_milli, asked.at)


_CHECKS: tuple[tuple[str, Callable[[Question, Specialist, Standing], bool]], ...] = (
    (SAFETY, _is_unsafe),
    (ASKED, _is_asked),
    (PREFERENCE, _is_unwished),
    (LIMIT, _is_beyond_limits),
    (LANGUAGE, _is_not_understood),
    (CERTIFICATION, _is_uncertified),
    (SHIFT, _is_off),
    (REST, _is_resting),
    (REACH, _is_out_of_reach),
    (CAPACITY, _is_full),
)


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
    in_time = asked.bedside_reach[specialist.transport]
    reach = min(in_time, place.reach_squared(specialist.radius_miles))
    return place.chord_squared(asked.need.source_place, specialist.place) <= reach


def _bedside_reach(need: Need, at: datetime, policy: Policy) -> dict[str, int]:
    """How far away somebody may start and still arrive in time: before the limit and before the peer leaves."""
    if need.source_place is None:
        return dict.fromkeys(TRANSPORTS, -1)
    bounds = []
    if need.urgency in policy.bedside_limit_minutes:
        bounds.append(policy.bedside_limit_minutes[need.urgency])
    if need.expected_departure_at is not None:
        bounds.append(int((need.expected_departure_at - at).total_seconds() // 60))
    if not bounds:
        return dict.fromkeys(TRANSPORTS, place.reach_squared(_HALF_ROUND_MILES))
    minutes = min(bounds) - policy.minutes_to_leave
    return {
        transport: place.reach_squared(minutes // policy.minutes_per_mile[transport] if minutes >= 0 else -1)
        for transport in TRANSPORTS
    }
