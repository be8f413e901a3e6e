"""Choosing the language of the pages; that of the letters is among the preferences."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.notifications.bootstrap import Room
from services.notifications.web import pages
from services.notifications.web.door import HOME, Visit, signed_in

_PATHS: Final = (HOME, f"{HOME}/preferences", f"{HOME}/operator", f"{HOME}/hand-over")


def routes(room: Room) -> list[Route]:
    """One form, on every page."""
    return [Route(f"{HOME}/language", signed_in(room, choose), methods=["POST"])]


def choose(visit: Visit) -> Response:
    """POST: pages are in the chosen language from now on, in this browser."""
    path = visit.fields.get("next", "")
    response = RedirectResponse(path if path in _PATHS else HOME, 303)
    if (language := visit.fields.get("language", "")) in pages.LANGUAGE_NAMES:
        pages.keep_language(response, language, HOME)
    return response
