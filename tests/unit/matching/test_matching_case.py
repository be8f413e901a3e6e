"""A case under any sequence of answers, silence and time: one winner at most, and every ending said (P3)."""

from __future__ import annotations

from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.errors import Refusal
from services.matching.domain import answering, renewing
from services.matching.domain import case as cases
from services.matching.domain.case import Case, Link
from services.matching.domain.events import OfferAccepted, OfferMade, ReferralEscalated
from services.matching.domain.rank import rank
from tests.unit.matching.matching_builders import (
    NOW,
    POLICY,
    a_need,
    a_specialist,
    a_standing,
    asked,
    scaled,
)

ROSTER = [(a_specialist(f"s{n:02}"), a_standing()) for n in range(12)]


def _offered(case, number, now):
    wave = POLICY.ladders["immediate"][number - 1]
    best = rank(asked(case.need, wave, now, case.asked_ids), scaled(case.need, wave), ROSTER, wave.size)
    links = [Link(f"off_{number}_{n}", "t", bytes([number, n])) for n in range(len(best))]
    return cases.make_offers(case, wave, best, links, now)


class Life(RuleBasedStateMachine):
    """Any order of accepting, declining, waiting and moving on."""

    @initialize()
    def submit(self):
        """The first wave is out."""
        self.now = NOW
        self.said = []
        self._become(_offered(Case(a_need(), NOW), 1, NOW))

    def _become(self, changed):
        self.case, events = changed
        self.said += events

    def _try(self, act):
        before = self.case
        try:
            self._become(act())
        except Refusal as refusal:
            assert refusal.code in ("offer-already-closed", "offer-expired", "idempotency-key-reused")
            assert self.case == before

    @rule(n=st.integers(0, 30), key=st.sampled_from(["a", "b"]))
    def accept(self, n, key):
        """Somebody says yes, in time or too late, once or again."""
        offer = self.case.offers[n % len(self.case.offers)]
        promised = self.now + timedelta(minutes=20)
        self._try(
            lambda: answering.accept(
                self.case,
                offer.offer_id,
                key=key,
                promised_arrival_at=promised,
                modality="phone",
                now=self.now,
            )
        )

    @rule(n=st.integers(0, 30), key=st.sampled_from(["a", "b"]))
    def decline(self, n, key):
        """Somebody says no."""
        offer = self.case.offers[n % len(self.case.offers)]
        self._try(
            lambda: answering.decline(self.case, offer.offer_id, key=key, reason_code="busy", now=self.now)
        )

    @rule(n=st.integers(0, 30))
    def undelivered(self, n):
        """A notice was given up, of an offer that is open or was closed long ago."""
        offer = self.case.offers[n % len(self.case.offers)]
        self._become(renewing.unheard(self.case, offer.offer_id, self.now))

    @rule(seconds=st.sampled_from([1, 100, 299, 300, 400]))
    def wait(self, seconds):
        """Time passes and the timer looks."""
        self.now += timedelta(seconds=seconds)
        self._become(cases.expire(self.case, self.now))
        if self.case.state == cases.SEEKING and not self.case.open_offers:
            if self.case.wave < 2:
                self._become(_offered(self.case, 2, self.now))
            else:
                self._become(cases.give_up(self.case, "ladder-exhausted", "boss", {}))

    @invariant()
    def at_most_one_winner(self):
        """One accepted offer where the case is assigned, none elsewhere, and as many said."""
        accepted = [o for o in self.case.offers if o.state == cases.ACCEPTED]
        assert len(accepted) == (self.case.state == cases.ASSIGNED)
        assert len([e for e in self.said if isinstance(e, OfferAccepted)]) == len(accepted)
        assert [o.specialist_id for o in accepted] == ([self.case.assigned_specialist_id] if accepted else [])

    @invariant()
    def every_offer_is_said_once_and_nobody_is_asked_twice(self):
        """Each offer was made once, to somebody new, and a closed one has exactly one closing event."""
        made = [e.offer_id for e in self.said if isinstance(e, OfferMade)]
        assert made == [o.offer_id for o in self.case.offers]
        assert len({o.specialist_id for o in self.case.offers}) == len(self.case.offers)
        closing = [e.offer_id for e in self.said if not isinstance(e, (OfferMade, ReferralEscalated))]
        assert sorted(closing) == sorted(o.offer_id for o in self.case.offers if o.state != cases.OPEN)

    @invariant()
    def whoever_never_heard_holds_nobody_up(self):
        """An open offer of which nobody heard is over by now, so the clock's next look asks somebody else."""
        unheard = [o for o in self.case.open_offers if o.is_unheard]
        assert all(o.deadline_at <= self.now for o in unheard)
        assert not unheard or self.case.due_at(self.now) <= self.now

    @invariant()
    def nothing_is_silently_dropped(self):
        """A case that seeks, waits in the pool or waits for somebody's arrival will be looked at again."""
        assert self.case.state in (cases.SEEKING, cases.UNFILLED, cases.ASSIGNED)
        assert self.case.due_at(self.now) is not None
        if self.case.state != cases.SEEKING:
            assert not self.case.open_offers


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)


def test_a_ladder_that_cannot_be_climbed_is_refused():
    """Sizes and times of a ladder are equally many, at least one, and positive."""
    from services.matching.domain.policy import ladder

    for sizes, seconds in (([], []), ([3], [300, 300]), ([0], [300]), ([3], [0])):
        with pytest.raises(ValueError, match=r"ladder|wave"):
            ladder(sizes, seconds)
    assert [(w.number, w.size, w.is_wide) for w in ladder([3, 5, 9], [1, 2, 3])] == [
        (1, 3, False),
        (2, 5, True),
        (3, 9, True),
    ]


def test_a_refused_answer_says_what_became_of_the_offer_and_what_to_do():
    """The winner hears that the referral is theirs, the others that somebody was first, each by the same code."""
    case, _ = _offered(Case(a_need(), NOW), 1, NOW)
    first, second, third = (offer.offer_id for offer in case.offers)
    said = {"promised_arrival_at": NOW + timedelta(minutes=20), "now": NOW}
    case, _ = answering.decline(case, third, key="no", reason_code="busy", now=NOW)
    with pytest.raises(Refusal, match="modality-not-offered") as wrong:
        answering.accept(case, first, key="k", modality="smoke", **said)
    assert "phone" in wrong.value.message
    case, _ = answering.accept(case, first, key="k", modality="phone", **said)
    told = (
        (first, "the referral is yours"),
        (second, "Somebody else said yes first"),
        (third, "You declined"),
    )
    for offer_id, words in told:
        with pytest.raises(Refusal, match="offer-already-closed") as refused:
            answering.accept(case, offer_id, key="other", modality="phone", **said)
        assert words in refused.value.message
    with pytest.raises(Refusal, match="offer-unknown") as unknown:
        case.offer("off_nothing")
    assert "list your offers" in unknown.value.message
