"""The board by area: hospitals near each other are one area, counts add up, and names on the sketch do not overlap."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching import places
from services.matching.domain.case import SEEKING, UNFILLED, Case
from services.matching.web import areas
from tests.unit.matching.matching_builders import NOW, a_need

ZIPS = ("12208", "12180", "10451", "10467", "10029", "14203", "14607", "13202", "90012", "00000")


def a_case(number, zip_code, state=SEEKING):
    need = a_need(referral_id=f"ref_{number}", source_place=places.find(zip_code))
    return Case(need, NOW - timedelta(minutes=number), state=state)


def test_an_area_is_named_after_its_town():
    """Three digits and the town of the hospital's ZIP; what has no place on the map has no area."""
    found = places.area(places.find("12208"))
    assert (found.code, found.name) == ("NY-122", "Albany, NY (122)")
    assert areas.code_of(a_case(1, "00000")) == areas.ELSEWHERE


def test_where_somebody_was_let_down_comes_first():
    """An area with nobody found is before one where more wait; each referral counts once."""
    waiting = [a_case(1, "12208"), a_case(2, "12208"), a_case(3, "14203", UNFILLED), a_case(4, "00000")]
    rows = areas.by_area(waiting, [], [], NOW)
    assert [row.code for row in rows] == ["NY-142", "NY-122", "elsewhere"]
    assert [row.counts["waiting"] for row in rows] == [1, 2, 1]
    assert [row.is_alarming for row in rows] == [True, False, False]
    assert len(areas.sketch(rows)) == 2 and areas.sketch(rows[:1]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(ZIPS), min_size=1, max_size=30))
def test_counts_add_up_and_the_sketch_stays_in_its_frame(zips):
    """Nobody is dropped or counted twice, and every area that has a place is on the sketch once."""
    rows = areas.by_area([a_case(n, one) for n, one in enumerate(zips)], [], [], NOW)
    assert sum(row.counts["waiting"] for row in rows) == len(zips)
    spots = areas.sketch(rows)
    assert len({spot.row.code for spot in spots}) == len(spots)
    assert all(spot.radius < spot.x < 680 - spot.radius for spot in spots)
    assert all(spot.radius < spot.y < 300 - spot.radius for spot in spots)
