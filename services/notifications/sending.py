"""Several senders that take what is due, woken at once; what each does with its share is the courier's.

Knows no framework: the senders are `threading` threads, which are greenlets in a patched process.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from chassis import logs
from chassis.aggregates import StaleVersion
from chassis.mongo import is_outside_trouble
from services.notifications.courier import Courier, Lines

if TYPE_CHECKING:
    from services.notifications.store import Held, Notices

# A sender's hands: so many notices at most have an attempt recorded and not settled. After a crash each of them may
# be a repeat, and says so.
MOST_IN_HAND = 4
_IDLE_S = 1.0
_PAUSE_S = 0.5

T = TypeVar("T")
log = logs.get()


class Sending:
    """The senders of one worker process. `ring` wakes them; a claim is shared out, so one slow send delays no other."""

    def __init__(
        self, notices: Notices, courier: Courier, *, senders: int = 4, lease_s: float = 30.0
    ) -> None:
        self._notices = notices
        self.courier = courier
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
        lines = Lines(self.courier.ways)
        while not self._is_stopping:
            rung = self._rung
            share = self._guarded(self._take)
            if share:
                self._guarded(partial(self.courier.deliver, lines, share))
            else:
                self._wait_for(rung)
        lines.close()

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
