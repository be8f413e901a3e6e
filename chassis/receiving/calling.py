"""Calling a listener: its message decoded, its trace continued, its time taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from chassis import catalog, metrics, out_of_memory, telemetry
from chassis.catalog import UnknownEventType
from chassis.envelope import Cause
from chassis.failpoints import failpoint
from chassis.gathering import Unit
from chassis.hearing import EVERYTHING, Heard, Listening


def heard(listening: Listening, unit: Unit) -> Heard:
    """The unit as its listener gets it; raises UnknownEventType or DecodeError."""
    envelope = unit.envelope
    if envelope is None:
        raise DecodeError
    message = None
    try:
        message = catalog.message_class(envelope.type).FromString(envelope.data)
    except UnknownEventType:
        if listening.event_type != EVERYTHING:
            raise
    if message is not None and not message.HasField("provenance"):
        raise DecodeError  # every event says who caused it; data of another type, or none, does not
    return Heard(envelope, message, envelope.cause(), unit.delivery.redelivered)


def call(worker: Any, service: str, listening: Listening, heards: Sequence[Heard]) -> Exception | None:
    """Calls the listener; returns what it raised, or None."""
    method = getattr(worker, listening.method)
    started = time.perf_counter()
    try:
        if listening.is_batch:
            metrics.BUS_BATCH_SIZE.labels(service, listening.method).observe(len(heards))
            _call_batch(method, listening, heards)
        else:
            _call_single(method, heards[0])
    except Exception as exc:  # noqa: BLE001  every error of a listener has an end
        out_of_memory.end_if_meant(exc)
        return exc
    finally:
        seconds = time.perf_counter() - started
        metrics.BUS_HANDLER_SECONDS.labels(service, listening.method).observe(seconds)
    failpoint("worker.after_handler_before_answer")
    return None


def _call_single(method: Callable[[Heard], None], one: Heard) -> None:
    envelope = one.envelope
    with (
        telemetry.continue_trace(envelope.traceparent),
        telemetry.correlated(envelope.correlation_id),
        telemetry.span(f"hear {envelope.type}", event_id=envelope.id, event_type=envelope.type),
    ):
        method(_in_trace(one))


def _call_batch(
    method: Callable[[Sequence[Heard]], None], listening: Listening, heards: Sequence[Heard]
) -> None:
    """Each event keeps its own trace; the batch as a whole is a span of its own."""
    traced = [_traced(one) for one in heards]
    with (
        telemetry.continue_trace(""),
        telemetry.span(f"batch {listening.method}", count=len(heards)),
    ):
        method(traced)


def _traced(one: Heard) -> Heard:
    envelope = one.envelope
    if envelope.traceparent and not telemetry.is_kept():
        return one  # no span would be made: the cause is the trace it came with, which it names already
    with (
        telemetry.continue_trace(envelope.traceparent),
        telemetry.span(f"hear {envelope.type}", event_id=envelope.id),
    ):
        return _in_trace(one)


def _in_trace(one: Heard) -> Heard:
    """The event with the current span as the cause of what is written because of it."""
    cause = one.cause
    traceparent = telemetry.current_traceparent() or cause.traceparent
    return Heard(
        one.envelope,
        one.message,
        Cause(cause.correlation_id, cause.event_id, traceparent),
        one.redelivered,
    )
