"""Several senders that take what is due, woken at once; what each does with its share is the courier's.

Knows no framework: the senders are `threading` threads, which are greenlets in a patched process.
What was opened here a moment ago is handed on in memory; whatever else is due is looked for.
Nothing is claimed in the database: of two workers with the same notice, the first to record its attempt has it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil, inf
from typing import TYPE_CHECKING, TypeVar

from chassis import logs
from chassis.aggregates import StaleVersion
from chassis.mongo import is_outside_trouble
from services.notifications.courier import Courier, Lines
from services.notifications.domain.intents import Urgency

if TYPE_CHECKING:
    from services.notifications.store import Held, Notices

# A sender takes no more at once, and no more than the far side lately took in so many seconds: reads and writes go
# together, and what is immediate waits for no longer.
_MOST_IN_HAND = 32
_HAND_S = 0.1
# On a machine that many others want everything takes long, and small hands would make it take longer.
_LEAST_IN_HAND = 8
# So few it takes from any far side where nobody else is idle, and from a quick one in any case.
_FEW = 4
_QUICK_S = 0.05
# More than this waits in the database, where other workers see it too.
_MOST_HANDED_ON = 128
# What one notice takes where nothing is known yet.
_USUAL_S = 0.025
_IDLE_S = 1.0
_PAUSE_S = 0.5

T = TypeVar("T")
log = logs.get()


class Sending:
    """The senders of one worker process. `hand_on` and `ring` wake them; a slow send delays no other."""

    def __init__(
        self, notices: Notices, courier: Courier, *, senders: int = 4, lease_s: float = 30.0
    ) -> None:
        self._notices = notices
        self.courier = courier
        self._senders = senders
        self._lease_s = lease_s
        self._waiting: deque[Held] = deque()
        # How many each sender takes of what waits, so that all of them have some.
        self._share = 1
        # What somebody here has, and until when it is left to them, also where they failed.
        self._in_hand: dict[str, float] = {}
        self._taking = threading.Lock()
        self._bell = threading.Condition()
        self._rung = 0
        self._is_to_look = True
        self._looked_at = 0.0
        # How long the far side took for one notice lately.
        self._send_s = _USUAL_S
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
        """Somebody looks for due notices now."""
        self._is_to_look = True
        self._wake()

    def hand_on(self, opened: Sequence[Held]) -> None:
        """What was stored here a moment ago goes out without being looked for, what is immediate first."""
        with self._taking:
            room = _MOST_HANDED_ON - len(self._waiting)
            now = [held for held in opened if held.notice.urgency is Urgency.IMMEDIATE]
            later = [held for held in opened if held.notice.urgency is not Urgency.IMMEDIATE]
            taken = (now + later)[: max(room, 0)]
            self._waiting.extendleft(reversed(taken[: len(now)]))
            self._waiting.extend(taken[len(now) :])
            self._have(taken)
        if len(taken) < len(opened):
            self._is_to_look = True
        self._wake()

    def stop(self, wait_s: float = 10.0) -> None:
        """No new send begins; those that run have `wait_s` to end. What was not begun is due as it was."""
        self._is_stopping = True
        self._wake()
        until = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _wake(self) -> None:
        with self._bell:
            self._rung += 1
            self._bell.notify_all()

    def _work(self) -> None:
        lines = Lines(self.courier.ways)
        while not self._is_stopping:
            rung = self._rung
            share = self._guarded(self._take)
            if share:
                self._guarded(partial(self._deliver, lines, share))
            elif share is not None:
                self._wait_for(rung)
        lines.close()

    def _deliver(self, lines: Lines, share: Sequence[Held]) -> None:
        carried = self.courier.deliver(lines, share)
        if carried.quickest_s < inf:
            self._send_s = (self._send_s * 3 + carried.quickest_s) / 4
        with self._taking:
            for held in share:
                self._in_hand.pop(held.notice.notice_id, None)
        if carried.goes_on:
            self.ring()

    def _guarded(self, step: Callable[[], T]) -> T | None:
        """The step's result. Trouble never ends a sender: what it had is left alone for a lease and due again."""
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
        """So many that each sender has some; where the far side is quick never only one or two."""
        with self._taking:
            if not self._waiting and self._is_time_to_look():
                self._look()
            least = _FEW if self._send_s <= _QUICK_S else 1
            most = min(self._hand(), max(self._share, least))
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _hand(self) -> int:
        least = _LEAST_IN_HAND if self._send_s <= _QUICK_S else _FEW
        return max(least, min(_MOST_IN_HAND, int(_HAND_S / max(self._send_s, 1e-6))))

    def _is_time_to_look(self) -> bool:
        return self._is_to_look or time.monotonic() - self._looked_at >= _IDLE_S

    def _look(self) -> None:
        now = time.monotonic()
        self._in_hand = {one: until for one, until in self._in_hand.items() if until > now}
        most = self._senders * self._hand()
        self._is_to_look, self._looked_at = False, now
        try:
            found = self._notices.due(most, but=self._in_hand)
        except Exception:
            self._is_to_look = True
            raise
        if len(found) == most:
            self._is_to_look = True
        self._waiting.extend(found)
        self._have(found)

    def _have(self, taken: Sequence[Held]) -> None:
        until = time.monotonic() + self._lease_s
        self._share = ceil(len(self._waiting) / self._senders)
        self._in_hand.update((held.notice.notice_id, until) for held in taken)

    def _wait_for(self, rung: int) -> None:
        with self._bell:
            if self._rung == rung and not self._is_stopping:
                self._bell.wait(_IDLE_S)
