"""Door 2 of the example: hears one type."""

from __future__ import annotations

from collections.abc import Mapping

from chassis import roles
from chassis.hearing import Heard, hears
from chassis.settings import ProcessSettings
from tests.integration.chassis.example_service.bootstrap import SERVICE, Room, build_room, prepare


class Worker:
    name = SERVICE

    def __init__(self, room: Room) -> None:
        self.room = room

    @hears("offer.made.v1")
    def on_offer_made(self, heard: Heard) -> None:
        self.room.things.insert(f"thg_{heard.envelope.id}", {}, cause=heard.cause)


def run(environ: Mapping[str, str]) -> int:
    return roles.run_worker(
        ProcessSettings, environ, service=SERVICE, build_room=build_room, prepare=prepare, worker=Worker
    )
