"""A door's places are shared fairly, whoever pushes."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Refusal
from chassis.identity import Caller
from chassis.shares import Shares, give_way

MOST = 12


def of(organization, actor="somebody"):
    return Caller(actor, "nurse", organization) if organization else None


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.booleans()), max_size=80))
def test_nobody_holds_more_than_their_share_of_a_crowded_door(steps):
    """However requests come and go: a newcomer always gets in, and who is refused holds a fair share at least."""
    shares = Shares(MOST, per_s=1e6, most_of_one=MOST * 3 // 4)
    inside: dict[str, list[ExitStack]] = {"": [], "a": [], "b": [], "c": []}
    for who, is_leaving in steps:
        held = {name: len(stacks) for name, stacks in inside.items() if stacks}
        if is_leaving and inside[who]:
            inside[who].pop().close()
            continue
        stack = ExitStack()
        try:
            stack.enter_context(shares.entered(of(who)))
            inside[who].append(stack)
        except Refusal as refused:
            assert refused.code == "share-used" and refused.retry_after_s
            assert sum(held.values()) >= MOST // 2
            assert held.get(who, 0) >= min(MOST // len(held), MOST * 3 // 4)
        else:
            share = min(MOST // len(held.keys() | {who}), MOST * 3 // 4)
            assert sum(held.values()) < MOST // 2 or held.get(who, 0) < share
    for stack in [one for stacks in inside.values() for one in stacks]:
        stack.close()
    assert not shares._held


def test_an_organization_alone_leaves_room_and_gives_way():
    """One hospital may hold three quarters while it is alone; another one gets in at once."""
    shares = Shares(MOST, per_s=1e6, most_of_one=MOST * 3 // 4)
    with ExitStack() as stack:
        for _ in range(MOST * 3 // 4):
            stack.enter_context(shares.entered(of("busy")))
        with pytest.raises(Refusal, match="share-used"):
            stack.enter_context(shares.entered(of("busy")))
        stack.enter_context(shares.entered(of("quiet")))


def test_who_shows_no_token_shares_with_the_same_address_only():
    """A flood from one address does not take the pages from a nurse at another."""
    shares = Shares(MOST, per_s=1e6, most_of_one=MOST * 3 // 4)
    with ExitStack() as stack:
        for _ in range(MOST * 3 // 4):
            stack.enter_context(shares.entered(None, "203.0.113.7"))
        with pytest.raises(Refusal, match="share-used"):
            stack.enter_context(shares.entered(None, "203.0.113.7"))
        stack.enter_context(shares.entered(None, "198.51.100.9"))


def test_who_asks_too_often_is_told_when_to_come_back_and_the_others_are_not():
    """A second's worth and as much again in reserve; after a second there is a second's worth."""
    clock = [0.0]
    shares = Shares(MOST, per_s=5, now=lambda: clock[0])

    def ask(organization, times):
        refused = 0
        for number in range(times):
            try:
                with shares.entered(of(organization, f"nurse-{number % 3}")):
                    pass
            except Refusal as told:
                assert told.code == "rate-exceeded" and told.retry_after_s >= 1
                refused += 1
        return refused

    assert ask("a", 30) == 20
    assert ask("b", 10) == 0
    clock[0] = 1.0
    assert ask("a", 10) == 5
    clock[0] = 1e6
    assert ask("a", 30) == 20


def test_one_client_leaves_something_to_the_others_of_its_organization():
    """Whoever floods alone is refused at nine tenths, and what they are refused is nobody else's loss."""
    shares = Shares(MOST, per_s=50, now=lambda: 0.0)
    served = dict.fromkeys(("flood", "quiet"), 0)
    for actor, times in (("flood", 500), ("quiet", 20)):
        for _ in range(times):
            try:
                with shares.entered(of("a", actor)):
                    served[actor] += 1
            except Refusal as told:
                assert told.code == "rate-exceeded"
    assert served == {"flood": 90, "quiet": 10}


def test_what_can_wait_gives_way_at_a_crowded_door_only():
    """Whoever came in by a door is asked to give way while others wait there, with a time to come back; then no more."""
    others = [True]
    shares = Shares(MOST, per_s=1e6, is_crowded=lambda: others[0])
    with shares.entered(of("a")):
        with pytest.raises(Refusal, match="gives-way") as told:
            give_way()
        assert told.value.retry_after_s
        others.clear()
        others.append(False)
        give_way()
