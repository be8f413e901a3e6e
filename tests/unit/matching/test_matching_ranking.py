"""The NumPy ranking against the plain one, over random rosters and referrals (P12, P8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings

from services.matching.domain import rank as plain
from services.matching.domain.rank import Entry
from services.matching.domain.rules import RULES, excluded_by
from services.matching.ranking import RosterIndex
from tests.unit.matching.matching_builders import (
    POLICY,
    TAXONOMY,
    a_need,
    a_specialist,
    a_standing,
    asked,
    scaled,
)
from tests.unit.matching.random_rosters import (
    CODES,
    SEEDS,
    STATES,
    a_moment,
    a_random_need,
    a_roster,
    an_entry,
)


def _categories(codes: Iterable[str]) -> set[str]:
    return {code.split(".")[0] for code in codes}


def _index(roster: Sequence[Entry]) -> RosterIndex:
    index = RosterIndex(list(TAXONOMY.attributes))
    index.put(roster)
    return index


@settings(max_examples=250, deadline=None)
@given(SEEDS)
def test_the_index_ranks_exactly_as_the_plain_rules_do(seed):
    """The same inputs give the same match, the same scores and the same order, with either ranking (P12)."""
    _compare(seed)


@pytest.mark.slow_faults
@settings(max_examples=5000, deadline=None)
@given(SEEDS)
def test_thousands_of_rosters_are_ranked_exactly_as_the_plain_rules_do(seed):
    """Five thousand more random rosters, each ranked alike by both (P12)."""
    _compare(seed)


def _compare(seed):
    dice = Random(seed)
    roster, need, at = a_roster(dice, 40), a_random_need(dice), a_moment(dice)
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
    assert proposal.eligible == len(everybody)
    order = [candidate.specialist_id for candidate in everybody]
    for one in [entry[0].specialist_id for entry in roster[:5]]:
        assert index.place(question, scale, one) == (order.index(one) + 1 if one in order else 0)


@settings(max_examples=80, deadline=None)
@given(SEEDS)
def test_one_index_asked_at_many_moments_forgets_none_and_invents_none(seed):
    """However the clock moves and entries change between questions, the answer is that of the plain rules (P12)."""
    dice = Random(seed)
    roster = {entry[0].specialist_id: entry for entry in a_roster(dice, 12)}
    index = _index(list(roster.values()))
    for _ in range(6):
        one = dice.choice(list(roster))
        roster[one] = an_entry(dice, one)
        index.put([roster[one]])
        need, at = a_random_need(dice), a_moment(dice)
        question, scale = asked(need, at=at), scaled(need, rarity=index.rarity())
        best = plain.rank(question, scale, roster.values(), 5)
        assert index.propose(question, scale, 5).specialist_ids == tuple(c.specialist_id for c in best)
        assert index.exclusions(question) == plain.exclusions(question, roster.values())
        spoken, state = ("es", "ase"), dice.choice(["", *STATES])
        assert index.speakers(spoken, 2, state) == sum(
            _speaks(person, spoken, state) for person, _ in roster.values()
        )


def _speaks(person, tags, state):
    here = not state or any(one.state == state for one in person.certifications)
    return person.is_ranked and here and any(person.languages.get(tag, 0) >= 2 for tag in tags)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_the_rarity_of_a_state_does_not_depend_on_what_else_a_process_holds(seed):
    """An index of one state's specialists counts for that state what an index of everybody counts for it."""
    dice = Random(seed)
    roster = a_roster(dice, 30)
    everybody, people = _index(roster), [e for e in roster if e[0].is_ranked]
    for state in STATES:
        here = [e for e in people if any(one.state == state for one in e[0].certifications)]
        alone, whole = _index(here).rarity(state), everybody.rarity(state)
        assert alone.roster_size == whole.roster_size == len(here)
        assert +Counter(alone.counts) == +Counter(whole.counts)
        assert all(alone.counts.get(c, 0) == sum(c in e[0].released for e in here) for c in CODES)


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_no_wave_breaks_a_must_an_avoid_or_a_safety_exclusion(seed):
    """Whoever is proposed has every "must" released, has and withholds nothing avoided and is not excluded (P8)."""
    dice = Random(seed)
    roster = a_roster(dice, 30)
    barred = frozenset([roster[0][0].specialist_id])
    need = replace(
        a_random_need(dice), languages=(), excluded_ids=barred, payer="unknown", age_band="unknown"
    )
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


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_every_explanation_adds_up_stays_within_bounds_and_names_only_what_was_released(seed):
    """Terms are positive, sum to the score, never exceed the policy's highest score and name released codes only."""
    dice = Random(seed)
    roster, need = a_roster(dice, 30), a_random_need(dice)
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
    before = [entry for entry in a_roster(dice, 20) if entry[0].is_ranked]
    after = [
        (replace(an_entry(dice, old.specialist_id)[0], role="specialist"), standing)
        for old, standing in before
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
