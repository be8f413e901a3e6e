"""Shifts on the wall clock: midnight, the end of the week, and both nights the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.shifts import Calendar, Shifts, Window, span_on_wall_clock
from tests.unit.matching.matching_builders import a_specialist

NEW_YORK = "America/New_York"
NIGHT = Shifts((Window(4, 22 * 60, 6 * 60),), False, NEW_YORK)  # Friday 22:00 to Saturday 06:00
SUNDAY_NIGHT = Shifts((Window(6, 22 * 60, 6 * 60),), False, NEW_YORK)


def _local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(NEW_YORK), fold=fold).astimezone(UTC)


def _wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("when", "is_on"),
    [
        ("2026-11-20T21:59", False),
        ("2026-11-20T22:00", True),
        ("2026-11-21T00:00", True),
        ("2026-11-21T05:59", True),
        ("2026-11-21T06:00", False),
        ("2026-11-21T22:30", False),
    ],
)
def test_a_night_shift_goes_past_midnight(when, is_on):
    """Friday's night shift begins on Friday, ends on Saturday, its end not counted."""
    assert NIGHT.is_on(_local(when)) is is_on


def test_a_shift_goes_past_the_end_of_the_week():
    """Sunday's night shift is still on when it is Monday."""
    assert SUNDAY_NIGHT.is_on(_local("2026-11-23T03:00"))
    assert not SUNDAY_NIGHT.is_on(_local("2026-11-22T03:00"))


def test_the_night_the_clocks_go_back_is_an_hour_longer():
    """On 1 November 2026 01:30 comes twice in New York; a shift until 06:00 holds both and every hour around."""
    saturday = Shifts((Window(5, 22 * 60, 6 * 60),), False, NEW_YORK)
    assert saturday.is_on(_local("2026-11-01T01:30", fold=0)) and saturday.is_on(
        _local("2026-11-01T01:30", fold=1)
    )
    hours = [datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in range(2, 12)]
    assert sum(saturday.is_on(hour) for hour in hours) == 9


def test_the_night_the_clocks_go_forward_is_an_hour_shorter():
    """On 8 March 2026 02:30 does not come in New York; the shift until 06:00 ends at 06:00 on the wall."""
    saturday = Shifts((Window(5, 22 * 60, 6 * 60),), False, NEW_YORK)
    hours = [datetime(2026, 3, 8, hour, 30, tzinfo=UTC) for hour in range(3, 12)]
    assert sum(saturday.is_on(hour) for hour in hours) == 7


def test_the_time_zone_is_the_specialists_own():
    """The same instant is on shift in New York and off shift in Los Angeles."""
    at = _local("2026-11-20T22:30")
    assert NIGHT.is_on(at) and not Shifts(NIGHT.windows, False, "America/Los_Angeles").is_on(at)


def test_an_end_at_the_start_is_a_whole_day_and_always_is_always():
    """00:00-00:00 is 24 hours; on call always needs no window; no window is never."""
    whole = Shifts((Window(5, 0, 0),), False, "UTC")
    assert whole.is_on(datetime(2026, 11, 21, 0, 0, tzinfo=UTC)) and whole.is_on(
        datetime(2026, 11, 21, 23, 59, tzinfo=UTC)
    )
    assert not whole.is_on(datetime(2026, 11, 22, 0, 0, tzinfo=UTC))
    assert Shifts((), True, "UTC").is_on(datetime(2026, 1, 1, tzinfo=UTC))
    assert not Shifts((), False, "UTC").is_on(datetime(2026, 1, 1, tzinfo=UTC))


@given(st.integers(0, 6), st.integers(0, 1439), st.integers(0, 1439))
def test_a_week_holds_exactly_the_minutes_of_its_window(weekday, start, end):
    """In a week without a clock change a window covers its own length, wherever it lies."""
    shifts = Shifts((Window(weekday, start, end),), False, "UTC")
    minutes = (datetime.fromtimestamp(1_767_571_200 + 60 * n, UTC) for n in range(0, 7 * 24 * 60, 7))
    expected = ((end - start) % 1440 or 1440) / 7
    assert abs(sum(shifts.is_on(minute) for minute in minutes) - expected) <= 1


def test_time_off_goes_before_everything_and_an_extra_shift_before_the_week():
    """Off is off, also from an extra shift; an extra shift works where the week does not; then the week holds again."""
    off = span_on_wall_clock(_wall("2026-12-24T00:00"), _wall("2026-12-26T00:00"), NEW_YORK)
    extra = span_on_wall_clock(_wall("2026-12-25T22:00"), _wall("2026-12-26T02:00"), NEW_YORK)
    rosa = a_specialist(shifts=NIGHT, calendar=Calendar((off,), (extra,)))
    hours = {hour: rosa.is_available(_local(hour), is_immediate=True) for hour in (
        "2026-12-23T23:00", "2026-12-25T23:00", "2026-12-26T00:00", "2026-12-26T01:59", "2026-12-26T02:00")}  # fmt: skip
    assert list(hours.values()) == [False, False, True, True, True]  # the 25th is a Friday: 22:00-06:00


def test_a_night_off_is_off_for_all_of_it_when_the_clocks_go_back():
    """The hour that comes twice is off both times, and the hour that is left out costs nothing."""
    night = span_on_wall_clock(_wall("2026-11-01T00:00"), _wall("2026-11-01T01:30"), NEW_YORK)
    assert night.ends - night.begins == timedelta(hours=2, minutes=30) and night.holds(
        _local("2026-11-01T01:15", fold=1)
    )
    spring = span_on_wall_clock(_wall("2026-03-08T01:00"), _wall("2026-03-08T04:00"), NEW_YORK)
    assert spring.ends - spring.begins == timedelta(hours=2)


def test_on_call_is_for_immediate_referrals_only():
    """Somebody on call is asked for an emergency, and for nothing that can wait until they work."""
    shifts = Shifts((Window(0, 540, 1020),), False, NEW_YORK, on_call=(Window(5, 0, 0),))
    saturday = _local("2026-11-21T15:00")
    assert shifts.is_on(saturday, is_immediate=True) and not shifts.is_on(saturday)
