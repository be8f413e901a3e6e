"""Every path of the pages."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from chassis.errors import HTTP_STATUS, Refusal
from chassis.http_server import render_plain
from services.notifications.bootstrap import Room
from services.notifications.web import (
    door,
    hand_over,
    inbox,
    language,
    leave,
    operator,
    own,
    pages,
    preferences,
)


def routes(room: Room) -> list[BaseRoute]:
    """What the HTTP door serves below /notices."""
    return [
        pages.asset_route(door.HOME),
        *door.routes(room),
        *language.routes(room),
        *inbox.routes(room),
        *preferences.routes(room),
        *operator.routes(room),
        *leave.routes(room),
        *hand_over.routes(room),
        *own.routes(room),
    ]


def render_refusal(request: Request, refusal: Refusal) -> Response:
    """A page for a reader of pages; what every other door answers elsewhere."""
    path = request.url.path
    if path != door.HOME and not path.startswith(f"{door.HOME}/"):
        return render_plain(request, refusal)
    shown = {
        "caller": None,
        "csrf": "",
        "is_operator": False,
        "kind": refusal.kind.value,
        "code": refusal.code,
    }
    template = "own_gone.html" if path.startswith(f"{own.PATH}/") else "refused.html"
    return pages.render(request, template, HTTP_STATUS[refusal.kind], **shown)
