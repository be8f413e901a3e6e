"""Sends what is due: claim, record the attempt, send, settle; several senders, woken at once, crash-safe at every step.

Knows no framework: the senders are `threading` threads, which are greenlets in a patched process.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from chassis import logs, telemetry
from chassis.aggregates import StaleVersion
from chassis.clock import Clock
from chassis.failpoints import failpoint
from chassis.mongo import is_outside_trouble
from services.notifications.channels import EmailLine, SmtpServer, compose
from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import AFTER_STOP
from services.notifications.domain.notices import (
    Answer,
    Attempt,
    Notice,
    Outcome,
    Reason,
    State,
    begin_attempt,
    cancel,
    give_up,
    settle_attempt,
)
from services.notifications.wording.letters import Letters

if TYPE_CHECKING:
    from services.notifications.store import Contacts, Decision, Held, Notices, Stops

# A sender's hands: so many notices at most have an attempt recorded and not settled. After a crash each of them may
# be a repeat, and says so.
MOST_IN_HAND = 4
_IDLE_S = 1.0
_PAUSE_S = 0.5

T = TypeVar("T")
log = logs.get()


@dataclass(frozen=True)
class Packet:
    """A notice with its next attempt, ready to be sent."""

    held: Held
    notice: Notice
    address: str = field(repr=False)
    message: bytes = field(repr=False)


class Sending:
    """The senders of one worker process. `ring` wakes them; a claim is shared out, so one slow send delays no other."""

    def __init__(
        self,
        notices: Notices,
        contacts: Contacts,
        letters: Letters,
        server: SmtpServer,
        clock: Clock,
        *,
        stops: Stops,
        senders: int = 4,
        lease_s: float = 30.0,
    ) -> None:
        self._notices = notices
        self._contacts = contacts
        self._stops = stops
        self._letters = letters
        self.server = server
        self._clock = clock
        self._senders = senders
        self._lease_s = lease_s
        self._claimed: deque[Held] = deque()
        self._share = 1
        self._claiming = threading.Lock()
        self._bell = threading.Condition()
        self._rung = 0
        self._is_stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """The senders run; safe to repeat."""
        if self._threads:
            return
        self._threads = [
            threading.Thread(target=self._work, name=f"sender-{number}", daemon=True)
            for number in range(1, self._senders + 1)
        ]
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Whoever waits looks for due notices now."""
        with self._bell:
            self._rung += 1
            self._bell.notify_all()

    def stop(self, wait_s: float = 10.0) -> None:
        """No new send begins; those that run have `wait_s` to end. What was claimed and not begun is due again."""
        self._is_stopping = True
        self.ring()
        until = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        while self._claimed:
            self._guarded(partial(self._notices.release, self._claimed.popleft()))

    def _work(self) -> None:
        line = EmailLine(self.server)
        while not self._is_stopping:
            rung = self._rung
            share = self._guarded(self._take)
            if share:
                self._guarded(partial(self._deliver, line, share))
            else:
                self._wait_for(rung)
        line.close()

    def _guarded(self, step: Callable[[], T]) -> T | None:
        """The step's result. Trouble never ends a sender: the claim runs out and the notice is due again."""
        try:
            return step()
        except StaleVersion:
            return None  # cancelled or taken over meanwhile: whoever did it decides
        except Exception as exc:
            kind = "trouble-outside" if is_outside_trouble(exc) else "bug"
            log.warning("notice.step-failed", kind=kind, error=type(exc).__name__, exc_info=kind == "bug")
            time.sleep(_PAUSE_S)
            return None

    def _take(self) -> list[Held]:
        """One notice while there are few, more at a time under a backlog, so that their writes go together."""
        with self._claiming:
            if not self._claimed:
                self._claimed.extend(self._notices.claim(self._senders * MOST_IN_HAND, self._lease_s))
                self._share = ceil(len(self._claimed) / self._senders)
            return [self._claimed.popleft() for _ in range(min(self._share, len(self._claimed)))]

    def _wait_for(self, rung: int) -> None:
        with self._bell:
            if self._rung == rung and not self._is_stopping:
                self._bell.wait(_IDLE_S)

    def _deliver(self, line: EmailLine, share: Sequence[Held]) -> None:
        """Records an attempt for each, sends one after the other, settles all of them in one write."""
        packets = self._marked(self._packed(share))
        answers: list[Answer] = []
        for packet in packets:
            if answers and answers[-1].outcome in (Outcome.UNKNOWN, Outcome.UNREACHABLE):
                # The far side is in trouble. What was not begun is certainly not there, and says so.
                answers.append(Answer(Outcome.UNREACHABLE))
            else:
                answers.append(self._sent(line, packet))
        self._settle(list(zip(packets, answers, strict=True)))

    def _packed(self, share: Sequence[Held]) -> list[Packet]:
        """Those of the share that may still be sent, with their next attempt; the others are given up, and say so."""
        stopped = self._stops.among([held.notice.referral_id for held in share])
        contacts = self._contacts.open_many([held.notice.contact_id for held in share])
        packets = []
        for held in share:
            if held.notice.referral_id in stopped and held.notice.intent not in AFTER_STOP:
                self._notices.save(held, cancel(held.notice, Reason.REFERRAL_STOPPED), ())
                continue
            contact = contacts.get(held.notice.contact_id)
            if contact is None or not contact.address:
                self._notices.save(held, *give_up(held.notice, Reason.NO_ADDRESS))
                continue
            notice, events = begin_attempt(held.notice, self._clock.now())
            if notice.state is State.DEAD:
                self._notices.save(held, notice, events)
                continue
            message = self._message(held, contact, notice.attempts[-1])
            packets.append(Packet(held, notice, contact.address, message))
        return packets

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

    def _sent(self, line: EmailLine, packet: Packet) -> Answer:
        ids = {"notice_id": packet.notice.notice_id}
        with telemetry.continue_trace(packet.held.cause.traceparent), telemetry.span("notice.send", **ids):
            failpoint("notice.after_attempt_mark_before_send")
            answer = line.send(packet.address, packet.message)
            failpoint("notice.after_send_before_settle")
            attempt = packet.notice.attempts[-1].number
            log.info("notice.attempt", attempt=attempt, outcome=answer.outcome.value, **ids)
        return answer

    def _message(self, held: Held, contact: Contact, attempt: Attempt) -> bytes:
        letter = self._letters.write(held.notice, contact, self._notices.link_token(held))
        return compose(
            letter,
            held.notice,
            attempt,
            address=contact.address,
            server=self.server,
            now=self._clock.now(),
        )

    def _settle(self, answered: Sequence[tuple[Packet, Answer]]) -> None:
        """The answers are stored. They are known only here, so a database that is away is waited for, up to a lease."""
        until = time.monotonic() + self._lease_s
        while True:
            try:
                decided = [self._decided(packet, answer) for packet, answer in answered]
                saved = self._notices.save_many([(held, *decide(held.notice)) for held, decide in decided])
                for held, decide in decided:
                    if held.notice.notice_id not in saved:
                        self._notices.revise(held, decide)
                return
            except Exception as exc:
                if not is_outside_trouble(exc) or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)

    def _decided(self, packet: Packet, answer: Answer) -> tuple[Held, Decision]:
        number, jitter = packet.notice.attempts[-1].number, random.random()
        now = self._clock.now()
        return packet.held, lambda notice: settle_attempt(notice, number, answer, now, jitter)
