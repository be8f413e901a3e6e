"""What must hold whatever happens, asked at each change of a simulation apart from the code that made the change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from services.matching import candidates
from services.matching.domain import case as cases
from services.matching.domain.case import Case, Offer
from services.matching.domain.rules import (
    CAPACITY,
    CERTIFICATION,
    LANGUAGE,
    PREFERENCE,
    REST,
    SAFETY,
    SHIFT,
    excluded_by,
    question,
)
from services.matching.simulation.world import World

# What a late yes never breaks; the rest is for people to judge, who have the offer in their hands.
_AT_A_YES = (SAFETY, PREFERENCE, LANGUAGE, CERTIFICATION)
_BY_THE_CLOCK = (CERTIFICATION, SHIFT, REST)
# A killed worker's lease and a clock that was slow are over by then.
_FORGOTTEN = timedelta(minutes=10)


class Checker:
    """`broken` has whatever should not have happened, `checked` counts what was asked, `by_a_wrong_clock` offers."""

    def __init__(self, world: World, room: Any) -> None:
        self._world = world
        self._room = room
        self.broken: list[str] = []
        self.checked: Counter[str] = Counter()
        self.by_a_wrong_clock = 0

    def offer(self, case: Case, offer: Offer, skew: timedelta = timedelta(0)) -> None:
        """By the plain rules and the facts of the moment, as the worker's clock has it, which is `skew` ahead."""
        rule = self._rule(case, offer, self._world.clock.now() + skew)
        if rule not in (None, CAPACITY):  # capacity is asked when they say yes
            self.broken.append(f"{case.referral_id}: {rule}")
        if skew and self._rule(case, offer, self._world.clock.now()) in _BY_THE_CLOCK:
            self.by_a_wrong_clock += 1
        self.checked["offers"] += 1

    def yes(self, case: Case) -> None:
        """Whoever has the referral now may have it, and carries no more than they can."""
        offer = case.accepted_offer
        rule = self._rule(case, offer, self._world.clock.now())
        if rule in _AT_A_YES:
            self.broken.append(f"{case.referral_id}: a yes against {rule}")
        standing = self._world.people[offer.specialist_id][1]
        if standing.load_milli > standing.capacity_milli:
            self.broken.append(f"{offer.specialist_id} carries more than they can")
        self.checked["acceptances"] += 1

    def change(self, before: Case, after: Case) -> None:
        """One winner at most, nobody asked twice, nothing open where all has ended (P3, P7)."""
        accepted = [offer.specialist_id for offer in after.offers if offer.state == cases.ACCEPTED]
        is_carried = after.state in (cases.ASSIGNED, cases.FOLLOWED)
        if accepted != ([after.assigned_specialist_id] if is_carried else []):
            self.broken.append(f"{after.referral_id}: {after.state}, and {len(accepted)} have it")
        if after.state == cases.CLOSED and after.open_offers:
            self.broken.append(f"{after.referral_id}: closed, and somebody is asked")
        if before.state == cases.CLOSED != after.state:
            self.broken.append(f"{after.referral_id}: goes on after its end")
        if cases.ASSIGNED == before.state == after.state and accepted != [before.assigned_specialist_id]:
            self.broken.append(f"{after.referral_id}: taken from who had it")
        known = {offer.offer_id for offer in before.offers}
        asked = {one.specialist_id for one in before.offers if one.reason_code not in cases.ASK_AGAIN}
        for offer in after.offers:
            if offer.offer_id not in known and offer.specialist_id in asked:
                self.broken.append(f"{after.referral_id}: asked again")
        self.checked["changes"] += 1

    def at_the_end(self, found: Iterable[Case], now: datetime) -> None:
        """Loads are what the cases weigh, and whoever is sought for is looked at in time: nothing is forgotten."""
        carried = dict.fromkeys(self._world.people, 0)
        for case in found:
            if case.state in (cases.ASSIGNED, cases.FOLLOWED):
                weight = self._world.policy.load_milli[case.need.urgency]
                carried[case.assigned_specialist_id] += weight
            due = case.due_at(now)
            if case.state == cases.SEEKING and (due is None or due < now - _FORGOTTEN):
                self.broken.append(f"{case.referral_id}: {case.state}, and nobody looks")
        for one, (_, standing) in self._world.people.items():
            if standing.load_milli != carried[one]:
                self.broken.append(f"{one}: a load of {standing.load_milli}, cases of {carried[one]}")

    def _rule(self, case: Case, offer: Offer, at: datetime) -> str | None:
        wave = self._world.ladders.current.of(case.need.source_id, case.need.urgency)[-1]
        wave, policy = candidates.rescued(self._room, case.need, wave)
        asked = question(case.need, wave, at, policy, frozenset())
        return excluded_by(asked, *self._world.people[offer.specialist_id])
