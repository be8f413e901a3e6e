"""Carries what may go: record the attempts, send one after the other, settle; crash-safe at every step."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from chassis import logs, telemetry
from chassis.clock import Clock
from chassis.failpoints import failpoint
from chassis.mongo import is_outside_trouble
from services.notifications.channels import Line, Way
from services.notifications.domain import reach as reaching
from services.notifications.domain.intents import Channel, rule_of
from services.notifications.domain.notices import Answer, Notice, Outcome, settle_attempt, take_back
from services.notifications.domain.standing import Standing
from services.notifications.packing import Packet, Packing
from services.notifications.people import People

if TYPE_CHECKING:
    from services.notifications.store import Decision, Held, Notices

_PAUSE_S = 0.5
# Whether a notice may go is asked when its attempt is recorded, and again before a send that begins later than this:
# so long at most a STOP, or "do not contact", needs to be heeded by what is on its way.
_STILL_FRESH_S = 0.02
# A send that would begin later than this after its attempt was recorded is taken back: whoever is killed leaves few
# attempts that may have been made and were not.
_LONGEST_HAND_S = 1.0
_GOES_ON = (Outcome.REFUSED, Outcome.WITHHELD)
log = logs.get()


@dataclass(frozen=True)
class Limits:
    """How much is enough."""

    webhook_failures: int = 20
    lease_s: float = 30.0


@contextmanager
def _traced(packet: Packet) -> Iterator[None]:
    """A span of the notice's own trace, where spans are kept at all."""
    if not telemetry.is_kept():
        yield
        return
    parent = telemetry.continue_trace(packet.held.cause.traceparent)
    with parent, telemetry.span("notice.send", notice_id=packet.notice.notice_id):
        yield


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


@dataclass
class Carried:
    """How a share went, told while it goes."""

    # One of them is due again at once.
    goes_on: bool = False
    # What the far side took for the quickest of them: the others may have waited for this machine.
    quickest_s: float = inf


@dataclass(frozen=True)
class Courier:
    """What each sender does with its share."""

    notices: Notices
    people: People
    packing: Packing
    ways: Mapping[Channel, Way]
    clock: Clock
    limits: Limits

    def deliver(self, lines: Lines, share: Sequence[Held]) -> Carried:
        """Each that may go now is sent, a handful of one channel at a time."""
        carried = Carried()
        for channel, hand in self._hands(self.packing.packets(share)):
            self._carry(lines.of(channel), hand, carried)
        return carried

    def _hands(self, packets: Sequence[Packet]) -> Iterator[tuple[Channel, Sequence[Packet]]]:
        by_channel: dict[Channel, list[Packet]] = {}
        for packet in packets:
            by_channel.setdefault(packet.attempt.channel, []).append(packet)
        for channel, mine in by_channel.items():
            most = self.ways[channel].most_in_hand
            for start in range(0, len(mine), most):
                yield channel, mine[start : start + most]

    def _carry(self, line: Line, hand: Sequence[Packet], carried: Carried) -> None:
        """Records an attempt for each in one write, sends one after the other, settles all of them in one write."""
        packets = self._marked(hand)
        answers = list(self._answers(line, packets, carried))
        self._settle(list(zip(packets, answers, strict=True)))
        accepted = sum(answer is not None and answer.outcome is Outcome.ACCEPTED for answer in answers)
        log.info(
            "notice.hand", channel=hand[0].attempt.channel.value, count=len(hand), accepted_count=accepted
        )
        carried.goes_on |= any(answer is None or answer.outcome in _GOES_ON for answer in answers)

    def _marked(self, packets: Sequence[Packet]) -> list[Packet]:
        """The packets whose attempt is in the log; one that was cancelled or taken over meanwhile is left out."""
        for _ in packets:
            failpoint("notice.before_attempt_mark")
        saved = self.notices.save_many([(packet.held, packet.notice, ()) for packet in packets])
        return [
            replace(packet, held=saved[packet.notice.notice_id])
            for packet in packets
            if packet.notice.notice_id in saved
        ]

    def _answers(self, line: Line, packets: Sequence[Packet], carried: Carried) -> Iterator[Answer | None]:
        """What came of each; None for one that was not begun because those before it took long."""
        began = looked_at = time.monotonic()
        going: frozenset[str] | None = None
        for position, packet in enumerate(packets):
            now = time.monotonic()
            if position and now - began >= _LONGEST_HAND_S:
                yield None
                continue
            if now - looked_at >= _STILL_FRESH_S:
                going, looked_at = self._still_going(packets[position:]), now
            if going is not None and packet.notice.notice_id not in going:
                yield Answer(Outcome.WITHHELD)
                continue
            began_s = time.monotonic()
            answer = self._sent(line, packet)
            carried.quickest_s = min(carried.quickest_s, time.monotonic() - began_s)
            yield answer
            if answer.outcome in (Outcome.UNKNOWN, Outcome.UNREACHABLE):
                # The far side is in trouble. What was not begun is certainly not there, and says so.
                yield from (Answer(Outcome.UNREACHABLE) for _ in packets[position + 1 :])
                return

    def _still_going(self, packets: Sequence[Packet]) -> frozenset[str]:
        """Those of whom nobody said stop while others were sent: one read, two for SMS."""
        going = self.notices.as_held([packet.held for packet in packets])
        marks = {one.attempt.address_mark: None for one in packets if one.attempt.channel is Channel.SMS}
        closed = self.people.addresses.closed(marks) if marks else set()
        return frozenset(going - {p.notice.notice_id for p in packets if p.attempt.address_mark in closed})

    def _sent(self, line: Line, packet: Packet) -> Answer:
        with _traced(packet):
            failpoint("notice.after_attempt_mark_before_send")
            answer = line.send(packet.address, packet.message)
            failpoint("notice.after_send_before_settle")
            if answer.outcome is not Outcome.ACCEPTED:
                told = {"channel": packet.attempt.channel.value, "outcome": answer.outcome.value}
                notice_id = packet.notice.notice_id
                log.info("notice.attempt", attempt=packet.attempt.number, notice_id=notice_id, **told)
        return answer

    def _settle(self, answered: Sequence[tuple[Packet, Answer | None]]) -> None:
        """The answers are stored. They are known only here, so a database that is away is waited for, up to a lease."""
        until = time.monotonic() + self.limits.lease_s
        while True:
            try:
                decided = [
                    (
                        packet.held,
                        self._taken_back(packet) if answer is None else self._decided(packet, answer),
                    )
                    for packet, answer in answered
                ]
                stale = self.notices.settle_many([(held, *decide(held.notice)) for held, decide in decided])
                for held, decide in decided:
                    if held.notice.notice_id in stale:
                        self.notices.revise(held, decide)
                return
            except Exception as exc:
                if not is_outside_trouble(exc) or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)

    def _learned(self, packet: Packet, answer: Answer) -> Answer:
        """What the answer taught about the address is kept before the notice moves on."""
        mark, addresses = packet.attempt.address_mark, self.people.addresses
        if answer.standing is not None:
            addresses.learn(mark, answer.standing, self.clock.now())
            return answer
        if packet.attempt.channel is not Channel.WEBHOOK or answer.outcome is Outcome.WITHHELD:
            return answer
        if answer.outcome is Outcome.ACCEPTED:
            addresses.count_success(mark)
        elif addresses.count_failure(mark, self.clock.now(), self.limits.webhook_failures):
            return replace(answer, outcome=Outcome.REFUSED, standing=Standing.DISABLED)
        return answer

    def _taken_back(self, packet: Packet) -> Decision:
        attempt, now = packet.attempt, self.clock.now()
        return lambda notice: (take_back(notice, attempt, now), [])

    def _decided(self, packet: Packet, answer: Answer) -> Decision:
        answer = self._learned(packet, answer)
        number, jitter, now = packet.attempt.number, random.random(), self.clock.now()
        if answer.outcome is Outcome.ACCEPTED:
            return lambda notice: settle_attempt(notice, number, answer, now, jitter)
        is_last = self._is_last_way(packet, answer)
        has_tried_all = reaching.has_tried_all(rule_of(packet.notice.intent), packet.reach, packet.notice)
        return lambda notice: settle_attempt(
            notice, number, answer, now, jitter, is_last_way=is_last, has_tried_all=has_tried_all
        )

    def _is_last_way(self, packet: Packet, answer: Answer) -> bool:
        attempts = (*packet.notice.attempts[:-1], replace(packet.attempt, outcome=answer.outcome))
        refused: Notice = replace(packet.notice, attempts=attempts)
        return reaching.next_channel(rule_of(refused.intent), packet.reach, refused) is None
