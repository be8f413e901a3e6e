"""What happens around every HTTP request: limits, identity, trace, and one answer for whatever a route raises."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pymongo
from opentelemetry.trace import Span, SpanKind
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis import answers, identity, metrics, telemetry
from chassis.errors import HTTP_STATUS, Kind, Refusal
from chassis.http_names import method_of, route_of
from chassis.http_streams import TOO_SLOW, ClientGone, Incoming, Outgoing
from chassis.identity import Caller
from chassis.readiness import Readiness, page
from chassis.shares import PER_S, Shares

RenderRefusal = Callable[[Request, Refusal], Response]
_STORE_S = 8.0
_MOST_RUNNING = 128
# Bodies on their way hold no place; so many requests are in the process at the very most, for each that may run.
_WAITING_TO_RUNNING = 4
_OPERATIONS_AT_ONCE = 4


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
        self._shares = Shares(_MOST_RUNNING, rules.organization_per_s, most_of_one=_MOST_RUNNING * 3 // 4)
        # Whether we are alive is told also while every thread is busy.
        self._operations_places: anyio.CapacityLimiter | None = None

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
        outgoing = Outgoing(send, on_stream=place.close)
        try:
            with (
                telemetry.continue_trace(headers.get("traceparent", "")),
                telemetry.correlated(headers.get("x-request-id", "")) as correlation_id,
                telemetry.span(method_of(scope), SpanKind.SERVER) as span,
            ):
                outgoing.headers["x-request-id"] = correlation_id
                await self._serve(scope, headers, Incoming(headers, receive), outgoing, place)
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
        if self._operations_places is None:
            self._operations_places = anyio.CapacityLimiter(_OPERATIONS_AT_ONCE)
        ask = partial(page, scope["path"], self.rules.readiness)
        shown = await anyio.to_thread.run_sync(ask, limiter=self._operations_places)
        assert shown is not None
        status, content_type, body = shown
        response = Response(body, status, {"content-type": content_type, "cache-control": "no-store"})
        await response(scope, receive, send)
        return True

    async def _serve(
        self, scope: Scope, headers: Headers, incoming: Incoming, outgoing: Outgoing, place: ExitStack
    ) -> None:
        caller: Caller | None = None
        try:
            if self.running > _MOST_RUNNING * _WAITING_TO_RUNNING:
                raise Refusal("overloaded", Kind.EXHAUSTED, "Too many requests at once.", retry_after_s=1)
            caller = self._caller(headers)
            body = await incoming.read(self.rules.max_body_bytes)
            # Whoever sends slowly holds no place meanwhile.
            place.enter_context(self._shares.entered(caller, (scope.get("client") or ("",))[0]))
            await self._served(caller, body, scope, incoming, outgoing)
        except ClientGone:
            outgoing.status = 499
        except Exception as error:
            if outgoing.status:
                raise  # too late for another answer: the connection is cut, so that nobody takes half for whole
            await self._answer(error, caller, scope, incoming, outgoing)

    async def _served(
        self, caller: Caller | None, body: bytes, scope: Scope, incoming: Incoming, outgoing: Outgoing
    ) -> None:
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
        self, error: Exception, caller: Caller | None, scope: Scope, incoming: Incoming, outgoing: Outgoing
    ) -> None:
        method = f"{method_of(scope)} {route_of(scope)}"
        refusal = answers.refusal_for(error)
        status: int | None = None
        if refusal is None:
            error_id = answers.note_bug(error, "http", method)
            message = f"Something went wrong here. Its number is {error_id}."
            refusal = Refusal("internal", Kind.UNAVAILABLE, message, error_id=error_id)
            status = 500
        else:
            await self._note(refusal, error, caller, method)
        if refusal.code == TOO_SLOW:
            status = 408
        response = rendered(self.rules.render_refusal, Request(scope), refusal, status)
        if status == 408 or not await incoming.drain():
            response.headers["connection"] = "close"
        await response(scope, incoming.replay(b""), outgoing)

    async def _note(self, refusal: Refusal, error: Exception, caller: Caller | None, method: str) -> None:
        noted = partial(answers.note_refusal, refusal, error, caller, method, self.rules.on_denied)
        if refusal.kind is Kind.EXHAUSTED:
            noted()  # only counted: a crowd that is sent away must not wait for a thread
        else:
            await run_in_threadpool(noted)

    def _name_span(self, span: Span, scope: Scope, status: int) -> None:
        route = route_of(scope)
        span.update_name(f"{method_of(scope)} {route}")
        telemetry.add(method=method_of(scope), route=route, status=status)
        if status >= 500:
            telemetry.fail(span, str(status))


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
