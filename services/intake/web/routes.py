"""Every path of the desk."""

from __future__ import annotations

from starlette.routing import BaseRoute

from services.intake.bootstrap import Room
from services.intake.watching import Hub
from services.intake.web import form, hospitals, pages, referral, review, signing_in, worklist
from services.intake.web.desk import Desk


def routes(room: Room, hub: Hub) -> list[BaseRoute]:
    """What the HTTP door serves below /desk."""
    told = hospitals.load(room.settings.desk_hospitals, room.settings.desk_time_zone)
    desk = Desk(room, hub, told, signing_in.door_of(room))
    return [
        pages.asset_route(),
        *signing_in.routes(desk),
        *worklist.routes(desk),
        *form.routes(desk),
        *referral.routes(desk),
        *review.routes(desk),
    ]
