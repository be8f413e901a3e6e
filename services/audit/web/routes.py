"""Every path of the console."""

from __future__ import annotations

from starlette.routing import BaseRoute

from chassis import tls
from services.audit.reading_room import ReadingRoom
from services.audit.web import (
    accounting,
    exporting,
    health,
    looking_up,
    pages,
    reporting,
    searching,
    signing_in,
)
from services.audit.web.console import Console
from services.audit.web.people import People
from services.audit.web.sessions import Sessions


def routes(room: ReadingRoom) -> list[BaseRoute]:
    """What the HTTP door serves below /console."""
    kept = Sessions(room.database, room.clock)
    kept.ensure_indexes()
    settings = room.settings
    people = People(settings.intake_grpc, tls.files(settings.grpc_tls_cert, settings.grpc_tls_ca))
    console = Console(room, kept, people, signing_in.door_of(room, kept))
    return [
        pages.asset_route(),
        *signing_in.routes(console),
        *searching.routes(console),
        *reporting.routes(console),
        *health.routes(console),
        *looking_up.routes(console),
        *accounting.routes(console),
        *exporting.routes(console),
    ]
