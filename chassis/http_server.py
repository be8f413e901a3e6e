"""The HTTP door: a Starlette application on uvicorn, in a thread with a loop of its own.

Sync routes run in the thread pool, where they may touch the store.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from chassis import answers, logs
from chassis.errors import Kind, Refusal
from chassis.http_requests import (
    AroundRequests,
    RenderRefusal,
    RequestRules,
    http_exception_answer,
    render_plain,
)
from chassis.https import HttpsContext
from chassis.policy import Policy, ours
from chassis.policy.routes import guarded
from chassis.readiness import Check, Readiness

__all__ = ["HttpServer", "build_app", "form", "render_plain", "serve"]
# A client has this long to send a whole request head, also on a connection that is kept open.
HEAD_S = 10.0
_KEEP_ALIVE_S = 5
_RENEWED_WITHIN_S = 10.0
_STALLED_MS = 60_000
_MOST_CONNECTIONS = 1_000
_MAX_HEAD_BYTES = 32_768
_MOST_FIELDS = 200
log = logs.get()


class HttpSettings(Protocol):
    """The settings this door reads."""

    @property
    def max_body_bytes(self) -> int: ...
    @property
    def organization_per_s(self) -> float: ...


def build_app(
    settings: HttpSettings,
    *,
    routes: Sequence[BaseRoute],
    tokens: Any,
    readiness: Readiness | Mapping[str, Check],
    render_refusal: RenderRefusal = render_plain,
    on_denied: answers.OnDenied,
    policy: Policy | None = None,
) -> Starlette:
    """The application with /healthz, /readyz and /metrics, and every route behind the same limits and answers.

    Each route asks `policy` first, ours where none is named; raises DoorWithoutPolicy for one that it does not know.
    """
    asked = readiness if isinstance(readiness, Readiness) else Readiness(readiness)
    rules = RequestRules(
        settings.max_body_bytes, tokens, asked, render_refusal, on_denied, settings.organization_per_s
    )
    return Starlette(
        routes=guarded(routes, policy or ours()),
        middleware=[Middleware(AroundRequests, rules)],
        exception_handlers={HTTPException: http_exception_answer(render_refusal)},
    )


def waiting_app(
    settings: HttpSettings, readiness: Readiness, render_refusal: RenderRefusal = render_plain
) -> ASGIApp:
    """The application before the doors are open: every path says 503 with Retry-After, readiness says what is missing."""
    rules = RequestRules(settings.max_body_bytes, _Unread(), readiness, render_refusal, lambda *_: None)

    async def not_yet(scope: Any, receive: Any, send: Any) -> None:
        raise Refusal(
            "starting", Kind.UNAVAILABLE, "This service is not ready yet; try again.", retry_after_s=2
        )

    return AroundRequests(not_yet, rules)


class _Unread:
    """Before the keys are read nobody is known, and nobody is served."""

    def read(self, token: str, purpose: str = "") -> None:
        """None, whatever the token says."""


def form(request: Request) -> dict[str, str]:
    """The fields of a posted HTML form (application/x-www-form-urlencoded); the last of equal names wins.

    Raises Refusal INVALID where the body is none.
    """
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refusal("form-expected", Kind.INVALID, "Send application/x-www-form-urlencoded.")
    try:
        text = request.state.body.decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
    except ValueError:
        raise Refusal("form-unreadable", Kind.INVALID, "The form cannot be read.") from None


class HttpServer:
    """uvicorn in a thread; `port` is the one it listens on, with TLS where a certificate file is named."""

    def __init__(self, app: ASGIApp, bound: socket.socket, tls_cert: str = "") -> None:
        self.port: int = bound.getsockname()[1]
        self._https = HttpsContext(Path(tls_cert)) if tls_cert else None
        self._is_stopped = threading.Event()
        self._bound = bound
        self._app = app
        config = uvicorn.Config(
            self._dispatch,
            http=_PatientProtocol,
            interface="asgi3",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_S,
            # Else a connection that was read from while a request ran (a body over 64 KB) hands that request's
            # deadline and trace to every later one on it: 503 for ever, 8 seconds on.
            reset_contextvars=True,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        )
        config.load()
        config.ssl = self._https.context if self._https else None
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """The port is served; connections made before were kept waiting, not refused."""
        self._thread.start()
        if self._https:
            threading.Thread(target=self._renew, name="http-certificate", daemon=True).start()

    def switch(self, app: ASGIApp) -> None:
        """Requests from here on go to another application; running ones end where they are."""
        self._app = app

    def stop(self, grace_s: float = 20.0) -> None:
        """The port is closed at once; running requests have `grace_s` to end."""
        self._uvicorn.config.timeout_graceful_shutdown = max(1, int(grace_s))
        self._uvicorn.should_exit = True
        self._is_stopped.set()
        self._thread.join(grace_s + 2.0)
        self._bound.close()

    async def _dispatch(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":  # an answer that stays open ends by itself when the process stops
            scope.setdefault("state", {})["is_stopping"] = lambda: self._uvicorn.should_exit
        await self._app(scope, receive, send)

    def _renew(self) -> None:
        assert self._https is not None
        while not self._is_stopped.wait(_RENEWED_WITHIN_S):
            self._https.renew()

    def _run(self) -> None:
        asyncio.run(self._uvicorn.serve(sockets=[self._bound]))


def serve(app: ASGIApp, address: str, tls_cert: str = "") -> HttpServer:
    """A running server on "host:port" (port 0: any free one).

    Raises OSError where the address cannot be bound or the certificate cannot be read.
    """
    server = HttpServer(app, bind(address), tls_cert)
    server.start()
    return server


def bind(address: str) -> socket.socket:
    """A listening socket on "host:port"; raises OSError."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it every answer waits 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # A client that takes nothing of an answer is cut by the kernel; connections inherit it.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS)
    try:
        bound.bind((host.strip("[]"), int(port)))
        bound.listen(512)
    except OSError:
        bound.close()
        raise
    return bound


class _PatientProtocol(H11Protocol):
    """uvicorn's protocol with the limit it lacks: a head that does not arrive in time closes the connection."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        is_waiting = self.conn.their_state is h11.IDLE
        if not is_waiting:
            self._forget_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._give_up)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()
