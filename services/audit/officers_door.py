"""The officer's HTTP door: FHIR, reports and reviews, the console; and how each of them says no."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from chassis.errors import Refusal
from chassis.http_server import render_plain
from services.audit.reading_room import ReadingRoom
from services.audit.reports import door as reports_door
from services.audit.search import bundle
from services.audit.search import door as fhir_door
from services.audit.web import pages
from services.audit.web.routes import routes as console_routes


def routes(room: ReadingRoom) -> list[BaseRoute]:
    """Every path of the officer's."""
    return [*fhir_door.routes(room), *reports_door.routes(room), *console_routes(room)]


def render_refusal(request: Request, refusal: Refusal) -> Response:
    """An OperationOutcome below /fhir, a page in the console, JSON elsewhere."""
    if request.url.path.startswith("/fhir"):
        return bundle.render_refusal(request, refusal)
    if request.url.path == pages.HOME or request.url.path.startswith(f"{pages.HOME}/"):
        return pages.refusal_page(request, refusal)
    return render_plain(request, refusal)
