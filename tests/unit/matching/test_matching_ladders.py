"""A programme's own ladder: what it may be, and whose referrals take it."""

from __future__ import annotations

import pytest

from chassis.errors import Refusal
from services.matching.domain.ladders import ProgrammeLadder, Steps, checked, gathered
from tests.unit.matching.matching_builders import POLICY


@pytest.mark.parametrize(
    ("urgency", "steps", "code"),
    [
        ("someday", Steps((3,), (60,)), "urgency-unknown"),
        ("immediate", Steps((), ()), "waves-count"),
        ("immediate", Steps((3, 5), (60,)), "lengths-differ"),
        ("immediate", Steps((0,), (60,)), "size"),
        ("immediate", Steps((21,), (60,)), "size"),
        ("immediate", Steps((3,), (0,)), "time"),
        ("immediate", Steps((3, 5), (600, 301)), "too-long"),
        ("urgent", Steps((3,), (8 * 3600 + 1,)), "too-long"),
        ("routine", Steps((3,), (60,), (1001,)), "share"),
        ("routine", Steps((3,), (60,), (1000, 500)), "lengths-differ"),
    ],
)
def test_a_ladder_that_hurts_the_peer_is_refused_with_its_place(urgency, steps, code):
    """Each fault is named by its path; nothing is longer than what protects the peer."""
    with pytest.raises(Refusal, match="ladder-not-possible") as refused:
        checked({urgency: steps})
    assert [fault.code for fault in refused.value.faults] == [code]
    assert all(fault.path.startswith("ladders") for fault in refused.value.faults)


def test_only_the_sources_a_programme_serves_take_its_ladder():
    """Others, and urgencies it says nothing of, take the platform's own."""
    own = ProgrammeLadder("p", 1, {"immediate": Steps((5,), (120,))}, ("st-brigid",))
    ladders = gathered(POLICY, [own])
    [wave] = ladders.of("st-brigid", "immediate")
    assert (wave.size, wave.seconds) == (5, 120)
    assert ladders.of("st-brigid", "urgent") == POLICY.ladders["urgent"]
    assert ladders.of("elsewhere", "immediate") == POLICY.ladders["immediate"]
    assert ladders.wave("st-brigid", "immediate", 2) is None
