"""The gRPC door: threads, limits, health and reflection, and what happens around every call of our services.

Around a call, in its own thread: the trace continues, a deadline is asked for, the caller is read, MongoDB gets what
is left of the deadline, and whatever the method raises becomes a status with details (AIP-193 and google.rpc).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import pymongo
from google.rpc import code_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status
from opentelemetry.trace import SpanKind

from chassis import answers, identity, logs, metrics, telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.live_streams import LiveStreams
from chassis.rich_status import code_name, internal_status, refusal_status
from chassis.shares import Shares

KEEPALIVE_MS = 60_000
GRACE_S = 20.0
# A call further away than this has no deadline in any useful sense; grpc reports "none" as the end of time.
_LONGEST_CALL_S = 86_400.0
# MongoDB never gets more than this of a call's time, so that a frozen database is noticed.
_LONGEST_STORE_S = 10.0
# What a call keeps of its time to tell its caller that the store did not answer.
_ANSWER_S = 1.0
# A denial is put down even where its caller has no time left.
_SHORTEST_NOTE_S = 1.0
# Tells grpc's own retries to stop (gRFC A6): one that begins now would end as DEADLINE_EXCEEDED and hide the answer.
_NO_RETRY = ("grpc-retry-pushback-ms", "-1")
log = logs.get()


class GrpcSettings(Protocol):
    """The settings this door reads."""

    @property
    def grpc_address(self) -> str: ...
    @property
    def max_body_bytes(self) -> int: ...
    @property
    def organization_per_s(self) -> float: ...


class TokenReading(Protocol):
    """Turns a bearer token into a caller, or refuses."""

    def read(self, token: str, purpose: str = "") -> Caller: ...


@dataclass(frozen=True)
class GrpcService:
    """One service to serve: its full proto name, the generated function that adds it, and the servicer."""

    full_name: str
    add: Callable[[Any, Any], None]
    servicer: object


def build_server(
    settings: GrpcSettings,
    *,
    services: Sequence[GrpcService],
    tokens: TokenReading,
    on_denied: answers.OnDenied,
    threads: int = 32,
    concurrent: int = 96,
) -> KindredGrpcServer:
    """A server bound to the settings' address and not yet started.

    At most `concurrent` calls are in the process; more are answered RESOURCE_EXHAUSTED at once.
    Raises RuntimeError where the address cannot be bound.
    """
    pool = _Pool(threads, thread_name_prefix="grpc")
    shares = Shares(threads, settings.organization_per_s, is_crowded=lambda: pool.waiting > threads // 4)
    around = _Around(frozenset(service.full_name for service in services), tokens, on_denied, shares)
    server = grpc.server(
        pool,
        interceptors=[around],
        options=_options(settings.max_body_bytes),
        maximum_concurrent_rpcs=concurrent,
    )
    for service in services:
        service.add(service.servicer, server)
    names = [service.full_name for service in services]
    watches = health.HealthServicer(
        experimental_non_blocking=True,
        experimental_thread_pool=ThreadPoolExecutor(2, thread_name_prefix="health"),
    )
    health_pb2_grpc.add_HealthServicer_to_server(watches, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = server.add_insecure_port(settings.grpc_address)
    return KindredGrpcServer(server, watches, names, port, around.live)


def _options(max_body_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_body_bytes),
        ("grpc.max_send_message_length", max_body_bytes),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients may ping as often as ours do (60 s), with room for their clocks; more is answered GOAWAY.
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
        # Long-lived connections come back now and then, so that new replicas get their share.
        ("grpc.max_connection_age_ms", 30 * 60_000),
        ("grpc.max_connection_age_grace_ms", 30_000),
        ("grpc.so_reuseport", 0),
    ]


class KindredGrpcServer:
    """A server that can be started once and stopped gently."""

    def __init__(
        self,
        server: grpc.Server,
        watches: health.HealthServicer,
        names: Sequence[str],
        port: int,
        live: LiveStreams,
    ) -> None:
        self._server, self._live = server, live
        self._health = watches
        self._names = ["", *names]
        self.port = port

    def start(self) -> None:
        """Calls are served and health says SERVING."""
        self._server.start()
        for name in self._names:
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Health says NOT_SERVING first; new calls and live streams get UNAVAILABLE; others have `grace_s` to end."""
        self._health.enter_graceful_shutdown()
        self._live.stop()
        self._server.stop(grace_s).wait(grace_s + 5.0)


class _Around(grpc.ServerInterceptor):
    """Wraps the methods of our own services; health and reflection are open and have no deadline."""

    def __init__(
        self, ours: frozenset[str], tokens: TokenReading, on_denied: answers.OnDenied, shares: Shares
    ) -> None:
        self._ours = ours
        self._shares = shares
        self._tokens = tokens
        self._on_denied = on_denied
        self._wrapped: dict[str, grpc.RpcMethodHandler] = {}
        self.live = LiveStreams(self._status)

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """The method's handler with everything around it; made once per method, because this runs on every call."""
        method = details.method.lstrip("/")
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = continuation(details)
            if handler is None or method.partition("/")[0] not in self._ours:
                return handler
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Any) -> grpc.RpcMethodHandler:
        behavior, make = _behavior(handler)
        if getattr(behavior, "is_live", False):
            around = self.live.wrap(method, behavior, self._open)
        elif handler.response_streaming:
            around = self._streaming(method, behavior)
        else:
            around = self._single(method, behavior)
        return make(around, handler.request_deserializer, handler.response_serializer)

    def _single(self, method: str, behavior: Callable[..., Any]) -> Callable[..., Any]:
        def call(request: Any, context: grpc.ServicerContext) -> Any:
            with self._served(method, context):
                return behavior(request, context)

        return call

    def _streaming(self, method: str, behavior: Callable[..., Any]) -> Callable[..., Any]:
        def call(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._served(method, context):
                yield from behavior(request, context)

        return call

    @contextmanager
    def _open(self, method: str, context: grpc.ServicerContext) -> Iterator[None]:
        """A stream that stays open waits, and is no work that could crowd anybody out."""
        with self._served(method, context, holds_place=False):
            yield

    @contextmanager
    def _served(
        self, method: str, context: grpc.ServicerContext, *, holds_place: bool = True
    ) -> Iterator[None]:
        sent = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        started = time.perf_counter()
        metrics.RPC_RUNNING.inc()
        code = "OK"
        answer: status_pb2.Status | None = None
        try:
            with (
                telemetry.continue_trace(sent.get("traceparent", "")),
                telemetry.correlated(sent.get("x-request-id", "")),
                telemetry.span(method, SpanKind.SERVER, method=method) as span,
            ):
                caller = None
                try:
                    remaining_s = _remaining_s(context)
                    caller = self._caller(sent)
                    with (
                        self._shares.entered(caller) if holds_place else nullcontext(),
                        identity_of(caller),
                        pymongo.timeout(_store_s(remaining_s)),
                    ):
                        yield
                except Exception as error:
                    if _is_abort(error):
                        code = "ABORTED_BY_METHOD"
                        raise
                    with pymongo.timeout(max(_store_s(context.time_remaining()), _SHORTEST_NOTE_S)):
                        answer = self._status(error, caller, method)
                    code = code_name(answer.code)
                    telemetry.fail(span, code)
            if answer is not None:
                context.abort_with_status(_final(answer, context.time_remaining()))
        except GeneratorExit:
            code = "CANCELLED"
            raise
        finally:
            metrics.RPC_RUNNING.dec()
            metrics.RPC_SECONDS.labels(method, code).observe(time.perf_counter() - started)

    def _caller(self, sent: dict[str, str]) -> Caller:
        scheme, _, token = sent.get("authorization", "").partition(" ")
        if not token:
            raise Refusal("token-missing", Kind.UNAUTHENTICATED, "A bearer token is needed.")
        if scheme.lower() != "bearer":
            raise Refusal("token-invalid", Kind.UNAUTHENTICATED, "The authorization scheme must be Bearer.")
        return self._tokens.read(token.strip(), sent.get("x-purpose-of-use", ""))

    def _status(self, error: BaseException, caller: Caller | None, method: str) -> status_pb2.Status:
        if isinstance(error, DeadlinePassed):
            return status_pb2.Status(
                code=code_pb2.DEADLINE_EXCEEDED, message="The deadline passed before the call began."
            )
        refusal = answers.refusal_for(error)
        if refusal is None:
            return internal_status(answers.note_bug(error, "grpc", method))
        answers.note_refusal(refusal, error, caller, method, self._on_denied)
        return refusal_status(refusal)


class _Pool(ThreadPoolExecutor):
    """A thread pool that says how many calls wait for a thread."""

    def __init__(self, threads: int, thread_name_prefix: str) -> None:
        super().__init__(threads, thread_name_prefix)
        self.waiting = 0
        self._counting = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As in the base class; a call waits from here until its thread begins."""
        self._count(1)

        def begun() -> Any:
            self._count(-1)
            return fn(*args, **kwargs)

        return super().submit(begun)

    def _count(self, change: int) -> None:
        with self._counting:
            self.waiting += change


class DeadlinePassed(Exception):  # noqa: N818
    """The caller no longer waits, so nothing was started (fault F-03)."""


def _remaining_s(context: grpc.ServicerContext) -> float:
    remaining_s = context.time_remaining()
    if remaining_s is None or remaining_s > _LONGEST_CALL_S:
        raise Refusal("deadline-required", Kind.INVALID, "Set a deadline: 2 s for reads, 5 s for writes.")
    if remaining_s <= 0 or not context.is_active():
        raise DeadlinePassed
    return remaining_s


def _store_s(remaining_s: float | None) -> float:
    """MongoDB's share of a call's time, in seconds: what is needed for the answer is kept, of a short call half."""
    if remaining_s is None:
        return _LONGEST_STORE_S
    return min(max(remaining_s - _ANSWER_S, remaining_s / 2), _LONGEST_STORE_S)


def _final(answer: status_pb2.Status, remaining_s: float | None) -> Any:
    """The answer as grpc sends it; near the deadline without a retry, so that the caller reads this answer."""
    status: Any = rpc_status.to_status(answer)
    if remaining_s is not None and remaining_s < 2 * _ANSWER_S:
        return status._replace(trailing_metadata=(*status.trailing_metadata, _NO_RETRY))
    return status


def _is_abort(error: Exception) -> bool:
    """True for what `context.abort` raises: a bare Exception without words, so letting it through tells nothing."""
    return type(error) is Exception and not error.args


@contextmanager
def identity_of(caller: Caller | None) -> Iterator[None]:
    """`chassis.identity.current_caller` is this caller in the block."""
    token = identity.set_current(caller)
    try:
        yield
    finally:
        identity.reset_current(token)


def _behavior(handler: Any) -> tuple[Callable[..., Any], Callable[..., grpc.RpcMethodHandler]]:
    if handler.request_streaming and handler.response_streaming:
        return handler.stream_stream, grpc.stream_stream_rpc_method_handler
    if handler.request_streaming:
        return handler.stream_unary, grpc.stream_unary_rpc_method_handler
    if handler.response_streaming:
        return handler.unary_stream, grpc.unary_stream_rpc_method_handler
    return handler.unary_unary, grpc.unary_unary_rpc_method_handler
