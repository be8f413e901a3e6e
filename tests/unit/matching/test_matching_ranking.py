"""The NumPy ranking against the plain one, over random rosters and referrals (P12, P8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain import rank as plain
from services.matching.domain.need import Need
from services.matching.domain.place import Place, place_at
from services.matching.domain.rank import Entry
from services.matching.domain.rules import RULES, excluded_by
from services.matching.domain.shifts import Shifts, Window
from services.matching.domain.specialist import Certification
from services.matching.ranking import RosterIndex
from tests.unit.matching.matching_builders import (
    NOW,
    POLICY,
    TAXONOMY,
    a_certification,
    a_need,
    a_specialist,
    a_standing,
    asked,
    scaled,
)

CODES = sorted(
    [
        "substance.opioids",
        "substance.alcohol",
        "military.combat",
        "gender.woman",
        "faith.christian.catholic",
        "deaf.asl",
        "overdose",
        "homelessness",
        "suicide.attempt",
        "place.rural",
        "ethnicity.black",
    ]
)
ZONES = ["America/New_York", "America/Los_Angeles", "America/Phoenix", "UTC"]
STATES = ["NY", "NJ", "CT"]
TAGS = ["en", "es", "ase", "ht"]


# Hypothesis draws the seed; the roster is built from it directly, for drawing every field of forty people is slow.
SEEDS = st.integers(0, 2**32)


def _some(dice: Random, choices: Sequence[str], most: int) -> tuple[str, ...]:
    return tuple(dice.sample(choices, dice.randint(0, min(most, len(choices)))))


def _place(dice: Random) -> Place:
    return place_at(dice.uniform(38, 43), dice.uniform(-79, -73), dice.choice(STATES), dice.choice(ZONES))


def _certification(dice: Random) -> Certification:
    begins = date(2026, 10, 1) + timedelta(days=dice.randint(0, 55))
    return a_certification(
        state=dice.choice(STATES),
        payers=frozenset(_some(dice, ["medicaid", "medicare", "commercial"], 3)),
        age_bands=frozenset(_some(dice, ["minor", "young-adult", "adult"], 3)),
        valid_from=begins,
        valid_until=begins + timedelta(days=dice.randint(0, 60)),
    )


def _shifts(dice: Random) -> Shifts:
    windows = [
        Window(dice.randint(0, 6), dice.randint(0, 1439), dice.randint(0, 1439))
        for _ in range(dice.randint(0, 3))
    ]
    return Shifts(tuple(windows), dice.random() < 0.5, dice.choice(ZONES))


def _entry(dice: Random, specialist_id: str) -> Entry:
    specialist = a_specialist(
        specialist_id,
        released=_some(dice, CODES, 5),
        private=_some(dice, CODES, 3),
        withheld=_some(dice, CODES, 2),
        role=dice.choice(["specialist", "specialist", "specialist", "supervisor"]),
        place=_place(dice),
        shifts=_shifts(dice),
        languages={tag: dice.randint(1, 4) for tag in _some(dice, TAGS, 3)},
        certifications=tuple(_certification(dice) for _ in range(dice.randint(0, 2))),
        modalities=frozenset(_some(dice, ["bedside", "phone", "video"], 3)),
        radius_miles=dice.randint(0, 200),
    )
    standing = a_standing(
        load_milli=dice.choice([0, 0, 1000, 2000]),
        capacity_milli=dice.choice([0, 1000, 3000]),
        waiting_since=NOW - timedelta(hours=dice.randint(0, 3)),
        open_milli=dice.choice([0, 0, 1000, 5000]),
    )
    return specialist, standing


def _roster(dice: Random, most: int) -> list[Entry]:
    names = [f"s{number}" for number in range(dice.randint(1, most))]
    dice.shuffle(names)
    return [_entry(dice, name) for name in names]


def _need(dice: Random) -> Need:
    # Also parents, siblings and others nobody in the roster has: who withholds a category may have them.
    wishes = _some(dice, [*CODES, "substance", "faith", "gender", "gender.man", "hiv", "no-such-code"], 4)
    strengths = ["none", "some", "some", "strong", "strong", "must", "avoid"]
    return a_need(
        experience=_some(dice, CODES, 4),
        place=dice.choice([None, _place(dice), _place(dice)]),
        urgency=dice.choice(["immediate", "urgent", "routine"]),
        preferences={code: dice.choice(strengths) for code in wishes},
        languages=_some(dice, TAGS, 3),
        is_interpreter_agreed=dice.random() < 0.3,
        age_band=dice.choice(["minor", "adult", "older-adult", "unknown", "unknown"]),
        payer=dice.choice(["medicaid", "self-pay", "unknown"]),
        expected_departure_at=dice.choice([None, NOW + timedelta(minutes=dice.randint(-10, 200))]),
        modalities=frozenset(_some(dice, ["bedside", "phone", "video"], 3)) or frozenset({"phone"}),
    )


def _moment(dice: Random) -> datetime:
    return datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=dice.randint(0, 35 * 24 * 60))


def _categories(codes: Iterable[str]) -> set[str]:
    return {code.split(".")[0] for code in codes}


def _index(roster: Sequence[Entry]) -> RosterIndex:
    index = RosterIndex(list(TAXONOMY.attributes))
    index.put(roster)
    return index


@settings(max_examples=500, deadline=None)
@given(SEEDS)
def test_the_index_ranks_exactly_as_the_plain_rules_do(seed):
    """The same inputs give the same match, the same scores and the same order, with either ranking (P12)."""
    dice = Random(seed)
    roster, need, at = _roster(dice, 40), _need(dice), _moment(dice)
    wave, limit = POLICY.wave(need.urgency, dice.randint(1, 2)), dice.randint(1, 6)
    index = _index(dice.sample(roster, len(roster)))
    question = asked(need, wave, at, frozenset(e[0].specialist_id for e in roster[:1]))
    scale = scaled(need, wave, index.rarity())
    best = plain.rank(question, scale, roster, limit)
    proposal = index.propose(question, scale, limit)
    assert proposal.specialist_ids == tuple(c.specialist_id for c in best)
    assert proposal.scores_milli == tuple(c.score_milli for c in best)
    out = index.exclusions(question)
    assert out == plain.exclusions(question, roster)
    everybody = plain.rank(question, scale, roster, len(roster))
    assert len(everybody) + sum(out.values()) == sum(entry[0].is_ranked for entry in roster)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_no_wave_breaks_a_must_an_avoid_or_a_safety_exclusion(seed):
    """Whoever is proposed has every "must" released, has and withholds nothing avoided and is not excluded (P8)."""
    dice = Random(seed)
    roster = _roster(dice, 30)
    barred = frozenset([roster[0][0].specialist_id])
    need = replace(_need(dice), languages=(), excluded_ids=barred, payer="unknown", age_band="unknown")
    index = _index(roster)
    people = {entry[0].specialist_id: entry[0] for entry in roster}
    for wave in POLICY.ladders["immediate"]:
        scale = scaled(need, wave, index.rarity())
        for specialist_id in index.propose(asked(need, wave), scale, 100).specialist_ids:
            assert specialist_id not in barred
            assert need.with_strength("must") <= people[specialist_id].released
            for avoided in need.with_strength("avoid"):
                assert avoided not in people[specialist_id].held
                assert avoided.split(".")[0] not in _categories(people[specialist_id].perhaps_held)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_every_explanation_adds_up_stays_within_bounds_and_names_only_what_was_released(seed):
    """Terms are positive, sum to the score, never exceed the policy's highest score and name released codes only."""
    dice = Random(seed)
    roster, need = _roster(dice, 30), _need(dice)
    wave = POLICY.wave(need.urgency, dice.randint(1, 2))
    people = {entry[0].specialist_id: entry[0] for entry in roster}
    scale = scaled(need, wave, _index(roster).rarity())
    for candidate in plain.rank(asked(need, wave), scale, roster, 100):
        assert candidate.score_milli == sum(term.points_milli for term in candidate.terms)
        assert 0 <= candidate.score_milli <= POLICY.most_points == 100_000
        assert all(term.points_milli > 0 for term in candidate.terms)
        named = {t.code.split(":")[1] for t in candidate.terms if t.code.split(":")[0] in ("wish", "shared")}
        assert named <= people[candidate.specialist_id].released


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_a_changed_specialist_leaves_no_trace_of_how_they_were(seed):
    """An index that saw a change equals an index that only ever saw the result."""
    dice = Random(seed)
    before = [entry for entry in _roster(dice, 20) if entry[0].is_ranked]
    after = [
        (replace(_entry(dice, old.specialist_id)[0], role="specialist"), standing) for old, standing in before
    ]
    lived, fresh = _index(before), _index(after)
    lived.put(after)
    assert +Counter(lived.rarity().counts) == +Counter(fresh.rarity().counts)
    need = a_need(languages=(), experience=("substance.opioids",), preferences={"gender.woman": "strong"})
    question, scale = asked(need), scaled(need, rarity=fresh.rarity())
    assert lived.propose(question, scale, 50) == fresh.propose(question, scale, 50)
    assert lived.exclusions(question) == fresh.exclusions(question)


def test_the_index_grows_beyond_its_first_room():
    """Three thousand specialists are all there, and the best of them is found."""
    index = RosterIndex(list(TAXONOMY.attributes))
    index.put(
        (a_specialist(f"s{n:04}", released=("overdose",) if n == 2345 else ()), a_standing())
        for n in range(3000)
    )
    need = a_need(experience=("overdose",))
    assert len(index) == 3000
    assert index.propose(asked(need), scaled(need, rarity=index.rarity()), 3).specialist_ids == (
        "s2345",
        "s0000",
        "s0001",
    )


def test_every_rule_is_tried_in_the_order_it_is_told():
    """Somebody out by every rule is counted under the first, and the rules have one order everywhere."""
    need = a_need(excluded_ids=frozenset({"rosa"}), preferences={"gender.man": "must"}, languages=("ht",))
    outcast = a_specialist("rosa", certifications=(), modalities=frozenset()), a_standing(capacity_milli=0)
    assert excluded_by(asked(need), *outcast) == RULES[0] == "safety-exclusion"
