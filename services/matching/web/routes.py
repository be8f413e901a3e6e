"""Every path of matching's pages, and how a refusal on one of them looks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from chassis.errors import Refusal
from services.matching.bootstrap import Room
from services.matching.web import (
    answer_page,
    backlog,
    board,
    glass,
    live,
    me,
    my_day,
    pages,
    person,
    pool,
    referral,
    report,
    signing_in,
    team,
)
from services.matching.web.office import Office


def routes(room: Room) -> list[BaseRoute]:
    """What the HTTP door serves: the answer behind a link, and below /matching the pages of who is signed in."""
    office = Office(room)
    rooms = (signing_in, live, my_day, person, pool, me, board, referral, glass, backlog, team, report)
    return [
        *answer_page.routes(room),
        pages.asset_route(),
        *(route for one in rooms for route in one.routes(office)),
    ]


def render_refusal(request: Request, refusal: Refusal) -> Response:
    """A page below /matching and /answer, JSON elsewhere."""
    path = request.url.path
    if path == pages.HOME or path.startswith(f"{pages.HOME}/"):
        return pages.refusal_page(request, refusal)
    return answer_page.render_refusal(request, refusal)
