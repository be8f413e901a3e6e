"""Who is let in to speak MLLP, and how much all of them may hold: no sender keeps another one out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge

CONNECTIONS = Gauge("kindred_mllp_connections", "MLLP connections that are open.")
REFUSED = Counter(
    "kindred_mllp_refused_total", "MLLP connections and messages turned away, by reason.", ["reason"]
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one sender, and all of them together, may take."""

    message_bytes: int = 1_000_000
    waiting_bytes: int = 64_000_000  # of all messages that are not whole yet
    connections: int = 256
    per_address: int = 64
    idle_s: float = 600.0
    message_s: float = 30.0


@dataclass(eq=False)
class Line:
    """One connection."""

    address: str
    task: asyncio.Task[None] | None = None
    opened_at: float = field(default_factory=time.monotonic)
    messages: int = 0
    waiting_bytes: int = 0
    is_working: bool = False

    def cut(self) -> None:
        """It ends now, wherever it is."""
        if self.task is not None:
            self.task.cancel()


class Crowd:
    """The open connections; for one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._of_address: Tally[str] = Tally()
        self._waiting_bytes = 0
        self.lines: set[Line] = set()

    def has_room(self, address: str) -> bool:
        """True where one more connection of this address may open; counts it as refused where not.

        Where all are taken, whoever has said nothing yet makes room: a flood of silent ones keeps nobody out.
        """
        if self._of_address[address] >= self._limits.per_address:
            REFUSED.labels("too-many-of-one-address").inc()
            return False
        if len(self.lines) < self._limits.connections:
            return True
        silent = [line for line in self.lines if not line.messages and not line.is_working]
        REFUSED.labels("made-room" if silent else "too-many").inc()
        if silent:
            self._drop(min(silent, key=lambda line: line.opened_at))
        return bool(silent)

    def add(self, line: Line) -> None:
        """The connection counts."""
        self.lines.add(line)
        self._of_address[line.address] += 1
        CONNECTIONS.set(len(self.lines))

    def remove(self, line: Line) -> None:
        """The connection counts no more; safe to repeat."""
        if line not in self.lines:
            return
        self.lines.discard(line)
        self._waiting_bytes -= line.waiting_bytes
        self._of_address[line.address] -= 1
        if not self._of_address[line.address]:
            del self._of_address[line.address]
        CONNECTIONS.set(len(self.lines))

    def hold(self, line: Line, waiting_bytes: int) -> None:
        """The connection holds so much now; where all hold too much, the one that holds most is cut."""
        if line not in self.lines:
            return
        self._waiting_bytes += waiting_bytes - line.waiting_bytes
        line.waiting_bytes = waiting_bytes
        if self._waiting_bytes > self._limits.waiting_bytes:
            REFUSED.labels("memory").inc()
            self._drop(max(self.lines, key=lambda one: one.waiting_bytes))

    def _drop(self, line: Line) -> None:
        line.cut()
        self.remove(line)
