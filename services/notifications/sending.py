"""Sends what is due: claim, record the attempt, send, settle; several senders, woken at once, crash-safe at every step.

Knows no framework: the senders are `threading` threads, which are greenlets in a patched process.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from chassis import logs, telemetry
from chassis.aggregates import StaleVersion
from chassis.clock import Clock
from chassis.failpoints import failpoint
from chassis.mongo import is_outside_trouble
from services.notifications.channels import EmailLine, SmtpServer, compose
from services.notifications.domain.contacts import Contact
from services.notifications.domain.notices import (
    Answer,
    Attempt,
    Reason,
    State,
    begin_attempt,
    give_up,
    settle_attempt,
)
from services.notifications.wording.letters import Letters

if TYPE_CHECKING:
    from services.notifications.store import Contacts, Held, Notices

_CLAIMED_PER_SENDER = 4
_IDLE_S = 1.0
_PAUSE_S = 0.5

log = logs.get()


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
        senders: int = 4,
        lease_s: float = 30.0,
    ) -> None:
        self._notices = notices
        self._contacts = contacts
        self._letters = letters
        self._server = server
        self._clock = clock
        self._senders = senders
        self._lease_s = lease_s
        self._claimed: deque[Held] = deque()
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
        line = EmailLine(self._server)
        while not self._is_stopping:
            rung = self._rung
            held = self._guarded(self._take)
            if held is None:
                self._wait_for(rung)
            else:
                self._guarded(partial(self._deliver, line, held))
        line.close()

    def _guarded(self, step: Callable[[], Held | None] | Callable[[], None]) -> Held | None:
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

    def _take(self) -> Held | None:
        with self._claiming:
            if not self._claimed:
                limit = self._senders * _CLAIMED_PER_SENDER
                self._claimed.extend(self._notices.claim(limit, self._lease_s))
            return self._claimed.popleft() if self._claimed else None

    def _wait_for(self, rung: int) -> None:
        with self._bell:
            if self._rung == rung and not self._is_stopping:
                self._bell.wait(_IDLE_S)

    def _deliver(self, line: EmailLine, held: Held) -> None:
        notice_id = held.notice.notice_id
        with (
            telemetry.continue_trace(held.cause.traceparent),
            telemetry.span("notice.send", notice_id=notice_id),
        ):
            contact = self._contacts.open(held.notice.contact_id)
            if contact is None or not contact.address:
                self._notices.save(held, *give_up(held.notice, Reason.NO_ADDRESS))
                return
            notice, events = begin_attempt(held.notice, self._clock.now())
            if notice.state is State.DEAD:
                self._notices.save(held, notice, events)
                return
            attempt = notice.attempts[-1]
            message = self._message(held, contact, attempt)
            failpoint("notice.before_attempt_mark")
            held = self._notices.save(held, notice, events)
            failpoint("notice.after_attempt_mark_before_send")
            answer = line.send(contact.address, message)
            failpoint("notice.after_send_before_settle")
            self._settle(held, attempt.number, answer)
            log.info(
                "notice.attempt", notice_id=notice_id, attempt=attempt.number, outcome=answer.outcome.value
            )

    def _message(self, held: Held, contact: Contact, attempt: Attempt) -> bytes:
        letter = self._letters.write(held.notice, contact, self._notices.link_token(held))
        return compose(
            letter,
            held.notice,
            attempt,
            address=contact.address,
            server=self._server,
            now=self._clock.now(),
        )

    def _settle(self, held: Held, number: int, answer: Answer) -> None:
        """The answer is stored. It is known only here, so a database that is away is waited for, as long as the lease."""
        jitter = random.random()
        until = time.monotonic() + self._lease_s
        while True:
            try:
                self._notices.revise(
                    held, lambda notice: settle_attempt(notice, number, answer, self._clock.now(), jitter)
                )
                return
            except Exception as exc:
                if not is_outside_trouble(exc) or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)
