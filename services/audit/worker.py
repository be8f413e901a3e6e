"""Door 2: audit hears everything there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis import roles
from chassis.at_rest import AtRest
from chassis.hearing import Heard, hears_all
from services.audit import codec, handlers
from services.audit.bootstrap import WritingRoom, build_writing_room, prepare
from services.audit.domain.facts import Facts
from services.audit.fhir import outside
from services.audit.settings import Settings


class Worker:
    """Writes the log."""

    name = "audit"

    def __init__(self, room: WritingRoom) -> None:
        self.room = room
        self._at_rest = AtRest.from_dir(room.settings.keys_dir, "audit")

    @hears_all(batch=1_000, wait_s=0.2)
    def on_everything(self, heard: Sequence[Heard]) -> None:
        """Each event is one entry."""
        handlers.record(self.room, [self._facts(each) for each in heard])

    def _facts(self, heard: Heard) -> Facts:
        facts = codec.facts_from_event(heard.envelope, heard.message)
        if heard.message is None or facts.event_type != outside.EVENT_TYPE:
            return facts
        return outside.completed(facts, heard.message, heard.envelope.aggregate_id, self._at_rest)


def prepare_worker(room: WritingRoom) -> None:
    """The indexes exist and what a crash left unfinished is finished."""
    prepare(room)
    room.sequencer.recover()


def run(environ: Mapping[str, str]) -> int:
    """The worker, until it is told to stop."""
    return roles.run_worker(
        Settings,
        environ,
        service="audit",
        build_room=build_writing_room,
        prepare=prepare_worker,
        worker=Worker,
    )
