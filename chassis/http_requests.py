"""What happens around every HTTP request: limits, identity, trace, and one answer for whatever a route raises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pymongo
from opentelemetry.trace import Span, SpanKind
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import answers, identity, metrics, telemetry
from chassis.errors import HTTP_STATUS, Kind, Refusal
from chassis.http_names import method_of, route_of
from chassis.identity import Caller
from chassis.readiness import Readiness, page
from chassis.shares import PER_S, Shares

RenderRefusal = Callable[[Request, Refusal], Response]
# A client has this long to send its whole body, and to take each part of an answer.
BODY_S = 10.0
TAKE_S = 30.0
_STORE_S = 8.0
_MOST_RUNNING = 128
TOO_SLOW = "body-too-slow"
_LINGER_S = 3.0
_SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_HTML_SECURITY = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class RequestRules:
    """What the door needs to know to treat every request alike."""

    max_body_bytes: int
    tokens: Any  # a chassis.identity.TokenReader
    readiness: Readiness
    render_refusal: RenderRefusal
    on_denied: answers.OnDenied
    organization_per_s: float = PER_S


def render_plain(request: Request, refusal: Refusal) -> Response:
    """The refusal as JSON: code, kind, message, faults with their paths, facts."""
    faults = [{"path": fault.path, "code": fault.code, "message": fault.message} for fault in refusal.faults]
    body = {"code": refusal.code, "kind": refusal.kind.value, "message": refusal.message, "faults": faults}
    return JSONResponse(body | {"facts": refusal.facts}, HTTP_STATUS[refusal.kind])


class AroundRequests:
    """Pure ASGI, because every request passes here."""

    def __init__(self, app: ASGIApp, rules: RequestRules) -> None:
        self.app = app
        self.rules = rules
        self.running = 0
        self._shares = Shares(_MOST_RUNNING, rules.organization_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; raises only when an answer had already begun."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if await self._operations(scope, receive, send):
            return
        headers = Headers(scope=scope)
        started = time.perf_counter()
        self._count(1)
        place = ExitStack()
        place.callback(self._count, -1)
        outgoing = _Outgoing(send, on_stream=place.close)
        try:
            with (
                telemetry.continue_trace(headers.get("traceparent", "")),
                telemetry.correlated(headers.get("x-request-id", "")) as correlation_id,
                telemetry.span(method_of(scope), SpanKind.SERVER) as span,
            ):
                outgoing.headers["x-request-id"] = correlation_id
                await self._serve(scope, headers, _Incoming(headers, receive), outgoing, place)
                self._name_span(span, scope, outgoing.status)
        finally:
            place.close()
            if not outgoing.is_stream:
                seconds = metrics.HTTP_SECONDS.labels(method_of(scope), route_of(scope), outgoing.status)
                seconds.observe(time.perf_counter() - started)

    def _count(self, change: int) -> None:
        self.running += change
        metrics.HTTP_RUNNING.set(self.running)

    async def _operations(self, scope: Scope, receive: Receive, send: Send) -> bool:
        if scope["path"] not in ("/healthz", "/readyz", "/metrics") or scope["method"] not in ("GET", "HEAD"):
            return False
        shown = await run_in_threadpool(page, scope["path"], self.rules.readiness)
        assert shown is not None
        status, content_type, body = shown
        response = Response(body, status, {"content-type": content_type, "cache-control": "no-store"})
        await response(scope, receive, send)
        return True

    async def _serve(
        self, scope: Scope, headers: Headers, incoming: _Incoming, outgoing: _Outgoing, place: ExitStack
    ) -> None:
        caller: Caller | None = None
        try:
            if self.running > _MOST_RUNNING:
                raise Refusal("overloaded", Kind.EXHAUSTED, "Too many requests at once.", retry_after_s=1)
            caller = self._caller(headers)
            place.enter_context(self._shares.entered(caller))
            await self._served(caller, scope, incoming, outgoing)
        except ClientGone:
            outgoing.status = 499
        except Exception as error:
            if outgoing.status:
                raise  # too late for another answer: the connection is cut, so that nobody takes half for whole
            await self._answer(error, caller, scope, incoming, outgoing)

    async def _served(
        self, caller: Caller | None, scope: Scope, incoming: _Incoming, outgoing: _Outgoing
    ) -> None:
        body = await incoming.read(self.rules.max_body_bytes)
        scope.setdefault("state", {}).update(caller=caller, body=body)
        token = identity.set_current(caller)
        try:
            with pymongo.timeout(_STORE_S):
                await self.app(scope, incoming.replay(body), outgoing)
        finally:
            identity.reset_current(token)

    def _caller(self, headers: Headers) -> Caller | None:
        sent = headers.get("authorization")
        if sent is None:
            return None
        scheme, _, token = sent.partition(" ")
        if scheme.lower() != "bearer":
            raise Refusal("token-invalid", Kind.UNAUTHENTICATED, "The authorization scheme must be Bearer.")
        caller: Caller = self.rules.tokens.read(token.strip(), headers.get("x-purpose-of-use", ""))
        return caller

    async def _answer(
        self, error: Exception, caller: Caller | None, scope: Scope, incoming: _Incoming, outgoing: _Outgoing
    ) -> None:
        method = f"{method_of(scope)} {route_of(scope)}"
        refusal = answers.refusal_for(error)
        status: int | None = None
        if refusal is None:
            error_id = answers.note_bug(error, "http", method)
            refusal = Refusal("internal", Kind.UNAVAILABLE, "Something went wrong here.", error_id=error_id)
            status = 500
        else:
            await run_in_threadpool(
                answers.note_refusal, refusal, error, caller, method, self.rules.on_denied
            )
        if refusal.code == TOO_SLOW:
            status = 408
        response = rendered(self.rules.render_refusal, Request(scope), refusal, status)
        if status == 408 or not await incoming.drain():
            response.headers["connection"] = "close"
        await response(scope, incoming.replay(b""), outgoing)

    def _name_span(self, span: Span, scope: Scope, status: int) -> None:
        route = route_of(scope)
        span.update_name(f"{method_of(scope)} {route}")
        telemetry.add(method=method_of(scope), route=route, status=status)
        if status >= 500:
            telemetry.fail(span, str(status))


class ClientGone(Exception):  # noqa: N818
    """The client closed before its request was whole: nothing was done and nobody waits for an answer."""


def rendered(
    render: RenderRefusal, request: Request, refusal: Refusal, status: int | None = None
) -> Response:
    """The service's own rendering of a refusal, with the headers that HTTP asks for."""
    try:
        response = render(request, refusal)
    except Exception as error:  # noqa: BLE001  a broken page must not hide the refusal
        answers.note_bug(error, "http", "render_refusal")
        response = render_plain(request, refusal)
    if status is not None:
        response.status_code = status
    if refusal.retry_after_s is not None:
        response.headers.setdefault("retry-after", str(refusal.retry_after_s))
    if response.status_code == 401:
        response.headers.setdefault("www-authenticate", 'Bearer realm="kindred"')
    return response


def http_exception_answer(render: RenderRefusal) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Starlette's own "no such path" and "no such method", in the service's rendering."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = Kind.NOT_FOUND if error.status_code == 404 else Kind.INVALID
        codes = {404: "no-such-path", 405: "no-such-method"}
        refusal = Refusal(codes.get(error.status_code, "bad-request"), kind)
        metrics.REFUSALS.labels(refusal.kind.value, refusal.code).inc()
        response = rendered(render, request, refusal, error.status_code)
        response.headers.update(error.headers or {})
        return response

    return answer


class _Outgoing:
    """The way to the client: adds headers, notes the status, and gives up on a client that does not read."""

    def __init__(self, send: Send, on_stream: Callable[[], None]) -> None:
        self._send = send
        self._on_stream = on_stream
        self.headers: dict[str, str] = {}
        self.status = 0
        self.is_stream = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            kind = headers.get("content-type", "")
            is_html = kind.startswith("text/html")
            self.is_stream = kind.startswith("text/event-stream")
            if self.is_stream:  # open for hours: it waits, and is no work that could be too much
                self._on_stream()
            for name, value in (self.headers | _SECURITY | (_HTML_SECURITY if is_html else {})).items():
                headers.setdefault(name, value)
        async with asyncio.timeout(TAKE_S):
            await self._send(message)


def _too_large(max_body_bytes: int) -> Refusal:
    message = f"The body is larger than {max_body_bytes} bytes."
    return Refusal("body-too-large", Kind.TOO_LARGE, message, max_body_bytes=max_body_bytes)


class _Incoming:
    """The way from the client: the body with its limits, and what is left of it after a refusal."""

    def __init__(self, headers: Headers, receive: Receive) -> None:
        self._headers = headers
        self._receive = receive
        self._is_whole = False

    async def read(self, max_body_bytes: int) -> bytes:
        """The whole body; raises a Refusal where it is too large or too slow, ClientGone where nobody is there."""
        told = self._headers.get("content-length", "0")
        if not told.isdigit() or int(told) > max_body_bytes:
            raise _too_large(max_body_bytes)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_S):
                while not self._is_whole:
                    part = await self._part()
                    size += len(part)
                    if size > max_body_bytes:
                        raise _too_large(max_body_bytes)
                    parts.append(part)
        except TimeoutError:
            raise Refusal(TOO_SLOW, Kind.INVALID, "The body did not arrive in time.") from None
        return b"".join(parts)

    async def drain(self) -> bool:
        """What is left is read and thrown away for a while, so that the client sees our answer and no broken pipe.

        True where the connection can be used again.
        """
        if self._headers.get("expect", "").lower() == "100-continue":
            return self._is_whole  # it waits for our word before it sends
        try:
            async with asyncio.timeout(_LINGER_S):
                while not self._is_whole:
                    await self._part()
        except (TimeoutError, ClientGone):
            return False
        return True

    async def _part(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._is_whole = not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part

    def replay(self, body: bytes) -> Receive:
        """A `receive` for the route, which finds the body as if it had just come."""
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await self._receive()

        return again
