"""Door 2: audit hears everything there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis import roles
from chassis.hearing import Heard, hears_all
from services.audit import codec, handlers
from services.audit.bootstrap import WritingRoom, build_writing_room, prepare
from services.audit.settings import Settings


class Worker:
    """Writes the log."""

    name = "audit"

    def __init__(self, room: WritingRoom) -> None:
        self.room = room

    @hears_all(batch=2048, wait_s=0.2)
    def on_everything(self, heard: Sequence[Heard]) -> None:
        """Each event is one entry."""
        handlers.record(self.room, [codec.facts_from_event(each.envelope, each.message) for each in heard])


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
