"""Every weight and limit of matching, as one versioned policy (services/matching/policy.v1.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.matching.domain.plan import Plan
from services.matching.domain.rescue import Rescue
from services.matching.domain.wellbeing import Care

_ALL_POINTS = 100_000
ROUTINE, URGENT, IMMEDIATE = "routine", "urgent", "immediate"


@dataclass(frozen=True, slots=True)
class Wave:
    """One step of the ladder: how many offers, how long they stand, how much preferences still count.

    A wide wave also allows phone and video.
    """

    number: int
    size: int
    seconds: int
    preference_milli: int = 1000
    is_wide: bool = False


@dataclass(frozen=True)
class Policy:
    """Points are thousandths; the six budgets add up to the highest possible score."""

    version: str
    preference_points: int
    experience_points: int
    language_points: int
    closeness_points: int
    capacity_points: int
    strength_weights: Mapping[str, int]
    rarity_step_milli: int
    rarity_most_steps: int
    level_milli: Mapping[str, int]
    common_language_from: str
    closeness_miles: Sequence[int]
    bedside_limit_minutes: Mapping[str, int]
    minutes_to_leave: int
    minutes_per_mile: Mapping[str, int]
    load_milli: Mapping[str, int]
    ladders: Mapping[str, tuple[Wave, ...]]
    follow_up: Plan
    care: Care
    warn_days: tuple[int, ...]
    rescue: Rescue

    @property
    def most_points(self) -> int:
        """No score is higher."""
        budgets = self.preference_points, self.experience_points, self.language_points
        return sum(budgets) + self.closeness_points + self.capacity_points

    def wave(self, urgency: str, number: int) -> Wave | None:
        """The wave with this number (from 1), None where the ladder ends before."""
        ladder = self.ladders[urgency]
        return ladder[number - 1] if 0 < number <= len(ladder) else None


def from_document(document: Mapping[str, Any], immediate: tuple[Wave, ...] | None = None) -> Policy:
    """The policy in a policy file; `immediate` replaces its ladder for immediate referrals (a setting).

    Raises ValueError where the file cannot be a policy: its budgets are not 100 points, a weight is missing or below
    zero, or its newest change is not told with who made it, when and why.
    """
    _check(document)
    ladders = {urgency: ladder(**steps) for urgency, steps in document["ladders"].items()}
    if immediate:
        ladders[IMMEDIATE] = immediate
    points = document["points_milli"]
    return Policy(
        version=document["version"],
        preference_points=points["preferences"],
        experience_points=points["experience"],
        language_points=points["language"],
        closeness_points=points["closeness"],
        capacity_points=points["free_capacity"],
        strength_weights=document["strength_weights"],
        rarity_step_milli=document["rarity"]["step_milli"],
        rarity_most_steps=document["rarity"]["most_steps"],
        level_milli=document["language"]["level_milli"],
        common_language_from=document["language"]["common_from"],
        closeness_miles=document["closeness_miles"],
        bedside_limit_minutes=document["bedside"]["limit_minutes"],
        minutes_to_leave=document["bedside"]["minutes_to_leave"],
        minutes_per_mile=document["bedside"]["minutes_per_mile"],
        load_milli=document["load_milli"],
        ladders=ladders,
        follow_up=_plan(document["follow_up"]),
        care=_care(document["care"]),
        warn_days=tuple(document["certification_warning_days"]),
        rescue=Rescue(**document["rare_language"]),
    )


def _check(document: Mapping[str, Any]) -> None:
    newest, budgets = document["changes"][0], document["points_milli"].values()
    if newest["version"] != document["version"] or not all(newest[name] for name in ("on", "by", "why")):
        raise ValueError("the newest change of a policy is its version, with who made it, when and why")
    if sum(budgets) != _ALL_POINTS or min(budgets) < 0:
        raise ValueError("the budgets of a policy are 100 points")
    weights = [*document["load_milli"].values(), *document["strength_weights"].values()]
    if min(weights) <= 0 or min(document["bedside"]["minutes_per_mile"].values()) <= 0:
        raise ValueError("a weight of a policy is more than nothing")
    rare, usual = document["rare_language"]["bedside_limit_minutes"], document["bedside"]["limit_minutes"]
    if any(rare[urgency] < usual.get(urgency, rare[urgency]) for urgency in rare):
        raise ValueError(
            "whoever speaks a rare language is sought for at least as far away as everybody else"
        )
    steps = document["certification_warning_days"]
    if list(steps) != sorted(set(steps), reverse=True) or min(steps) < 0:
        raise ValueError("the days of warning before a certification ends come one after the other")
    if document["care"]["most_acceptances"] < 1:
        raise ValueError("nobody who may accept nothing needs rest")


def _care(told: Mapping[str, Any]) -> Care:
    night, death = told["night"], told["death"]
    return Care(
        most_acceptances=told["most_acceptances"],
        within=timedelta(hours=told["within_hours"]),
        night_from_hour=night["from_hour"],
        night_until_hour=night["until_hour"],
        night_milli=night["milli"],
        night_lasts=timedelta(hours=night["hours"]),
        death_milli=death["milli"],
        death_lasts=timedelta(days=death["days"]),
    )


def _plan(told: Mapping[str, Any]) -> Plan:
    after, grace = told["after_hours"], told["grace_hours"]
    if len(after) != len(grace) or sorted(after) != list(after):
        raise ValueError("a plan has a grace for each check-in, and they come one after the other")
    return Plan(tuple(timedelta(hours=h) for h in after), tuple(timedelta(hours=h) for h in grace))


def ladder(
    sizes: Sequence[int], seconds: Sequence[int], preference_milli: Sequence[int] = ()
) -> tuple[Wave, ...]:
    """Waves 1, 2, ...; every wave after the first is wide. Raises ValueError for an impossible ladder."""
    if not sizes or len(sizes) != len(seconds):
        raise ValueError("a ladder needs as many sizes as times, and at least one")
    if min(sizes) < 1 or min(seconds) < 1:
        raise ValueError("a wave has at least one offer and stands at least one second")
    shares = list(preference_milli) or [1000] + [500] * (len(sizes) - 1)
    return tuple(
        Wave(number, size, time, share, is_wide=number > 1)
        for number, (size, time, share) in enumerate(zip(sizes, seconds, shares, strict=True), start=1)
    )
