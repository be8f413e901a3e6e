"""The days themselves: one queue of moments, and the production rules at each of them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from chassis.errors import Kind, Refusal
from services.matching import candidates, waves
from services.matching.domain import answering, closing, followup
from services.matching.domain import case as cases
from services.matching.domain.case import Case, Changed, Handoff, Offer
from services.matching.domain.moving import carried_by
from services.matching.domain.need import Need
from services.matching.domain.policy import ladder
from services.matching.domain.rules import CAPACITY, excluded_by, question
from services.matching.simulation.people import Coming, People
from services.matching.simulation.world import World, as_room

START = datetime(2026, 11, 2, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Wanted:
    """How large, how long, which seed; `waves` is the immediate ladder as size:seconds,size:seconds."""

    hospitals: int = 5
    specialists: int = 150
    days: int = 14
    seed: int = 7
    per_day: float = 6.0
    waves: str = "3:300,5:300"
    plots: str = ""


@dataclass
class Story:
    """What became of one referral."""

    coming: Coming
    case: Case
    first_accepted_at: datetime | None = None
    promised_at: datetime | None = None
    was_unfilled: bool = False
    handoff: str = ""
    reached: int = 0
    missed: int = 0
    looked_at: int = 0


@dataclass(order=True)
class _Moment:
    at: datetime
    number: int
    act: Callable[[], None] = field(compare=False)


class Simulation:
    """One run; `stories` by referral id, `broken` whatever a hard rule should have kept from happening."""

    def __init__(self, wanted: Wanted, rows: list[dict[str, str]]) -> None:
        pairs = [wave.split(":") for wave in wanted.waves.split(",")]
        immediate = ladder([int(size) for size, _ in pairs], [int(seconds) for _, seconds in pairs])
        self.wanted = wanted
        self.world = World(rows, START, immediate)
        self.people = People(wanted.seed)
        self.stories: dict[str, Story] = {}
        self.broken: list[str] = []
        self.loads: list[tuple[datetime, list[float]]] = []
        self._room = as_room(self.world)
        self._queue: list[_Moment] = []
        self._numbers = itertools.count()
        self._seeking: set[str] = set()

    def run(self) -> None:
        """Everybody comes, is offered, answered, met and followed until the last day ends."""
        wanted, end = self.wanted, START + timedelta(days=self.wanted.days)
        for coming in self.people.referrals(wanted.hospitals, wanted.days, wanted.per_day, START):
            self._at(coming.at, partial(self._come, coming))
        for day in range(wanted.days):
            self._at(START + timedelta(days=day, hours=12), self._weigh)
        while self._queue and self._queue[0].at <= end:
            moment = heapq.heappop(self._queue)
            self.world.clock.turn(moment.at - self.world.clock.now())
            moment.act()

    def _at(self, at: datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, _Moment(max(at, self.world.clock.now()), next(self._numbers), act))

    def _come(self, coming: Coming) -> None:
        key, now = coming.need.referral_id, self.world.clock.now()
        self.stories[key] = Story(coming, Case(coming.need, now))
        self._become(key, waves.first(self._room, [coming.need], now)[key])
        if (told := self.people.told_later(coming)) is not None:
            self._at(now + 3 * _MINUTE, partial(self._change, key, partial(self._revised, told)))
        if self.people.is_stopped():
            self._at(now + 7 * _MINUTE, lambda: self._change(key, self._stopped))

    def _stopped(self, case: Case) -> Changed:
        is_sought = case.state in (cases.SEEKING, cases.UNFILLED)
        return closing.stop(case, "cancelled", self.world.clock.now()) if is_sought else (case, [])

    def _revised(self, told: Need, case: Case) -> Changed:
        return waves.revise(self._room, case, told, case.revision + 1, self.world.clock.now())

    def _change(self, key: str, decide: Callable[[Case], Changed]) -> None:
        try:
            self._become(key, decide(self.stories[key].case))
        except Refusal:
            return  # too late, or full by now: an answer like any other

    def _become(self, key: str, changed: Changed) -> None:
        """The new state, and everything that follows from it: loads, open offers, what is due, who answers when."""
        story, (after, _) = self.stories[key], changed
        before, now = story.case, self.world.clock.now()
        let_go, taken_by = carried_by(before), carried_by(after)
        weight = self.world.policy.load_milli[after.need.urgency]
        if let_go != taken_by and taken_by and not self._can_take(taken_by, weight):
            raise Refusal("at-capacity", Kind.CONFLICT)
        was_open = {offer.offer_id for offer in before.open_offers}
        fresh = [offer for offer in after.open_offers if offer.offer_id not in was_open]
        is_open = {offer.offer_id for offer in after.open_offers}
        self.world.asked((o.specialist_id for o in before.open_offers if o.offer_id not in is_open), -1)
        self.world.asked((offer.specialist_id for offer in fresh), 1)
        story.case = after
        story.was_unfilled |= after.state == cases.UNFILLED
        (self._seeking.add if after.state == cases.SEEKING else self._seeking.discard)(key)
        for offer in after.open_offers if after.need != before.need else fresh:
            self._check(after, offer)
        for offer in fresh:
            self._ask(key, offer)
        if let_go != taken_by:
            self._hand_over(key, let_go, taken_by, weight)
        due = after.due_at(now)
        if due is not None:
            story.looked_at += 1
            self._at(due, partial(self._look, key, story.looked_at))

    def _can_take(self, specialist_id: str, weight: int) -> bool:
        standing = self.world.people[specialist_id][1]
        return standing.load_milli + weight <= standing.capacity_milli

    def _hand_over(self, key: str, let_go: str, taken_by: str, weight: int) -> None:
        if let_go:
            self.world.carry(let_go, -weight)
        if not taken_by:
            return
        standing = self.world.carry(taken_by, weight)
        self._accepted(key)
        if standing.load_milli > standing.capacity_milli:
            self.broken.append(f"{taken_by} carries more than they can")
        if standing.load_milli + weight > standing.capacity_milli:
            self._narrow(taken_by)

    def _narrow(self, specialist_id: str) -> None:
        """Somebody is full: their other open offers go to others, as the workers do within a second."""
        entries, now = self.world.entries([specialist_id]), self.world.clock.now()
        for key in sorted(self._seeking):
            if specialist_id in {offer.specialist_id for offer in self.stories[key].case.open_offers}:
                self._change(key, lambda case: waves.follow(self._room, case, entries, now))

    def _look(self, key: str, number: int) -> None:
        story, now = self.stories[key], self.world.clock.now()
        if number != story.looked_at:  # something happened since, and it is due at another time
            return
        if story.case.state == cases.FOLLOWED:
            self._change(key, lambda case: self._follow_up(key, case))
        elif story.case.state in (cases.SEEKING, cases.UNFILLED):
            self._change(key, lambda case: waves.advance(self._room, case, now))

    def _ask(self, key: str, offer: Offer) -> None:
        answer = self.people.answers(self.stories[key].case.need.urgency, offer.ways)
        if answer.says == "silent":
            return

        def say(case: Case) -> Changed:
            now = self.world.clock.now()
            if answer.says == "declined":
                after, events = answering.decline(case, offer.offer_id, key="k", reason_code="busy", now=now)
                return after, events
            promised = now + answer.minutes * _MINUTE
            leaves = case.need.expected_departure_at
            is_visit = "bedside" in offer.ways and (leaves is None or promised <= leaves)
            modality = "bedside" if is_visit else min(offer.ways - {"bedside"}, default="bedside")
            return answering.accept(
                case, offer.offer_id, key="k", promised_arrival_at=promised, modality=modality, now=now
            )

        self._at(offer.made_at + answer.after, partial(self._change, key, say))

    def _accepted(self, key: str) -> None:
        story, now = self.stories[key], self.world.clock.now()
        offer = story.case.accepted_offer
        story.first_accepted_at = story.first_accepted_at or now
        story.promised_at = offer.promised_arrival_at
        if offer.promised_arrival_at is not None:
            self._at(offer.promised_arrival_at, partial(self._change, key, partial(self._meet, key)))

    def _meet(self, key: str, case: Case) -> Changed:
        story, now = self.stories[key], self.world.clock.now()
        if case.state != cases.ASSIGNED:  # the assignment ended before they came
            return case, []
        is_gone = case.accepted_offer.modality == "bedside" and now > story.coming.leaves_at
        story.handoff = "left-before-seen" if is_gone else self.people.handoff()
        handoff = Handoff(story.handoff, case.accepted_offer.modality, now, "h")
        ends = now + timedelta(days=self.people.days_together())
        self._at(ends, partial(self._change, key, self._complete))
        return followup.record_handoff(case, handoff, self.world.policy.follow_up, now)

    def _complete(self, case: Case) -> Changed:
        return followup.complete(case, "engaged", self.world.clock.now())

    def _follow_up(self, key: str, case: Case) -> Changed:
        story, now = self.stories[key], self.world.clock.now()
        before = {one.number: one.state for one in case.checkins}
        case, events = followup.advance(case, self.world.policy.follow_up, "supervisor", now)
        for one in case.checkins:
            if one.state == followup.MISSED and before[one.number] != followup.MISSED:
                story.missed += 1
            if one.state == followup.DUE and before[one.number] != followup.DUE:
                outcome = self.people.reaches()
                if outcome:
                    story.reached += outcome == "reached"
                    case, said = followup.record_checkin(
                        case, one.number, outcome, key=f"c{one.number}", at=now, now=now
                    )
                    events = [*events, *said]
        return case, events

    def _check(self, case: Case, offer: Offer) -> None:
        """By the plain rules and the facts of this moment, apart from what the wave was made with."""
        wave = self.world.ladders.current.of(case.need.source_id, case.need.urgency)[-1]
        wave, policy = candidates.rescued(self._room, case.need, wave)
        asked = question(case.need, wave, self.world.clock.now(), policy, frozenset())
        rule = excluded_by(asked, *self.world.people[offer.specialist_id])
        if rule not in (None, CAPACITY):  # capacity is asked when they say yes
            self.broken.append(f"{case.referral_id}: {rule}")

    def _weigh(self) -> None:
        shares = [
            standing.load_milli / standing.capacity_milli
            for _, standing in self.world.people.values()
            if standing.capacity_milli
        ]
        self.loads.append((self.world.clock.now(), sorted(shares)))
