"""The days themselves: one queue of moments, and the production rules at each of them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from chassis.errors import Kind, Refusal
from services.matching import waves
from services.matching.domain import answering, arriving, closing, followup, moving, renewing
from services.matching.domain import case as cases
from services.matching.domain.case import Case, Changed, Handoff, Offer
from services.matching.domain.moving import carried_by
from services.matching.domain.need import Need
from services.matching.domain.policy import ladder
from services.matching.handlers import offering
from services.matching.simulation.checking import Checker
from services.matching.simulation.faulting import KEPT_FREE, LEAD_STEPS_IN, LEASE, Faults
from services.matching.simulation.people import Answer, Coming, People
from services.matching.simulation.stories import Story, Wanted
from services.matching.simulation.world import World, as_room

START = datetime(2026, 11, 2, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_NONE = timedelta(0)


@dataclass(order=True)
class _Moment:
    at: datetime
    number: int
    act: Callable[[], None] = field(compare=False)


class Simulation:
    """One run; `stories` by referral id, what went wrong in `faults`, what never may in `checker.broken`."""

    def __init__(self, wanted: Wanted, rows: list[dict[str, str]]) -> None:
        pairs = [wave.split(":") for wave in wanted.waves.split(",")]
        immediate = ladder([int(size) for size, _ in pairs], [int(seconds) for _, seconds in pairs])
        self.wanted = wanted
        self.world = World(rows, START, immediate)
        self.people = People(wanted.seed)
        self.stories: dict[str, Story] = {}
        self.faults = Faults(wanted.seed, is_on=wanted.faults)
        self.gone: set[str] = set()  # out of reach for good
        self.loads: list[tuple[datetime, list[float]]] = []
        self._room = as_room(self.world)
        self.checker = Checker(self.world, self._room)
        self._queue: list[_Moment] = []
        self._numbers = itertools.count()
        self._seeking: set[str] = set()

    def run(self) -> None:
        """Everybody comes, is offered, answered, met and followed until the last day ends."""
        wanted, end = self.wanted, START + timedelta(days=self.wanted.days)
        for coming in self.people.referrals(wanted.hospitals, wanted.days, wanted.per_day, START):
            for at in self.faults.hearings(coming.at):
                self._at(at, partial(self._come, coming))
        for day in range(wanted.days):
            self._at(START + timedelta(days=day, hours=12), self._weigh)
        while self._queue and self._queue[0].at <= end:
            moment = heapq.heappop(self._queue)
            self.world.clock.turn(moment.at - self.world.clock.now())
            moment.act()
        self.checker.at_the_end((story.case for story in self.stories.values()), end)

    def _at(self, at: datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, _Moment(max(at, self.world.clock.now()), next(self._numbers), act))

    def _come(self, coming: Coming) -> None:
        key, now = coming.need.referral_id, self.world.clock.now()
        if key in self.stories:
            return  # heard before, or stopped before it was heard of: no offer ever follows (P7)
        self.stories[key] = Story(coming, Case(coming.need, now))
        if self.faults.strikes("stop heard before its referral"):
            self._become(key, closing.tombstone(coming.need, "cancelled", now))
            self._at(now + _MINUTE, partial(self._come, coming))
            return
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

    def _change(self, key: str, decide: Callable[[Case], Changed], skew: timedelta = _NONE) -> None:
        try:
            self._become(key, decide(self.stories[key].case), skew)
        except Refusal:
            return  # too late, or full by now: an answer like any other

    def _become(self, key: str, changed: Changed, skew: timedelta = _NONE) -> None:
        """The new state, and everything that follows from it: loads, open offers, what is due, who answers when."""
        story, (after, _) = self.stories[key], changed
        before, now = story.case, self.world.clock.now()
        let_go, taken_by = carried_by(before), carried_by(after)
        weight = self.world.policy.load_milli[after.need.urgency]
        if let_go != taken_by and taken_by and not self._can_take(taken_by, weight):
            raise Refusal("at-capacity", Kind.CONFLICT)
        self.checker.change(before, after)
        was_open = {offer.offer_id for offer in before.open_offers}
        fresh = [offer for offer in after.open_offers if offer.offer_id not in was_open]
        is_open = {offer.offer_id for offer in after.open_offers}
        if self.faults.strikes("index falls behind"):
            self.world.fall_behind()
            self._at(now + self.faults.within(_MINUTE, 15 * _MINUTE), self.world.catch_up)
        self.world.asked((o.specialist_id for o in before.open_offers if o.offer_id not in is_open), -1)
        self.world.asked((offer.specialist_id for offer in fresh), 1)
        story.case = after
        story.was_unfilled |= after.state == cases.UNFILLED
        (self._seeking.add if after.state == cases.SEEKING else self._seeking.discard)(key)
        for offer in after.open_offers if after.need != before.need else fresh:
            self.checker.offer(after, offer, skew)
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
        self.checker.yes(self.stories[key].case)
        self._accepted(key)
        if standing.load_milli + weight > standing.capacity_milli:
            self._narrow(taken_by)

    def _narrow(self, specialist_id: str) -> None:
        """Somebody is full: their other open offers go to others, as the workers do within a second."""
        entries, now = self.world.entries([specialist_id]), self.world.clock.now()
        for key in sorted(self._seeking):
            if specialist_id in {offer.specialist_id for offer in self.stories[key].case.open_offers}:
                self._change(key, lambda case: waves.follow(self._room, case, entries, now))

    def _look(self, key: str, number: int) -> None:
        """A worker does what is due; where it is killed, another one begins again when its claim has run out."""
        story = self.stories[key]
        if number != story.looked_at:  # something happened since, and it is due at another time
            return
        again = self.world.clock.now() + LEASE
        if self.faults.strikes("worker killed before its write"):
            self._at(again, partial(self._look, key, number))
            return
        if self.faults.strikes("worker killed after its write"):
            self._at(again, lambda: self._look(key, story.looked_at))
        skew = self.faults.skew()
        now = self.world.clock.now() + skew
        if story.case.state == cases.FOLLOWED:
            self._change(key, lambda case: self._follow_up(key, case, now))
        elif story.case.state == cases.ASSIGNED:
            self._change(key, lambda case: self._overdue(key, case, now))
        elif story.case.state in (cases.SEEKING, cases.UNFILLED):
            self._change(key, lambda case: waves.advance(self._room, case, now), skew)

    def _ask(self, key: str, offer: Offer) -> None:
        answer = self.people.answers(self.stories[key].case.need.urgency, offer.ways)
        now = self.world.clock.now()
        if self.faults.strikes("notice given up"):
            at = now + self.faults.within(_MINUTE / 3, 5 * _MINUTE)
            self._at(at, partial(self._change, key, lambda case: renewing.unheard(case, offer.offer_id, at)))
            return  # whoever never heard of it does not answer
        if answer.says == "silent" or offer.specialist_id in self.gone:
            return
        for after, own_key in self.faults.answered_after(answer.after):
            said = partial(self._said, offer, answer, own_key, answer.minutes * _MINUTE + now + answer.after)
            self._at(now + after, partial(self._change, key, said))

    def _said(self, offer: Offer, answer: Answer, own_key: str, promised: datetime, case: Case) -> Changed:
        now = self.world.clock.now()
        if answer.says == "declined":
            return answering.decline(case, offer.offer_id, key=own_key, reason_code="busy", now=now)
        leaves = case.need.expected_departure_at
        is_visit = "bedside" in offer.ways and (leaves is None or promised <= leaves)
        modality = "bedside" if is_visit else min(offer.ways - {"bedside"}, default="bedside")
        offering.still_fits(self._room, case, offer.offer_id)
        return answering.accept(
            case,
            offer.offer_id,
            key=own_key,
            promised_arrival_at=promised,
            modality=modality,
            now=now,
        )

    def _accepted(self, key: str) -> None:
        story, now = self.stories[key], self.world.clock.now()
        offer = story.case.accepted_offer
        story.first_accepted_at = story.first_accepted_at or now
        story.promised_at = offer.promised_arrival_at
        if self.faults.strikes("specialist never heard of again"):
            self.gone.add(offer.specialist_id)
        if offer.promised_arrival_at is not None:
            met = partial(self._meet, key, offer.offer_id)
            self._at(offer.promised_arrival_at, partial(self._change, key, met))

    def _meet(self, key: str, offer_id: str, case: Case) -> Changed:
        story, now = self.stories[key], self.world.clock.now()
        if case.state != cases.ASSIGNED or case.accepted_offer.offer_id != offer_id:
            return case, []  # the assignment ended before they came
        if case.assigned_specialist_id in self.gone:
            return case, []
        is_gone = case.accepted_offer.modality == "bedside" and now > story.coming.leaves_at
        story.handoff = "left-before-seen" if is_gone else self.people.handoff()
        handoff = Handoff(story.handoff, case.accepted_offer.modality, now, "h")
        ends = now + timedelta(days=self.people.days_together())
        self._at(ends, partial(self._change, key, self._complete))
        return followup.record_handoff(case, handoff, self.world.policy.follow_up, now)

    def _overdue(self, key: str, case: Case, now: datetime) -> Changed:
        after, events = arriving.overdue(case, "supervisor", now)
        if events:
            self._at(self.world.clock.now() + LEAD_STEPS_IN, partial(self._lead_steps_in, key))
        return after, events

    def _lead_steps_in(self, key: str) -> None:
        """Who leads asks for somebody else, for this person and whoever else that specialist carries."""
        missing = self.stories[key].case.assigned_specialist_id
        if missing not in self.gone:
            return
        self.world.rest(missing, self.world.clock.now() + KEPT_FREE)
        for other, story in self.stories.items():
            if story.case.assigned_specialist_id == missing and carried_by(story.case) == missing:
                self._change(other, self._rematched)

    def _rematched(self, case: Case) -> Changed:
        now, key = self.world.clock.now(), f"r-{len(case.offers)}"
        asked, events = moving.request_rematch(case, "specialist", "prefer-not-to-say", key=key, now=now)
        after, more = waves.advance(self._room, asked, now)
        return after, [*events, *more]

    def _complete(self, case: Case) -> Changed:
        if case.assigned_specialist_id in self.gone:
            return case, []
        return followup.complete(case, "engaged", self.world.clock.now())

    def _follow_up(self, key: str, case: Case, now: datetime) -> Changed:
        story = self.stories[key]
        before = {one.number: one.state for one in case.checkins}
        case, expired = cases.expire(case, now)
        case, events = followup.advance(case, self.world.policy.follow_up, "supervisor", now)
        for one in case.checkins:
            if one.state == followup.MISSED and before[one.number] != followup.MISSED:
                story.missed += 1
            if one.state == followup.DUE and before[one.number] != followup.DUE:
                outcome = "" if case.assigned_specialist_id in self.gone else self.people.reaches()
                if outcome:
                    story.reached += outcome == "reached"
                    case, said = followup.record_checkin(
                        case, one.number, outcome, key=f"c{one.number}", at=now, now=now
                    )
                    events = [*events, *said]
        return case, [*expired, *events]

    def _weigh(self) -> None:
        shares = [
            standing.load_milli / standing.capacity_milli
            for _, standing in self.world.people.values()
            if standing.capacity_milli
        ]
        self.loads.append((self.world.clock.now(), sorted(shares)))
