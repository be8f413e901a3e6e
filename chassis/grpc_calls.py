"""What happens around every gRPC call of our services, in its own thread.

The trace continues, a deadline is asked for, the caller is read and gets a place, MongoDB gets what is left of the
deadline, and whatever the method raises becomes a status with details (AIP-193 and google.rpc).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

import grpc
import pymongo
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status
from opentelemetry.trace import SpanKind

from chassis import answers, identity, metrics, telemetry
from chassis.errors import Kind, Refusal
from chassis.failpoints import failpoint
from chassis.identity import Caller
from chassis.live_streams import LiveStreams
from chassis.policy import Policy
from chassis.rich_status import code_name, internal_status, refusal_status
from chassis.shares import Shares

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


class TokenReading(Protocol):
    """Turns a bearer token into a caller, or refuses."""

    def read(self, token: str, purpose: str = "") -> Caller: ...


class Around(grpc.ServerInterceptor):
    """Wraps the methods of our own services; health and reflection are open and have no deadline."""

    def __init__(
        self,
        ours: frozenset[str],
        tokens: TokenReading,
        on_denied: answers.OnDenied,
        shares: Shares,
        policy: Policy,
    ) -> None:
        self._ours = ours
        self._policy = policy
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
                answer = behavior(request, context)
                failpoint("api.after_call_before_answer")
                return answer

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
                        self._policy.admit(door_of(method), caller)
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


def door_of(method: str) -> str:
    """What the policy calls a method: "IntakeService/GetReferral", without its package."""
    service, _, name = method.partition("/")
    return f"{service.rpartition('.')[2]}/{name}"


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
