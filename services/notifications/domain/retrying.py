"""How long to wait before the next try."""

from __future__ import annotations

from datetime import timedelta

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 300.0


def delay_after(number: int, jitter: float) -> timedelta:
    """How long to wait after attempt `number`: doubling from 1 s to 5 min, half of it by chance (`jitter` 0..1)."""
    full_s = min(FIRST_DELAY_S * 2 ** (number - 1), LONGEST_DELAY_S)
    return timedelta(seconds=full_s / 2 + full_s / 2 * jitter)
