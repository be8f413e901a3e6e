"""What of a share of due notices may go now: its way, its next attempt and its message; the rest waits or ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chassis.aggregates import StaleVersion
from chassis.clock import Clock
from chassis.failpoints import failpoint
from services.notifications.channels import Parcel, Way
from services.notifications.domain import digests
from services.notifications.domain import reach as reaching
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import (
    Attempt,
    Notice,
    State,
    begin_attempt,
    cancel,
    give_up,
    postpone,
)
from services.notifications.domain.reach import Go, Never, Reach, Wait
from services.notifications.pacing import Pace
from services.notifications.people import Around, People
from services.notifications.wording.letters import Letter, Letters

if TYPE_CHECKING:
    from services.notifications.store import Held, Notices


@dataclass(frozen=True)
class Packet:
    """A notice with its next attempt, ready to be sent."""

    held: Held
    notice: Notice
    reach: Reach = field(repr=False)
    address: str = field(repr=False)
    message: Any = field(repr=False)

    @property
    def attempt(self) -> Attempt:
        """The attempt about to be made."""
        return self.notice.attempts[-1]


@dataclass(frozen=True)
class Packing:
    """Asks what is known at this moment, and makes packets of what may go."""

    notices: Notices
    people: People
    pace: Pace
    letters: Letters
    ways: Mapping[Channel, Way]
    clock: Clock
    # Whoever finds an attempt open after so long knows that we died on the way.
    lease_s: float

    def packets(self, share: Sequence[Held]) -> list[Packet]:
        """Those of the share that may be sent now, with their next attempt; the others wait or end, and say so."""
        around = self.people.around([held.notice for held in share])
        found = []
        for held in share:
            with suppress(StaleVersion):  # cancelled or taken over meanwhile: whoever did it decides
                found.append(self._packet(held, around))
        return [packet for packet in found if packet is not None]

    def _packet(self, held: Held, around: Around) -> Packet | None:
        notice, now = held.notice, self.clock.now()
        if notice.state is State.FOLDED:
            leader = self.notices.load_many([notice.folded_into]).get(notice.folded_into)
            self.notices.save(held, *digests.follow(notice, leader.notice if leader else None, now))
            return None
        verdict = around.verdict(notice, now)
        if isinstance(verdict, Never):
            self._end(held, verdict)
            return None
        reach = around.reaches[notice.notice_id]
        if isinstance(verdict, Go):
            held, wait = self._gathered(held, reach, now)
            verdict = wait or self._within_rate(held.notice, verdict, now)
        if isinstance(verdict, Wait):
            until = reaching.spread(verdict.until, now, held.notice.expires_at)
            self.notices.save(held, *postpone(held.notice, until))
            return None
        turn_at = self.pace.turn_of(held.notice, verdict.channel, now)
        if turn_at > now:
            waiting = replace(held.notice, turn_at=turn_at)
            self.notices.save(held, *postpone(waiting, turn_at))
            return None
        return self._begun(held, reach, verdict, now)

    def _end(self, held: Held, verdict: Never) -> None:
        if verdict.is_failure:
            self.notices.save(held, *give_up(held.notice, verdict.reason))
        else:
            self.notices.save(held, cancel(held.notice, verdict.reason), ())

    def _gathered(self, held: Held, reach: Reach, now: datetime) -> tuple[Held, Wait | None]:
        """A notice for the digest waits for its letter, and then leads it or goes with another's."""
        notice = held.notice
        at = None if notice.is_for_digest else reaching.digest_at(notice, reach, now)
        if at is not None:
            return self.notices.save(held, digests.held_until(notice, at), ()), Wait(at)
        if not notice.is_for_digest or notice.attempts:
            return held, None
        waiting = self.notices.held_for_digest(notice.recipient_id, now)
        if digests.leader_of([one.notice for one in waiting], now) not in ("", notice.notice_id):
            return held, Wait(now + timedelta(seconds=2))
        for one in digests.to_fold([row.notice for row in waiting], notice.notice_id, now):
            row = next(row for row in waiting if row.notice.notice_id == one.notice_id)
            self.notices.revise(row, lambda it: (digests.fold(it, notice.notice_id, now), []))
        failpoint("notice.after_fold_before_send")
        return held, None

    def _within_rate(self, notice: Notice, go: Go, now: datetime) -> Go | Wait:
        until = self.pace.full_until(notice, go.channel, now)
        return go if until is None else Wait(until)

    def _begun(self, held: Held, reach: Reach, go: Go, now: datetime) -> Packet | None:
        mark = reach.marks.get(go.channel) or self.people.mark(go.channel, go.address)
        lease_over = now + timedelta(seconds=self.lease_s)
        notice, events = begin_attempt(held.notice, now, go.channel, mark, lease_over=lease_over)
        if notice.state is State.DEAD:
            self.notices.save(held, notice, events)
            return None
        letter = self._letter(held, reach, now)
        parcel = Parcel(notice, notice.attempts[-1], reach, letter, go.address, now)
        return Packet(held, notice, reach, go.address, self.ways[go.channel].compose(parcel))

    def _letter(self, held: Held, reach: Reach, now: datetime) -> Letter:
        notice = held.notice
        if notice.is_for_digest:
            waiting = self.notices.held_for_digest(notice.recipient_id, now)
            mine = [row.notice for row in waiting if row.notice.folded_into == notice.notice_id]
            if mine:
                return self.letters.write_digest([notice, *mine], reach.contact)
        return self.letters.write(notice, reach.contact, self.notices.link_token(held))
