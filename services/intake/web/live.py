"""Server-sent events for an open page (HTML Standard 9.2): told within a second of a change, closed with the session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from pymongo.errors import PyMongoError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chassis.errors import Refusal
from chassis.open_pages import in_store
from services.intake.store.sessions import Session
from services.intake.watching import Subscription
from services.intake.web import cookies
from services.intake.web.desk import Desk, SignInNeeded

# Asked again and again in a thread; None where the page shows it already.
Look = Callable[[], dict[str, str] | None]
News = Callable[[Desk, Session, Request], Look]
MOST_STREAMS = 400
_LOOK_EVERY_S = 15.0  # also without a change: a session may be over, a promise may have passed
_TICK_S = 1.0
_GATHER_S = 0.15


class _Streams:
    """How many pages are open in this process."""

    def __init__(self) -> None:
        self.count = 0


def endpoint(desk: Desk, news: News) -> Any:
    """The route's endpoint: an event `shown` for each change, `ended` when the session is over."""
    streams = _Streams()

    async def serve(request: Request) -> Response:
        try:
            session = await run_in_threadpool(desk.signed_in, request, is_activity=False)
        except SignInNeeded:
            return Response("event: ended\ndata: {}\n\n", media_type="text/event-stream")
        if streams.count >= MOST_STREAMS:
            return Response(status_code=503, headers={"retry-after": "20"})
        look = await run_in_threadpool(news, desk, session, request)
        return _EventStream(desk, session, request, look, streams)

    return serve


class _EventStream(Response):
    """One open page."""

    def __init__(self, desk: Desk, session: Session, request: Request, look: Look, streams: _Streams) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self.headers["x-accel-buffering"] = "no"
        self._desk, self._session, self._look, self._streams = desk, session, look, streams
        self._secret, self._about = cookies.session_secret(request), request.path_params.get("id", "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs until the browser, the session or the process ends it."""
        gone = asyncio.ensure_future(_gone(receive))
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        source_id = "" if self._about else self._session.caller.organization_id
        subscription = self._desk.hub.subscribe(
            source_id,
            referral_id=self._about,
            wake=lambda: None if loop.is_closed() else _set_soon(loop, changed),
        )
        self._streams.count += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for part in self._events(scope, subscription, changed, gone):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streams.count -= 1
            subscription.close()
            gone.cancel()

    async def _events(
        self, scope: Scope, subscription: Subscription, changed: asyncio.Event, gone: asyncio.Future[None]
    ) -> AsyncIterator[bytes]:
        is_stopping = scope["state"].get("is_stopping", lambda: False)
        loop = asyncio.get_running_loop()
        yield b"retry: 2000\n\n"
        due = 0.0
        while not (gone.done() or is_stopping() or subscription.is_closed):
            if changed.is_set() or loop.time() >= due:
                changed.clear()
                while subscription.next(0) is not None:
                    pass  # one look covers them all
                told, is_over = await self._told()
                yield told
                if is_over:
                    return
                due = loop.time() + _LOOK_EVERY_S
                await asyncio.sleep(_GATHER_S)  # many changes at once are one
            await _either(changed, gone)

    async def _told(self) -> tuple[bytes, bool]:
        """What is sent now, and whether it is the last; trouble with the store is waited out."""
        try:
            if not await in_store(self._is_running):
                return b"event: ended\ndata: {}\n\n", True
            shown = await in_store(self._look)
        except (PyMongoError, Refusal):
            return b": waiting\n\n", False
        if shown is None:
            return b": here\n\n", False
        return f"event: shown\ndata: {json.dumps(shown)}\n\n".encode(), False

    def _is_running(self) -> bool:
        return self._desk.room.sessions.find(self._secret, is_activity=False) is not None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _either(changed: asyncio.Event, gone: asyncio.Future[None]) -> None:
    waiting: asyncio.Future[Any] = asyncio.ensure_future(changed.wait())
    either: set[asyncio.Future[Any]] = {waiting, gone}
    try:
        await asyncio.wait(either, timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _set_soon(loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(changed.set)
    except RuntimeError:  # the loop closed meanwhile: the page is gone with it
        return
