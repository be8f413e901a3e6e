"""When a referral is followed up: a part of the policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Plan:
    """When follow-up contacts are due after the handoff, and how long each may take before it counts as missed."""

    after: tuple[timedelta, ...]
    grace: tuple[timedelta, ...]
