"""The capacity model: its simulation agrees with theory where theory has an answer, and a plan holds what it promises."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest

from tests.bench.capacity import model
from tests.bench.capacity.queues import Stage, arrivals, mean_wait_s, sojourns

TOLD = tomllib.loads((Path(model.__file__).parent / "measured.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("servers", "rate"), [(1, 50.0), (2, 150.0), (8, 700.0)])
def test_the_simulation_waits_as_long_as_erlang_says(servers: int, rate: float) -> None:
    """The mean time through one stage is Erlang C's within five of a hundred."""
    stage, rng = Stage(servers, 0.01), random.Random(11)
    found = sojourns([stage], arrivals(rate, 150_000 / rate, rng), rng)
    assert sum(found) / len(found) == pytest.approx(mean_wait_s(stage, rate) + stage.service_s, rel=0.05)


def test_a_burst_makes_people_wait() -> None:
    """The simulation sees an overload: with more than the stage can do, the wait grows far beyond the quiet one."""
    stage, rng = Stage(1, 0.01), random.Random(5)
    found = sojourns([stage], arrivals(50.0, 120.0, rng, burst=(60.0, 90.0, 3.0)), rng)
    assert max(found) > 100 * mean_wait_s(stage, 50.0)


@pytest.mark.parametrize(("name", "people", "share"), model.PLACES)
def test_no_part_of_a_plan_is_busier_than_assumed(name: str, people: int, share: float | None) -> None:
    """In the busiest hour every part has the cores it needs at the share that was assumed."""
    plan = model.plan(people, TOLD["measured"], TOLD["assumed"], share)
    for part, cost in TOLD["measured"]["cpu_ms"].items():
        assert plan.peak_rate * cost / 1e3 <= plan.cores[part] * TOLD["assumed"]["busy_at_most"], name
