"""What a simulation came to: time to match, unfilled, load, fairness with small numbers withheld."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from services.matching.domain import case as cases
from services.matching.simulation.faulting import RATES
from services.matching.simulation.running import Simulation
from services.matching.simulation.stories import Story

FEWEST_SHOWN = 11  # groups smaller than this are withheld, as the fairness report does
Row = dict[str, Any]


def figures(simulation: Simulation) -> Row:
    """The summary and the tables."""
    stories = [one for one in simulation.stories.values() if one.case.stop_code != "cancelled"]
    wanted = simulation.wanted
    summary = {
        "seed": wanted.seed,
        "hospitals": wanted.hospitals,
        "specialists": len(simulation.world.people),
        "days": wanted.days,
        "immediate_ladder": wanted.waves,
        "referrals": len(simulation.stories),
        "stopped_meanwhile": len(simulation.stories) - len(stories),
        **_row(stories),
        "offers_per_acceptance": _ratio(
            sum(len(one.case.offers) for one in stories),
            sum(one.first_accepted_at is not None for one in stories),
        ),
        "check_ins_missed": sum(one.missed for one in stories),
        "checked_offers": simulation.checker.checked["offers"],
        "checked_acceptances": simulation.checker.checked["acceptances"],
        "checked_changes": simulation.checker.checked["changes"],
        "hard_rules_broken": len(simulation.checker.broken),
    }
    if wanted.faults:
        summary["faults"] = sum(simulation.faults.struck.values())
        summary["offers_only_a_wrong_clock_allowed"] = simulation.checker.by_a_wrong_clock
    tables = {
        "By urgency": _by(stories, "urgency", lambda one: one.coming.need.urgency),
        "By language": _by(stories, "language", lambda one: one.coming.need.languages[0]),
        "By background": _by(stories, "background", lambda one: one.coming.background),
        "By age band": _by(stories, "age_band", lambda one: one.coming.need.age_band),
        "By emergency room": _by(stories, "er", lambda one: one.coming.need.source_id),
        **({"Faults": _faults(simulation)} if wanted.faults else {}),
        "Load at noon (share of capacity)": [_load(at, shares) for at, shares in simulation.loads],
    }
    return {"summary": summary, "tables": tables, "broken": simulation.checker.broken[:20]}


def waits_s(stories: Iterable[Story]) -> list[float]:
    """From coming to the first yes, in seconds, shortest first."""
    return sorted(
        (one.first_accepted_at - one.coming.at).total_seconds() for one in stories if one.first_accepted_at
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which this share lies; None where there are none."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else None


def _row(stories: Sequence[Story]) -> Row:
    waits = waits_s(stories)
    count = len(stories)
    in_time = sum(
        one.first_accepted_at is not None and one.first_accepted_at <= one.coming.leaves_at for one in stories
    )
    return {
        "median_min": _minutes(quantile(waits, 0.5)),
        "p90_min": _minutes(quantile(waits, 0.9)),
        "within_5_min": _share(sum(wait <= 300 for wait in waits), count),
        "within_15_min": _share(sum(wait <= 900 for wait in waits), count),
        "before_they_left": _share(in_time, count),
        "ever_unfilled": _share(sum(one.was_unfilled for one in stories), count),
        "nobody_in_the_end": _share(
            sum(one.case.state in (cases.UNFILLED, cases.SEEKING) for one in stories), count
        ),
        "met": _share(sum(one.handoff == "met" for one in stories), count),
    }


def _by(stories: Sequence[Story], name: str, key: Callable[[Story], str]) -> list[Row]:
    groups: dict[str, list[Story]] = {}
    for one in stories:
        groups.setdefault(key(one), []).append(one)
    shown = {group: found for group, found in sorted(groups.items()) if len(found) >= FEWEST_SHOWN}
    rows = [{name: group, "referrals": len(found), **_row(found)} for group, found in shown.items()]
    few = sum(len(found) for group, found in groups.items() if group not in shown)
    return [*rows, {name: f"fewer than {FEWEST_SHOWN} each", "referrals": few}] if few else rows


def _faults(simulation: Simulation) -> list[Row]:
    return [{"fault": name, "times": simulation.faults.struck[name]} for name in RATES]


def _load(at: Any, shares: Sequence[float]) -> Row:
    return {
        "day": (at - timedelta(hours=12)).date().isoformat(),
        "median": _rounded(quantile(shares, 0.5)),
        "p90": _rounded(quantile(shares, 0.9)),
        "full": sum(share >= 1 for share in shares),
        "gini": _rounded(_gini(shares)),
    }


def _gini(values: Sequence[float]) -> float | None:
    """0 where all carry the same share, towards 1 where one carries all; None where nobody carries anything."""
    total = sum(values)
    if not total:
        return None
    ranked = sum(rank * value for rank, value in enumerate(values, start=1))
    return 2 * ranked / (len(values) * total) - (len(values) + 1) / len(values)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 2) if whole else None


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
