"""From one referral's measured cost to the machines of a network, a state and the country: `make capacity`.

Cores are what the busiest hour takes at `busy_at_most`; a service has at least two nodes' worth of processes and a
database three members that all write.  The plan is then put through a simulated busiest time with a burst in its middle,
and the table says how long a referral took there until its offers were out and everybody had heard.
"""

from __future__ import annotations

import math
import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.capacity.queues import Stage, arrivals, quantile, sojourns

_YEAR_S = 365 * 24 * 3600.0
_SIMULATED = 20_000
_MEMBERS = 3
_GIB = 2**30
# People, and the share of visits that are referrals where it is not the assumed one.
PLACES: tuple[tuple[str, int, float | None], ...] = (
    ("a network of 12 hospitals", 1_500_000, None),
    ("a state of 6 million", 6_000_000, None),
    ("the whole country", 330_000_000, None),
    ("the whole country, every visit a referral", 330_000_000, 1.0),
)
# A referral passes these on its way until everybody has heard; the log is written beside it.
WAY = ("intake", "matching", "notifications")


@dataclass(frozen=True)
class Plan:
    """What one place needs."""

    people: int
    mean_rate: float
    peak_rate: float
    cores: Mapping[str, int]
    disk_gib_a_year: float
    disk_gib_kept: float
    shards: int
    dollars_a_month: float


def plan(
    people: int, measured: Mapping[str, Any], assumed: Mapping[str, float], share: float | None = None
) -> Plan:
    """The cores and the disk of so many people; `share` of their visits are referrals."""
    yearly = people * assumed["visits_per_person_and_year"] * (share or assumed["referred_share"])
    mean = yearly / _YEAR_S
    peak = mean * assumed["peak_factor"]
    cores = {part: _cores(part, cost, peak, assumed) for part, cost in measured["cpu_ms"].items()}
    year = yearly * sum(measured["bytes"].values()) / _GIB
    kept = year * assumed["years_kept"]
    # The primary of a shard writes alone, so that a shard is as large as one node.
    shards = max(1, math.ceil(cores["database"] / assumed["cores_a_node"]))
    everywhere = sum(cores.values()) + (_MEMBERS - 1) * cores["database"]
    dollars = (
        everywhere * assumed["dollars_a_core_and_month"]
        + kept * _MEMBERS * assumed["dollars_a_gib_and_month"]
    )
    return Plan(people, mean, peak, cores, year, kept, shards, dollars)


def _cores(part: str, cost_ms: float, peak: float, assumed: Mapping[str, float]) -> int:
    needed = math.ceil(peak * cost_ms / 1e3 / assumed["busy_at_most"])
    return max(needed, 1 if part in ("broker", "database") else 2)


def simulated(one: Plan, measured: Mapping[str, Any], assumed: Mapping[str, float], seed: int) -> list[float]:
    """Seconds until everybody had heard, for each referral of a busiest time with a burst in its middle twelfth."""
    rng = random.Random(seed)
    stages = [Stage(one.cores["database"], measured["cpu_ms"]["database"] / 1e3)]
    stages += [Stage(one.cores[part], measured["cpu_ms"][part] / 1e3) for part in WAY]
    lasts_s = _SIMULATED / one.peak_rate
    burst = (lasts_s / 2, lasts_s * 7 / 12, assumed["burst_factor"])
    return sojourns(stages, arrivals(one.peak_rate, lasts_s, rng, burst=burst), rng)


def table() -> list[str]:
    """What is measured and assumed, and a row for each place, in Markdown."""
    told = tomllib.loads((Path(__file__).parent / "measured.toml").read_text(encoding="utf-8"))
    measured, assumed = told["measured"], told["assumed"]
    columns = (
        "place", "referrals/s, mean and busiest hour", f"cores: {', '.join(measured['cpu_ms'])}", "shards",
        "GiB a year", "GiB kept", "dollars a month", "p99 until all have heard, with a burst",
    )  # fmt: skip
    made = [
        f"Measured on {measured['on']}; assumed: {', '.join(f'`{k}` {v}' for k, v in assumed.items())}.",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
    ]
    for name, people, share in PLACES:
        one = plan(people, measured, assumed, share)
        waits = simulated(one, measured, assumed, seed=7)
        cores = ", ".join(str(count) for count in one.cores.values())
        made.append(
            f"| {name} | {one.mean_rate:.3f} and {one.peak_rate:.3f} | {cores} | {one.shards} "
            f"| {one.disk_gib_a_year:,.0f} | {one.disk_gib_kept:,.0f} | {one.dollars_a_month:,.0f} "
            f"| {quantile(waits, 0.99) * 1e3:.0f} ms |"
        )
    return made


def main() -> None:
    """Prints the table."""
    print("\n".join(table()))


if __name__ == "__main__":
    main()
