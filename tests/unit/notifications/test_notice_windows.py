"""Quiet hours and unsafe times by the person's own wall clock, in every zone and across every change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifications.domain.windows import Window, free_from, is_inside

ZONES = [
    "UTC",
    "America/New_York",
    "America/Los_Angeles",
    "America/Phoenix",
    "America/St_Johns",
    "Pacific/Honolulu",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/London",
    "Pacific/Chatham",
    "America/Sao_Paulo",
    "Africa/Casablanca",
]
NIGHT = Window(21 * 60, 7 * 60)
minutes = st.integers(0, 1439)
windows = st.builds(Window, minutes, minutes, st.lists(st.integers(0, 6), max_size=4).map(tuple))
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
moments = st.integers(0, 11 * 365 * 24 * 60).map(lambda minute: SINCE + timedelta(minutes=minute))
zones = st.sampled_from(ZONES).map(ZoneInfo)


@given(st.lists(windows, min_size=1, max_size=3), zones, moments)
@settings(max_examples=100, deadline=None)
def test_what_is_held_is_sent_outside_every_window(some, zone, now):
    """Whenever a moment is named it is not before now and not in a window, in any zone, on any day."""
    free_at = free_from(some, zone, now)
    if free_at is None:
        return
    assert free_at >= now
    assert not is_inside(some, zone, free_at)


@given(windows, zones, moments)
@settings(max_examples=40, deadline=None)
def test_nobody_waits_longer_than_the_window(window, zone, now):
    """Every quarter of an hour before the moment named lies inside: nothing is held back for no reason."""
    free_at = free_from([window], zone, now)
    if free_at is None or free_at == now:
        return
    at = now
    while at < free_at - timedelta(minutes=1):
        assert is_inside([window], zone, at)
        at += timedelta(minutes=15)
    assert is_inside([window], zone, free_at - timedelta(minutes=1))


@given(zones, moments)
@settings(max_examples=10, deadline=None)
def test_the_whole_week_is_never_free(zone, now):
    """A window of the whole day on every day has no end, and says so instead of running for ever."""
    assert free_from([Window(0, 0)], zone, now) is None


@pytest.mark.parametrize(
    ("now", "until"),
    [
        # The night in which clocks go forward (2:00 to 3:00 on March 8) and the one in which they go back.
        (datetime(2026, 3, 8, 3, 0, tzinfo=UTC), datetime(2026, 3, 8, 11, 0, tzinfo=UTC)),
        (datetime(2026, 11, 1, 3, 0, tzinfo=UTC), datetime(2026, 11, 1, 12, 0, tzinfo=UTC)),
        (datetime(2026, 6, 1, 12, 0, tzinfo=UTC), datetime(2026, 6, 1, 12, 0, tzinfo=UTC)),
    ],
)
def test_seven_in_the_morning_is_seven_on_the_wall(now, until):
    """Quiet until 7:00 ends at 7:00 of the wall clock, also in the nights that are an hour shorter or longer."""
    assert free_from([NIGHT], ZoneInfo("America/New_York"), now) == until


def test_an_end_that_the_clock_skips_is_the_first_moment_after_it():
    """Quiet until 2:30 in the night without a 2:30 ends when the clock jumps to 3:00."""
    now = datetime(2026, 3, 8, 6, 0, tzinfo=UTC)
    end = free_from([Window(0, 150)], ZoneInfo("America/New_York"), now)
    assert end == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


def test_a_repeated_hour_is_quiet_both_times():
    """Quiet until 1:30 holds in the first and in the second 1:15 of the night with two."""
    zone, quiet = ZoneInfo("America/New_York"), Window(0, 90)
    assert is_inside([quiet], zone, datetime(2026, 11, 1, 5, 15, tzinfo=UTC))
    assert is_inside([quiet], zone, datetime(2026, 11, 1, 6, 15, tzinfo=UTC))


def test_days_are_the_days_a_window_begins_on():
    """Friday night is quiet until Saturday morning, and Saturday night is not."""
    friday = Window(21 * 60, 7 * 60, (4,))
    zone = ZoneInfo("UTC")
    assert is_inside([friday], zone, datetime(2026, 5, 9, 6, 59, tzinfo=UTC))
    assert not is_inside([friday], zone, datetime(2026, 5, 9, 22, 0, tzinfo=UTC))
