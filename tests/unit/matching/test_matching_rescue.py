"""A rare language widens the first wave, and nothing else is relaxed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.matching.domain import rescue
from services.matching.domain.rules import SAFETY, excluded_by
from tests.unit.matching.matching_builders import (
    NOW,
    POLICY,
    a_need,
    a_specialist,
    a_standing,
    asked,
)

FIRST = POLICY.ladders["immediate"][0]


@pytest.mark.parametrize(
    ("speakers", "roster", "is_wide", "size", "limit"),
    [(9, 46, True, 5, 90), (10, 999, False, 3, 60), (9, 45, False, 3, 60), (0, 0, False, 3, 60)],
)
def test_few_speakers_widen_the_wave(speakers, roster, is_wide, size, limit):
    """Below ten and a fifth more are asked at once, by phone and video too, and from further away; else nothing."""
    wave, policy = rescue.widened(FIRST, POLICY, speakers, roster)
    assert (wave.is_wide, wave.size, policy.bedside_limit_minutes["immediate"]) == (is_wide, size, limit)
    assert (wave.number, wave.seconds, wave.preference_milli) == (1, 300, 1000)


def test_a_rescue_breaks_no_other_hard_rule():
    """Whoever the peer must never meet is kept out of the widened wave too (P8)."""
    wave, policy = rescue.widened(FIRST, POLICY, 1, 100)
    question = replace(asked(a_need(), wave, NOW), excluded_ids=frozenset({"ex"}))
    assert excluded_by(question, a_specialist("ex"), a_standing()) == SAFETY
    assert policy.load_milli == POLICY.load_milli
