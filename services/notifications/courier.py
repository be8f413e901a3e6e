"""Carries a handful of notices: may they go, record the attempt, send, settle; crash-safe at every step."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chassis import logs, telemetry
from chassis.aggregates import StaleVersion
from chassis.clock import Clock
from chassis.failpoints import failpoint
from chassis.mongo import is_outside_trouble
from services.notifications.channels import Line, Parcel, Way
from services.notifications.domain import digests
from services.notifications.domain import reach as reaching
from services.notifications.domain.intents import Channel, rule_of
from services.notifications.domain.notices import (
    Answer,
    Attempt,
    Notice,
    Outcome,
    State,
    begin_attempt,
    cancel,
    give_up,
    postpone,
    settle_attempt,
)
from services.notifications.domain.reach import Go, Never, Reach, Wait
from services.notifications.domain.standing import Standing
from services.notifications.pacing import Pace
from services.notifications.people import Around, People
from services.notifications.wording.letters import Letter, Letters

if TYPE_CHECKING:
    from services.notifications.store import Decision, Held, Notices

_PAUSE_S = 0.5
# Whether a notice may go is asked when its attempt is recorded, and again before a send that begins later than this.
_STILL_FRESH_S = 0.05
_GOES_ON = (Outcome.REFUSED, Outcome.WITHHELD)
log = logs.get()


@dataclass(frozen=True)
class Limits:
    """How much is enough."""

    webhook_failures: int = 20
    lease_s: float = 30.0


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


class Lines:
    """One sender's lines, each opened when it is first needed."""

    def __init__(self, ways: Mapping[Channel, Way]) -> None:
        self._ways = ways
        self._open: dict[Channel, Line] = {}

    def of(self, channel: Channel) -> Line:
        """The line of a channel."""
        if channel not in self._open:
            self._open[channel] = self._ways[channel].open()
        return self._open[channel]

    def close(self) -> None:
        """Every line is closed."""
        for line in self._open.values():
            line.close()
        self._open.clear()


class Courier:
    """What each sender does with its share."""

    def __init__(
        self,
        notices: Notices,
        people: People,
        pace: Pace,
        letters: Letters,
        *,
        ways: Mapping[Channel, Way],
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._notices, self._people, self._pace = notices, people, pace
        self._letters, self.ways, self._clock, self._limits = letters, ways, clock, limits

    def deliver(self, lines: Lines, share: Sequence[Held]) -> bool:
        """Records an attempt for each, sends one after the other, settles all of them in one write.

        True where one of them is due again at once, on another channel.
        """
        packets = self._marked(self._packed(share))
        looked_at = time.monotonic()
        answers: list[Answer] = []
        troubled: set[Channel] = set()
        for packet in packets:
            if packet.attempt.channel in troubled:
                # The far side is in trouble. What was not begun is certainly not there, and says so.
                answers.append(Answer(Outcome.UNREACHABLE))
                continue
            is_fresh = time.monotonic() - looked_at < _STILL_FRESH_S
            if not (is_fresh and packet.attempt.channel is not Channel.SMS) and not self._may_still_go(
                packet
            ):
                answers.append(Answer(Outcome.WITHHELD))
                continue
            answers.append(self._sent(lines.of(packet.attempt.channel), packet))
            if answers[-1].outcome in (Outcome.UNKNOWN, Outcome.UNREACHABLE):
                troubled.add(packet.attempt.channel)
        self._settle(list(zip(packets, answers, strict=True)))
        return any(answer.outcome in _GOES_ON for answer in answers)

    def _packed(self, share: Sequence[Held]) -> list[Packet]:
        """Those of the share that may be sent now, with their next attempt; the others wait or end, and say so."""
        around = self._people.around([held.notice for held in share])
        packets = []
        for held in share:
            with suppress(StaleVersion):  # cancelled or taken over meanwhile: whoever did it decides
                packets.append(self._packet(held, around))
        return [packet for packet in packets if packet is not None]

    def _packet(self, held: Held, around: Around) -> Packet | None:
        notice, now = held.notice, self._clock.now()
        if notice.state is State.FOLDED:
            leader = self._notices.load_many([notice.folded_into]).get(notice.folded_into)
            self._notices.save(held, *digests.follow(notice, leader.notice if leader else None, now))
            return None
        verdict = around.verdict(notice, now)
        if isinstance(verdict, Never):
            self._end(held, verdict)
            return None
        reach = around.reaches[notice.notice_id]
        if isinstance(verdict, Go):
            held, wait = self._gathered(held, reach)
            verdict = wait or self._within_rate(held.notice, verdict)
        if isinstance(verdict, Wait):
            until = reaching.spread(verdict.until, now, held.notice.expires_at)
            self._notices.save(held, *postpone(held.notice, until))
            return None
        turn_at = self._pace.turn_of(held.notice, verdict.channel, now)
        if turn_at > now:
            waiting = replace(held.notice, turn_at=turn_at)
            self._notices.save(held, *postpone(waiting, turn_at))
            return None
        return self._begun(held, reach, verdict)

    def _end(self, held: Held, verdict: Never) -> None:
        if verdict.is_failure:
            self._notices.save(held, *give_up(held.notice, verdict.reason))
        else:
            self._notices.save(held, cancel(held.notice, verdict.reason), ())

    def _gathered(self, held: Held, reach: Reach) -> tuple[Held, Wait | None]:
        """A notice for the digest waits for its letter, and then leads it or goes with another's."""
        notice, now = held.notice, self._clock.now()
        at = None if notice.is_for_digest else reaching.digest_at(notice, reach, now)
        if at is not None:
            return self._notices.save(held, digests.held_until(notice, at), ()), Wait(at)
        if not notice.is_for_digest or notice.attempts:
            return held, None
        waiting = self._notices.held_for_digest(notice.recipient_id, now)
        if digests.leader_of([one.notice for one in waiting], now) not in ("", notice.notice_id):
            return held, Wait(now + timedelta(seconds=2))
        for one in digests.to_fold([row.notice for row in waiting], notice.notice_id, now):
            row = next(row for row in waiting if row.notice.notice_id == one.notice_id)
            self._notices.revise(row, lambda it: (digests.fold(it, notice.notice_id, now), []))
        failpoint("notice.after_fold_before_send")
        return held, None

    def _within_rate(self, notice: Notice, go: Go) -> Go | Wait:
        until = self._pace.full_until(notice, go.channel, self._clock.now())
        return go if until is None else Wait(until)

    def _begun(self, held: Held, reach: Reach, go: Go) -> Packet | None:
        now = self._clock.now()
        mark = self._people.mark(go.channel, go.address)
        notice, events = begin_attempt(held.notice, now, go.channel, mark)
        if notice.state is State.DEAD:
            self._notices.save(held, notice, events)
            return None
        # Whoever finds it due after this knows that we died on the way.
        notice = replace(notice, due_at=now + timedelta(seconds=self._limits.lease_s))
        letter = self._letter(held, reach)
        parcel = Parcel(notice, notice.attempts[-1], reach, letter, go.address, now)
        return Packet(held, notice, reach, go.address, self.ways[go.channel].compose(parcel))

    def _letter(self, held: Held, reach: Reach) -> Letter:
        notice = held.notice
        if notice.is_for_digest:
            waiting = self._notices.held_for_digest(notice.recipient_id, self._clock.now())
            mine = [row.notice for row in waiting if row.notice.folded_into == notice.notice_id]
            if mine:
                return self._letters.write_digest([notice, *mine], reach.contact)
        return self._letters.write(notice, reach.contact, self._notices.link_token(held))

    def _marked(self, packets: Sequence[Packet]) -> list[Packet]:
        """The packets whose attempt is in the log; one that was cancelled or taken over meanwhile is left out."""
        for _ in packets:
            failpoint("notice.before_attempt_mark")
        saved = self._notices.save_many([(packet.held, packet.notice, ()) for packet in packets])
        return [
            replace(packet, held=saved[packet.notice.notice_id])
            for packet in packets
            if packet.notice.notice_id in saved
        ]

    def _may_still_go(self, packet: Packet) -> bool:
        """False where somebody said stop while those before it were sent: one read, two for an SMS."""
        if not self._notices.is_as_held(packet.held):
            return False
        marks = {packet.attempt.address_mark: None} if packet.attempt.channel is Channel.SMS else {}
        return not marks or not self._people.addresses.closed(marks)

    def _sent(self, line: Line, packet: Packet) -> Answer:
        ids = {"notice_id": packet.notice.notice_id}
        with telemetry.continue_trace(packet.held.cause.traceparent), telemetry.span("notice.send", **ids):
            failpoint("notice.after_attempt_mark_before_send")
            answer = line.send(packet.address, packet.message)
            failpoint("notice.after_send_before_settle")
            told = {"channel": packet.attempt.channel.value, "outcome": answer.outcome.value}
            log.info("notice.attempt", attempt=packet.attempt.number, **told, **ids)
        return answer

    def _settle(self, answered: Sequence[tuple[Packet, Answer]]) -> None:
        """The answers are stored. They are known only here, so a database that is away is waited for, up to a lease."""
        until = time.monotonic() + self._limits.lease_s
        while True:
            try:
                decided = [
                    self._decided(packet, self._learned(packet, answer)) for packet, answer in answered
                ]
                saved = self._notices.save_many([(held, *decide(held.notice)) for held, decide in decided])
                for held, decide in decided:
                    if held.notice.notice_id not in saved:
                        self._notices.revise(held, decide)
                return
            except Exception as exc:
                if not is_outside_trouble(exc) or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)

    def _learned(self, packet: Packet, answer: Answer) -> Answer:
        """What the answer taught about the address is kept before the notice moves on."""
        mark, now = packet.attempt.address_mark, self._clock.now()
        if answer.standing is not None:
            self._people.addresses.learn(mark, answer.standing, now)
            return answer
        if packet.attempt.channel is not Channel.WEBHOOK or answer.outcome is Outcome.WITHHELD:
            return answer
        if answer.outcome is Outcome.ACCEPTED:
            self._people.addresses.count_success(mark)
        elif self._people.addresses.count_failure(mark, now, self._limits.webhook_failures):
            return replace(answer, outcome=Outcome.REFUSED, standing=Standing.DISABLED)
        return answer

    def _decided(self, packet: Packet, answer: Answer) -> tuple[Held, Decision]:
        number, jitter, now = packet.attempt.number, random.random(), self._clock.now()
        is_last = self._is_last_way(packet, answer)
        has_tried_all = reaching.has_tried_all(rule_of(packet.notice.intent), packet.reach, packet.notice)
        return packet.held, lambda notice: settle_attempt(
            notice, number, answer, now, jitter, is_last_way=is_last, has_tried_all=has_tried_all
        )

    def _is_last_way(self, packet: Packet, answer: Answer) -> bool:
        attempts = (*packet.notice.attempts[:-1], replace(packet.attempt, outcome=answer.outcome))
        refused = replace(packet.notice, attempts=attempts)
        return reaching.next_channel(rule_of(refused.intent), packet.reach, refused) is None
