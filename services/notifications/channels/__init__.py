"""Ways to a person: each channel composes a message and has a line to its far side; one file each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Answer, Attempt, Notice
from services.notifications.domain.reach import Reach
from services.notifications.wording.letters import Letter


@dataclass(frozen=True)
class Parcel:
    """One attempt of a notice with everything that may go into its message."""

    notice: Notice
    attempt: Attempt
    reach: Reach
    letter: Letter
    address: str
    now: datetime


class Line(Protocol):
    """A far side, connected when needed and reused; for one sender at a time."""

    def send(self, address: str, message: Any) -> Answer:
        """What the far side said. MUST tell apart what is certain from what is not (P4), and MUST NOT raise for it."""

    def close(self) -> None:
        """The connection is gone."""


class Way(Protocol):
    """One channel."""

    @property
    def channel(self) -> Channel:
        """Which one."""

    @property
    def most_in_hand(self) -> int:
        """So many at most have an attempt recorded and not settled by one sender: after a crash each may be a repeat.

        Many where a far side or a reader knows a repeat by its id; few where it costs money or nobody can tell.
        """

    def compose(self, parcel: Parcel) -> Any:
        """The message as its line takes it; nothing is sent yet."""

    def open(self) -> Line:
        """A line of one's own, not connected yet."""
