"""Who holds how many of a door's places, so that no organization crowds out the others (OWASP API4).

While the door is not crowded everybody may enter. After that each organization that is inside, or wants in, may
hold an equal share and no more: whoever floods the door is told to wait, and the next hospital's referral is taken.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakSet

from chassis.errors import Kind, Refusal
from chassis.identity import Caller

PER_S = 500.0
_BURST_S = 2.0
# One client of an organization leaves this much of its rate to the others.
_OF_ONE_CLIENT = 0.9
_MOST_KNOWN = 10_000
# Others are told to come back in a second.
_WAITS_S = 5


class Shares:
    """The places of one door of one process; may be used by many threads.

    `per_s` is how many requests a second one organization may make for long, twice as many in one second; one client of
    it may make nine tenths of them.
    `is_crowded` says when others wait; without it the door is crowded when half of its places are held.
    `most_of_one` is what somebody alone may hold of a crowded door.
    """

    def __init__(
        self,
        most: int,
        per_s: float = PER_S,
        now: Callable[[], float] = time.monotonic,
        is_crowded: Callable[[], bool] | None = None,
        most_of_one: int | None = None,
    ) -> None:
        self._most, self._per_s, self._now = most, per_s, now
        self._most_of_one = most_of_one or most
        self._is_crowded = is_crowded or (lambda: self._held.total() >= most // 2)
        self._held: Counter[str] = Counter()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()
        _doors.add(self)

    @contextmanager
    def entered(self, caller: Caller | None, address: str = "") -> Iterator[None]:
        """A place is held in the block; raises Refusal EXHAUSTED share-used or rate-exceeded, with when to come back.

        Whoever shows no token (pages with a session of their own) shares with those of the same address.
        """
        who = (caller.organization_id or caller.actor_id) if caller else f"@{address}"
        client = f"{who}\n{caller.actor_id}" if caller and caller.organization_id else ""
        with self._lock:
            self._take(who, client)
        _has_door.set(True)  # in this request's own context, or in a thread that only serves requests
        try:
            yield
        finally:
            with self._lock:
                self._held[who] -= 1
                if not self._held[who]:
                    del self._held[who]

    @property
    def is_crowded(self) -> bool:
        """Whether others wait."""
        return self._is_crowded()

    def _take(self, who: str, client: str) -> None:
        # First the client: what it is refused is not taken from the others of its organization.
        left, message = 0.0, "This client asks too often."
        if client:
            left = self._spend(client, self._per_s * _OF_ONE_CLIENT)
        if left >= 0:
            left, message = self._spend(who, self._per_s), "Your organization asks too often."
        if left < 0:
            wait_s = max(1, round(-left / self._per_s))
            raise Refusal("rate-exceeded", Kind.EXHAUSTED, message, retry_after_s=wait_s)
        share = min(self._most // len(self._held.keys() | {who}), self._most_of_one)
        if self._held[who] >= max(1, share) and self._is_crowded():
            if not self._held[who]:
                del self._held[who]
            message = "Your organization holds its share of this door; others are waiting."
            raise Refusal("share-used", Kind.EXHAUSTED, message, retry_after_s=1)
        self._held[who] += 1

    def _spend(self, who: str, per_s: float) -> float:
        """What is left of somebody's requests; below zero where there were none left, and nothing was spent."""
        most, now = per_s * _BURST_S, self._now()
        before, at = self._left.pop(who, (most, now))
        left = min(most, before + (now - at) * per_s) - 1
        self._left[who] = (left if left >= 0 else left + 1, now)
        while len(self._left) > _MOST_KNOWN:
            self._left.popitem(last=False)
        return left


_doors: WeakSet[Shares] = WeakSet()
_has_door: ContextVar[bool] = ContextVar("has_door", default=False)


def give_way() -> None:
    """Called for what can wait: where a door of this process is crowded it raises Refusal EXHAUSTED gives-way.

    One process does the work of all its doors.  Who came in by none of them (a line of HL7, a file) goes on.
    """
    if _has_door.get() and any(door.is_crowded for door in list(_doors)):
        message = "More is asked than can be done now, and what is more urgent comes first."
        raise Refusal("gives-way", Kind.EXHAUSTED, message, retry_after_s=_WAITS_S)
