"""What was turned away: when and with which codes, so that its audit entry is durable before the sender hears no."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import Message

from chassis.aggregates import Aggregates
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.identity import Caller
from chassis.ids import new_id
from services.intake.domain.events import Event, SubmissionRejected


class Rejections:
    """The collection `rejections`; no content of what was sent, and no value from it."""

    def __init__(
        self, aggregates: Aggregates, clock: Clock, spell: Callable[[Event, Caller], Message]
    ) -> None:
        self._aggregates = aggregates
        self._clock = clock
        self._spell = spell

    def ensure_indexes(self) -> None:
        """The relay's."""
        self._aggregates.ensure_indexes()

    def note(self, event: SubmissionRejected, caller: Caller, cause: Cause) -> None:
        """The rejection is in a majority's journal."""
        body = {"door": event.door, "source_id": event.source_id, "rejected_at": self._clock.now()}
        self._aggregates.insert(new_id("rej"), body, says=[self._spell(event, caller)], cause=cause)
