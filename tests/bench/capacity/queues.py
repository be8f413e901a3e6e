"""Referrals queue through stages one after another: a simulation of it, and what theory says of the simple case."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """Servers that all take from one queue, and the seconds that one takes for one referral."""

    servers: int
    service_s: float


def sojourns(stages: Sequence[Stage], arrivals: Sequence[float], rng: random.Random) -> list[float]:
    """Seconds from each arrival until it left the last stage; service times are exponential, order is as they come."""
    entered = list(arrivals)
    order = sorted(range(len(entered)), key=entered.__getitem__)
    for stage in stages:
        free = [0.0] * stage.servers
        left = list(entered)
        for one in order:
            begins = max(entered[one], free[0])
            left[one] = begins + rng.expovariate(1 / stage.service_s)
            heapq.heapreplace(free, left[one])
        entered = left
        order.sort(key=entered.__getitem__)
    return [out - came for out, came in zip(entered, arrivals, strict=True)]


def arrivals(
    rate: float, seconds: float, rng: random.Random, *, burst: tuple[float, float, float] | None = None
) -> list[float]:
    """Moments of a Poisson stream; `burst` is (from, until, factor) in seconds of the stream."""
    now, found = 0.0, []
    while True:
        factor = burst[2] if burst and burst[0] <= now < burst[1] else 1.0
        now += rng.expovariate(rate * factor)
        if now >= seconds:
            return found
        found.append(now)


def mean_wait_s(stage: Stage, rate: float) -> float:
    """What Erlang C says of one stage with Poisson arrivals (Kleinrock, Queueing Systems I, 3.5)."""
    load = rate * stage.service_s
    terms = sum(load**k / math.factorial(k) for k in range(stage.servers))
    last = load**stage.servers / math.factorial(stage.servers) * stage.servers / (stage.servers - load)
    return last / (terms + last) * stage.service_s / (stage.servers - load)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
