"""Server-sent events for an open page (HTML Standard 9.2): the page again when it would be another, until the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from pymongo.errors import PyMongoError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chassis.errors import Refusal
from chassis.open_pages import in_store
from services.matching.web import board, my_day
from services.matching.web.office import LEADS, Office, SignInNeeded, Visit
from services.matching.web.pages import COOKIES, HOME

MOST_STREAMS = 200
_LOOK_EVERY_S = 2.0
_LONGEST_S = 600.0
_ENDED = "event: ended\ndata: {}\n\n"


class Following:
    """What one open page shows: the mark of it, and whose looks it has written down."""

    def __init__(self, office: Office, request: Request) -> None:
        self._office, self._request = office, request
        self._mark = request.query_params.get("mark", "")
        self._csrf = COOKIES.form_token(request)
        self._shown: frozenset[str] = frozenset()

    def look(self) -> str:
        """An event for what is new, a comment where nothing is, `ended` where nobody is signed in any more."""
        try:
            session = self._office.signed_in(self._request, is_activity=False)
        except SignInNeeded:
            return _ENDED
        visit = Visit(self._office.room, self._request, session, {})
        is_lead = session.caller.role in LEADS
        mark = board.mark(visit) if is_lead else my_day.mark(visit)
        if mark == self._mark:
            return ": here\n\n"
        if is_lead:
            html, ids = board.fragment(visit, self._csrf, self._shown)
            self._shown |= ids
        else:
            html = my_day.fragment(visit, self._csrf)
        self._mark = mark
        return f"event: shown\ndata: {json.dumps({'html': html, 'mark': mark})}\n\n"


class _Streams:
    """How many pages are open in this process."""

    def __init__(self) -> None:
        self.count = 0


def routes(office: Office) -> list[Route]:
    """The one stream; who it is for says what it follows."""
    streams = _Streams()

    async def serve(request: Request) -> Response:
        try:
            await run_in_threadpool(office.signed_in, request, is_activity=False)
        except SignInNeeded:
            return Response(_ENDED, media_type="text/event-stream")
        if streams.count >= MOST_STREAMS:
            return Response(status_code=503, headers={"retry-after": "20"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        events = _events(Following(office, request), request, streams)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    return [Route(f"{HOME}/live", serve, methods=["GET"], name="work-live")]


async def _events(following: Following, request: Request, streams: _Streams) -> AsyncIterator[str]:
    streams.count += 1
    try:
        yield "retry: 3000\n\n"
        is_stopping = request.scope.get("state", {}).get("is_stopping", lambda: False)
        loop = asyncio.get_running_loop()
        until = loop.time() + _LONGEST_S
        while loop.time() < until and not is_stopping() and not await request.is_disconnected():
            told = await _told(following.look)
            yield told
            if told == _ENDED:
                return
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        streams.count -= 1


async def _told(look: Callable[[], str]) -> str:
    try:
        return await in_store(look)
    except (PyMongoError, Refusal):
        return ": waiting\n\n"
