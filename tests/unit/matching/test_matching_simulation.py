"""The simulation: the same seed gives the same days, no hard rule is broken in them, and the check would see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.demo import roster
from services.matching.domain import case as cases
from services.matching.simulation import faulting, measuring, plotting
from services.matching.simulation.faulting import RATES
from services.matching.simulation.running import Simulation
from services.matching.simulation.stories import Wanted

WANTED = Wanted(hospitals=2, specialists=30, days=2, seed=3, per_day=8)
FAULTY = replace(WANTED, faults=True)


def ran(wanted=WANTED):
    """A simulation that ended."""
    simulation = Simulation(wanted, roster.specialists(wanted.specialists, wanted.seed))
    simulation.run()
    return simulation


@pytest.fixture(scope="module")
def days():
    """Two days, run once."""
    return ran()


def test_the_same_seed_gives_the_same_figures(days):
    """Every figure and every table, to the last digit."""
    assert measuring.figures(ran()) == measuring.figures(days)
    assert measuring.figures(ran(replace(WANTED, seed=4))) != measuring.figures(days)


def test_every_referral_is_somewhere_and_nobody_carries_too_much(days):
    """Nothing is lost, no hard rule is broken, loads are what the assigned cases weigh."""
    assert len(days.stories) > 20 and days.checker.broken == []
    states = {one.case.state for one in days.stories.values()}
    assert states <= {cases.SEEKING, cases.UNFILLED, cases.ASSIGNED, cases.FOLLOWED, cases.CLOSED}
    carried = dict.fromkeys(days.world.people, 0)
    for one in days.stories.values():
        if one.case.state in (cases.ASSIGNED, cases.FOLLOWED):
            carried[one.case.assigned_specialist_id] += days.world.policy.load_milli[one.case.need.urgency]
    assert carried == {one: standing.load_milli for one, (_, standing) in days.world.people.items()}


def test_the_check_sees_a_broken_rule(days):
    """An offer to somebody who speaks nothing the peer does is told: the zero in the report is a measured one."""
    story = next(one for one in days.stories.values() if one.case.offers)
    offer = story.case.offers[0]
    specialist, standing = days.world.people[offer.specialist_id]
    try:
        days.world.people[offer.specialist_id] = (replace(specialist, languages={}), standing)
        days.checker.offer(story.case, offer)
        assert len(days.checker.broken) == 1 and days.checker.broken[0].endswith("language")
    finally:
        days.world.people[offer.specialist_id] = (specialist, standing)
        days.checker.broken.clear()


def test_the_check_sees_who_carries_too_much(days):
    """A yes beyond somebody's capacity is told."""
    story = next(one for one in days.stories.values() if one.case.assigned_specialist_id)
    who = story.case.assigned_specialist_id
    specialist, standing = days.world.people[who]
    try:
        days.world.people[who] = (specialist, replace(standing, load_milli=standing.capacity_milli + 1))
        days.checker.yes(story.case)
        assert [one for one in days.checker.broken if "carries more" in one] != []
    finally:
        days.world.people[who] = (specialist, standing)
        days.checker.broken.clear()


def test_small_groups_are_withheld(days):
    """No group of fewer than eleven people has a row of its own, and nobody is dropped from the count."""
    tables = measuring.figures(days)["tables"]
    for name in ("By language", "By background", "By age band", "By urgency"):
        rows = tables[name]
        shown = [row for row in rows if "median_min" in row]
        assert all(row["referrals"] >= measuring.FEWEST_SHOWN for row in shown)
        assert sum(row["referrals"] for row in rows) == len(days.stories) - sum(
            one.case.stop_code == "cancelled" for one in days.stories.values()
        )


def test_the_plots_are_drawn(days, tmp_path):
    """Both files are there and are SVG with a name for who cannot see them."""
    paths = plotting.write(days, str(tmp_path))
    assert len(paths) == 2
    for path in tmp_path.iterdir():
        assert path.read_text().startswith("<svg") and "aria-label" in path.read_text()


@pytest.fixture(scope="module")
def bad_days():
    """Two days of the same seed in which things go wrong at random."""
    return ran(FAULTY)


def test_the_same_seed_gives_the_same_faults(bad_days):
    """Everything that went wrong, and what came of it."""
    assert measuring.figures(ran(FAULTY)) == measuring.figures(bad_days)
    table = {row["fault"]: row["times"] for row in measuring.figures(bad_days)["tables"]["Faults"]}
    assert table == {name: bad_days.faults.struck[name] for name in RATES} and sum(table.values()) > 50


def test_faults_break_no_rule_and_lose_nobody(bad_days):
    """Whoever was heard of is somewhere, loads are what the cases weigh, and each offer was checked."""
    assert bad_days.checker.broken == [] and len(bad_days.stories) > 20
    offers = sum(len(one.case.offers) for one in bad_days.stories.values())
    assert bad_days.checker.checked["offers"] >= offers


def test_who_is_never_heard_of_again_is_replaced(monkeypatch):
    """Nobody waits for somebody who is out of reach: who leads hears of it, and others are asked."""
    monkeypatch.setitem(faulting.RATES, "specialist never heard of again", 40)
    simulation = ran(FAULTY)
    assert simulation.checker.broken == [] and len(simulation.gone) > 3
    rematched = [one for one in simulation.stories.values() if one.case.rematch_key]
    assert any(one.case.state in (cases.FOLLOWED, cases.CLOSED) for one in rematched)


@pytest.mark.parametrize(
    ("door", "opened", "told"),
    [
        ("services.matching.domain.answering._check_open", lambda *_: None, "taken from who had it"),
        ("services.matching.domain.case.Case.asked_ids", property(lambda _: frozenset()), "asked again"),
        ("services.matching.simulation.running.Simulation._hand_over", lambda *_: None, "a load of 0"),
    ],
)
def test_the_check_sees_what_an_open_door_lets_in(monkeypatch, door, opened, told):
    """With one guard taken away the same days break a rule: the zero beside them is a measured one."""
    monkeypatch.setattr(door, opened)
    broken = ran(replace(FAULTY, specialists=8, days=1)).checker.broken
    assert [one for one in broken if told in one] != []


@pytest.mark.slow_faults
def test_no_hard_rule_is_broken_in_ten_thousand_referrals():
    """P8: with stops, late wishes, early departures, full caseloads and every kind of fault at random."""
    simulation = ran(Wanted(hospitals=20, specialists=1500, days=30, seed=11, per_day=17, faults=True))
    assert all(simulation.faults.struck[name] for name in RATES)
    assert len(simulation.stories) > 9_800 and simulation.checker.broken == []
