"""Work of many threads, done together: while one round is under way, those that wait for it make up the next one.

A single caller pays nothing; 32 at once share round trips and journal flushes (measured in
docs/decisions/0014-shared-inserts.md).  Nothing waits for a timer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from pymongo.errors import AutoReconnect

Wish = TypeVar("Wish")
Answer = TypeVar("Answer")


class Waiting(Generic[Wish, Answer]):
    """One caller's wish, and how it ended."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.answer: Answer | Exception | None = None
        self.is_done = self.leads = False
        self.told = threading.Event()


class SharedRounds(Generic[Wish, Answer]):
    """`work` answers several wishes at once, each with its answer or the exception its caller raises.

    A wish takes part only in a round that begins after it came, so that what is read is never older than the wish.
    """

    def __init__(self, work: Callable[[Sequence[Wish]], Sequence[Answer | Exception]], most: int) -> None:
        self._work, self._most = work, most
        self._lock = threading.Lock()
        self._queue: list[Waiting[Wish, Answer]] = []
        self._is_working = False

    @property
    def waiting(self) -> int:
        """How many wait for the next round."""
        return len(self._queue)

    def join(self, wish: Wish) -> Answer:
        """The wish's own answer; raises its own exception.

        Raises AutoReconnect where the thread that worked for all was ended.
        """
        mine: Waiting[Wish, Answer] = Waiting(wish)
        with self._lock:
            self._queue.append(mine)
            if not self._is_working:
                self._choose()
        try:
            mine.told.wait()  # until another thread has done it, or leaves the next round to this one
        except BaseException:
            self._leave(mine)
            raise
        if not mine.is_done:
            self._lead()
        if isinstance(mine.answer, Exception):
            raise mine.answer
        return cast("Answer", mine.answer)

    def _choose(self) -> None:
        """Whoever waits longest leads; the lock is held."""
        self._is_working = bool(self._queue)
        if self._queue:
            self._queue[0].leads = True
            self._queue[0].told.set()

    def _leave(self, ended: Waiting[Wish, Answer]) -> None:
        """A thread that was ended while it waited neither works nor keeps others from it."""
        with self._lock:
            if ended in self._queue:
                self._queue.remove(ended)
                if ended.leads:
                    self._choose()

    def _lead(self) -> None:
        """Everything that waits is done, then the next who waits leads."""
        with self._lock:
            batch, self._queue = self._queue[: self._most], self._queue[self._most :]
        answers: Sequence[Answer | Exception] = [AutoReconnect("the working thread was ended")] * len(batch)
        try:
            answers = self._answers([one.wish for one in batch])
        finally:
            for one, answer in zip(batch, answers, strict=True):
                one.answer, one.is_done = answer, True
                one.told.set()
            with self._lock:
                self._choose()

    def _answers(self, wishes: Sequence[Wish]) -> Sequence[Answer | Exception]:
        try:
            return self._work(wishes)
        except Exception as exc:  # noqa: BLE001  each caller raises it
            return [exc] * len(wishes)
