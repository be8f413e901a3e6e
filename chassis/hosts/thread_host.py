"""The plain-thread host: one thread owns the connection, a few run the listeners, one each the timers.

The way out if eventlet dies, and a check on the nameko host: both pass the same contract tests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from chassis.gathering import Work
from chassis.hosts import Hosting
from chassis.hosts.beat import Heart
from chassis.hosts.line import Line
from chassis.hosts.timers import Timers


class ThreadHost:
    """Runs one worker on plain threads."""

    def __init__(self, parts: Hosting) -> None:
        self._receiver = parts.receiver
        self._heart = Heart()
        self._pool = ThreadPoolExecutor(parts.slots, thread_name_prefix="listener")
        self._line = Line(
            parts.amqp_uri,
            parts.receiver,
            spawn=self._spawn,
            beat=self._heart.beat,
            slots=parts.slots,
            declares_topology=parts.declares_topology,
        )
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """The threads run; returns at once."""
        self._heart.start()
        self._run_in_thread("line", self._line.run)
        for name, seconds, tick in Timers(self._receiver, self._line).all():
            self._run_in_thread(name, partial(self._repeat, seconds, tick))

    def missing(self) -> str:
        """ "broker" until the inbox is open."""
        return "" if self._line.is_consuming else "broker"

    def stop(self, grace_s: float = 20.0) -> None:
        """Waits up to `grace_s` for what runs, then closes the connection."""
        self._stop.set()
        self._line.drain()
        until = time.monotonic() + grace_s
        while self._line.running() and time.monotonic() < until:
            time.sleep(0.02)
        self._line.stop()
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._heart.stop()

    def _spawn(self, work: Work) -> None:
        self._pool.submit(self._take, work)

    def _take(self, work: Work) -> None:
        try:
            self._receiver.take(work, self._line)
        finally:
            self._line.done(work)

    def _repeat(self, seconds: float, tick: Callable[[], None]) -> None:
        tick()
        while not self._stop.wait(seconds):
            tick()

    def _run_in_thread(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
