"""Each hard rule at its edge, and what a score is made of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.matching.domain import place
from services.matching.domain.place import place_at
from services.matching.domain.rules import excluded_by, ways
from services.matching.domain.score import Rarity, explain, total
from services.matching.domain.shifts import Shifts
from tests.unit.matching.matching_builders import (
    BRONX,
    BUFFALO,
    NOW,
    POLICY,
    QUEENS,
    a_certification,
    a_need,
    a_specialist,
    a_standing,
    asked,
    scaled,
)

WIDE = POLICY.ladders["immediate"][1]


def _out(specialist=None, need=None, standing=None, **question):
    return excluded_by(
        asked(need or a_need(), **question), specialist or a_specialist(), standing or a_standing()
    )


def _terms(specialist, need, standing=None, wave=None, **scale):
    return {
        t.code: t.points_milli
        for t in explain(scaled(need, wave, **scale), asked(need, wave), specialist, standing or a_standing())
    }


def test_somebody_who_fits_is_kept_out_by_nothing():
    """The builders' specialist fits the builders' referral, so that each test below changes one thing."""
    assert _out() is None


@pytest.mark.parametrize(
    ("languages", "spoken", "is_interpreter_agreed", "rule"),
    [
        (("en",), {"es": 4}, False, "language"),
        (("en",), {"es": 4}, True, None),
        (("ht", "es"), {"es": 4}, False, None),
        (("ase",), {"ase": 1}, False, "language"),
        (("ase",), {"ase": 2}, False, None),
        ((), {"es": 4}, False, None),
    ],
)
def test_a_language_in_common_or_an_interpreter(languages, spoken, is_interpreter_agreed, rule):
    """One language both speak well enough to work in, or an agreed interpreter; basic words are not enough."""
    need = a_need(languages=languages, is_interpreter_agreed=is_interpreter_agreed)
    assert _out(a_specialist(languages=spoken), need) == rule


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"valid_until": date(2026, 11, 21)}, None),
        ({"valid_until": date(2026, 11, 20)}, "certification"),
        ({"valid_from": date(2026, 11, 22)}, "certification"),
        ({"state": "NJ"}, "certification"),
        ({"payers": frozenset({"medicare"})}, "certification"),
        ({"age_bands": frozenset({"minor"})}, "certification"),
    ],
)
def test_a_certification_holds_that_day_there_and_for_them(changes, rule):
    """Valid on the day, first and last day counted, in the facility's state, for the payer and the age band."""
    assert _out(a_specialist(certifications=(a_certification(**changes),))) == rule


def test_the_last_day_of_a_certification_ends_at_the_specialists_midnight():
    """At 23:30 in New York the last day still holds, although it is the next day in UTC."""
    specialist = a_specialist(certifications=(a_certification(valid_until=date(2026, 11, 21)),))
    assert _out(specialist, at=datetime(2026, 11, 22, 4, 59, 59, 999000, tzinfo=UTC)) is None
    assert _out(specialist, at=datetime(2026, 11, 22, 5, 0, tzinfo=UTC)) == "certification"


def test_two_half_fitting_certifications_do_not_make_a_whole_one():
    """One for the payer and another for the age band is none for both."""
    halves = (
        a_certification(payers=frozenset({"medicare"})),
        a_certification(age_bands=frozenset({"minor"})),
    )
    assert _out(a_specialist(certifications=halves)) == "certification"


def test_an_unknown_payer_or_age_band_asks_for_any_valid_certification():
    """What nobody knows excludes nobody; no certification at all still does."""
    need = a_need(payer="unknown", age_band="unknown")
    odd = a_certification(payers=frozenset({"commercial"}), age_bands=frozenset({"minor"}))
    assert _out(a_specialist(certifications=(odd,)), need) is None
    assert _out(a_specialist(certifications=()), need) == "certification"


def test_off_shift_and_full_are_out():
    """Neither somebody off shift nor somebody whose caseload is full is asked."""
    assert _out(a_specialist(shifts=Shifts((), False, "America/New_York"))) == "off-shift"
    assert _out(standing=a_standing(load_milli=2001)) == "at-capacity"
    assert _out(standing=a_standing(load_milli=2000)) is None


def test_who_cannot_come_in_time_may_still_call():
    """From Buffalo nobody is at a bedside in Queens within the hour: the phone remains; without it they are out."""
    far = a_specialist(place=BUFFALO, radius_miles=500)
    assert ways(asked(a_need()), far) == {"phone"}
    assert (
        _out(a_specialist(place=BUFFALO, radius_miles=500, modalities=frozenset({"bedside"})))
        == "out-of-reach"
    )


def test_a_specialists_own_radius_and_the_peers_leaving_limit_the_way_to_the_bedside():
    """Nobody is sent further than they go, nor to a bed that is empty when they arrive."""
    assert "bedside" in ways(asked(a_need()), a_specialist())
    assert "bedside" not in ways(asked(a_need()), a_specialist(radius_miles=3))
    leaving = a_need(expected_departure_at=NOW + timedelta(minutes=20))
    assert "bedside" not in ways(asked(leaving), a_specialist())
    gone = a_need(expected_departure_at=NOW - timedelta(minutes=20))
    assert "bedside" not in ways(asked(gone), a_specialist(place=QUEENS))
    unknown = a_need(place=None)
    assert ways(asked(unknown), a_specialist()) == {"phone"}


def test_a_wide_wave_adds_phone_and_video_but_breaks_no_rule():
    """The second wave widens how somebody may be there, and nothing else."""
    bedside = a_need(modalities=frozenset({"bedside"}), preferences={"gender.woman": "must"})
    caller = a_specialist(modalities=frozenset({"video"}), released=("gender.woman",))
    assert _out(caller, bedside) == "out-of-reach" and _out(caller, bedside, wave=WIDE) is None
    assert _out(a_specialist(), bedside, wave=WIDE) == "must-or-avoid"


def test_a_must_counts_only_what_was_released_an_avoid_counts_everything():
    """What is private never helps a specialist to an offer, for it could be inferred; and it never breaks an avoid."""
    private, released = (
        a_specialist(private=("faith.christian.catholic",)),
        a_specialist(released=("faith.christian.catholic",)),
    )
    must, avoid = a_need(preferences={"faith": "must"}), a_need(preferences={"faith.christian": "avoid"})
    assert (_out(private, must), _out(released, must)) == ("must-or-avoid", None)
    assert _out(private, avoid) == _out(released, avoid) == "must-or-avoid"
    assert _out(a_specialist(), avoid) is None


@pytest.mark.parametrize(
    ("withheld", "avoided", "rule"),
    [
        ("gender.man", "gender.man", "must-or-avoid"),
        ("gender.woman", "gender.man", "must-or-avoid"),
        ("gender.man", "gender", "must-or-avoid"),
        ("gender", "gender.man", "must-or-avoid"),
        ("faith.christian.catholic", "faith.jewish", "must-or-avoid"),
        ("hiv", "hiv", "must-or-avoid"),
        ("homelessness", "hiv", "must-or-avoid"),
        ("gender.man", "faith", None),
        ("hiv", "gender.man", None),
        ("gender.man", "no-such-code", None),
    ],
)
def test_an_avoid_keeps_out_whoever_withholds_something_of_its_category(withheld, avoided, rule):
    """Who may have what is avoided is out like who has it, under the same rule; another category does not matter."""
    assert _out(a_specialist(withheld=(withheld,)), a_need(preferences={avoided: "avoid"})) == rule
    assert _out(a_specialist(withheld=(withheld,)), a_need(preferences={avoided: "strong"})) is None
    assert _out(a_specialist(withheld=(withheld,)), a_need(preferences={avoided: "must"})) == "must-or-avoid"


def test_nobody_is_asked_twice_and_nobody_excluded_for_safety_is_asked_once():
    """Whoever was asked before is passed over; a safety exclusion comes before every other rule."""
    assert _out(asked_ids=frozenset({"rosa"})) == "already-asked"
    assert (
        _out(need=a_need(excluded_ids=frozenset({"rosa"})), asked_ids=frozenset({"rosa"}))
        == "safety-exclusion"
    )


def test_what_is_private_gives_no_point_and_no_word():
    """A specialist with a private shared experience is scored and explained exactly like one without it."""
    need = a_need(experience=("suicide.attempt",), preferences={"hiv": "strong"})
    nothing_told = _terms(a_specialist(), need)
    assert _terms(a_specialist(private=("suicide.attempt", "hiv")), need) == nothing_told
    assert _terms(a_specialist(withheld=("suicide.attempt", "hiv")), need) == nothing_told


def test_an_identity_is_never_taken_for_a_wish():
    """A shared culture or gender scores only where the peer wished for it; a shared experience also without."""
    need = a_need(experience=("lgbtq.transgender", "ethnicity.black", "homelessness"))
    codes = _terms(a_specialist(released=("lgbtq.transgender", "ethnicity.black", "homelessness")), need)
    assert [code for code in codes if ":" in code and not code.startswith("language")] == [
        "shared:homelessness"
    ]
    wished = a_need(experience=("ethnicity.black",), preferences={"ethnicity.black": "some"})
    assert "wish:ethnicity.black" in _terms(a_specialist(released=("ethnicity.black",)), wished)


def test_a_none_is_respected():
    """Of what the peer said does not matter to them nothing is counted, however much it is shared."""
    need = a_need(
        experience=("military.combat",), preferences={"military.combat": "none", "military": "none"}
    )
    assert not [
        code for code in _terms(a_specialist(released=("military.combat",)), need) if "military" in code
    ]


def test_importance_is_personal():
    """The same two attributes weigh as the peer said: strong is four times some, and together they share one budget."""
    both = a_specialist(released=("military.veteran", "gender.woman"))
    terms = _terms(both, a_need(preferences={"military.veteran": "strong", "gender.woman": "some"}))
    assert (terms["wish:military.veteran"], terms["wish:gender.woman"]) == (44_000, 11_000)


def test_a_rare_shared_experience_counts_more_than_a_common_one():
    """Of two equal wishes the rarer one has the larger share, up to a limit."""
    need = a_need(preferences={"military.combat": "some", "parenting": "some"})
    rarity = Rarity({"military.combat": 3, "military": 3, "parenting": 500}, 1000)
    terms = _terms(a_specialist(released=("military.combat", "parenting")), need, rarity=rarity)
    assert terms["wish:military.combat"] > terms["wish:parenting"] > 0
    assert rarity.weight_milli("nobody-has-it", POLICY) == 1000 + 150 * 6
    assert (
        rarity.weight_milli("parenting", POLICY) == 1150 and Rarity({}, 0).weight_milli("x", POLICY) == 1000
    )


def test_a_parent_is_shared_by_who_knows_a_child():
    """Somebody in recovery from alcohol use shares "substance use" with somebody who survived opioids, not more."""
    need = a_need(experience=("substance.opioids",))
    assert [
        c for c in _terms(a_specialist(released=("substance.alcohol",)), need) if c.startswith("shared")
    ] == ["shared:substance"]


def test_closer_and_freer_is_better_and_the_first_language_counts_most():
    """Points fall with the distance and the load, and with the place of the language in the peer's list."""
    near, away = a_specialist(place=QUEENS), a_specialist()
    assert _terms(near, a_need())["closeness"] > _terms(away, a_need())["closeness"] > 0
    busy = _terms(near, a_need(), a_standing(load_milli=2000))
    assert _terms(near, a_need())["free-capacity"] == 7000 > busy["free-capacity"] > 0
    first, second = a_need(languages=("es", "en")), a_need(languages=("ht", "es"))
    assert _terms(near, first)["language:es"] == 2 * _terms(near, second)["language:es"] == 10_000


def test_a_later_wave_weighs_wishes_half():
    """In the wide wave a wish still counts, but less, so that closeness and capacity decide sooner."""
    specialist, need = (
        a_specialist(released=("gender.woman",)),
        a_need(preferences={"gender.woman": "strong"}),
    )
    assert (
        _terms(specialist, need)["wish:gender.woman"]
        == 2 * _terms(specialist, need, wave=WIDE)["wish:gender.woman"]
    )


def test_nobody_scores_more_than_everything():
    """The best possible specialist has the highest score, to the last digit."""
    need = a_need(experience=("overdose",), preferences={"gender.woman": "strong"})
    best = a_specialist(released=("overdose", "gender.woman"), place=QUEENS, languages={"en": 4})
    assert total(explain(scaled(need), asked(need), best, a_standing())) == POLICY.most_points == 100_000


def test_distances_are_those_on_the_map():
    """The Bronx and Queens are 8 to 10 miles apart, Buffalo about 290: whole-number places keep them to a mile."""
    for miles, one, other in ((9, BRONX, QUEENS), (290, BRONX, BUFFALO)):
        assert (
            place.reach_squared(miles - 4) < place.chord_squared(one, other) < place.reach_squared(miles + 4)
        )
    antipodes = place.chord_squared(place_at(0, 0, "", "UTC"), place_at(0, 180, "", "UTC"))
    assert antipodes <= place.reach_squared(12_500)
    assert place.reach_squared(-1) == -1 and place.reach_squared(0) == 0
