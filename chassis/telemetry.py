"""One trace from the request to the audit entry: spans with ids only, and the W3C traceparent that links them.

Spans leave by OTLP over HTTP (never over gRPC: a worker must not hold it) from a bounded queue that drops when it is
full, or as JSON lines into a file for tests.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from chassis import logs
from chassis.envelope import Cause
from chassis.ids import new_id

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
# Ours or a UUID: it travels on the bus and into logs, so it must not be able to hold a name.
_CORRELATION = re.compile(
    r"[a-z]{3}_[0-9a-f]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
_QUEUED_SPANS = 2_048
_EXPORT_TIMEOUT_S = 2
_STOP_S = 3.0

_correlation: ContextVar[str] = ContextVar("correlation_id", default="")
_state: dict[str, Any] = {"provider": None, "tracer": trace.NoOpTracer(), "goes_somewhere": False}


class TelemetrySettings(Protocol):
    """The settings that say where spans go."""

    @property
    def otlp_endpoint(self) -> str: ...
    @property
    def spans_file(self) -> str: ...


def start(service: str, role: str, settings: TelemetrySettings, *, ratio: float = 1.0) -> None:
    """Spans of this process go where the settings say; with neither a collector nor a file they cost next to nothing.

    `ratio` of new traces is kept; a trace that began elsewhere is kept where its beginning was.
    Start it once per process, after eventlet's patch in a worker.
    """
    stop()
    if not (settings.otlp_endpoint or settings.spans_file):
        return
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"kindred.{service}", "service.role": role}),
        sampler=ParentBased(TraceIdRatioBased(ratio)),
        shutdown_on_exit=False,
    )
    if settings.spans_file:
        provider.add_span_processor(SimpleSpanProcessor(SpanLines(settings.spans_file)))
    if settings.otlp_endpoint:
        provider.add_span_processor(_batched(settings.otlp_endpoint))
    _state.update(provider=provider, tracer=provider.get_tracer("kindred"), goes_somewhere=True)


def _batched(endpoint: str) -> BatchSpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    url = endpoint.rstrip("/")
    url = url if url.endswith("/v1/traces") else f"{url}/v1/traces"
    return BatchSpanProcessor(
        OTLPSpanExporter(endpoint=url, timeout=_EXPORT_TIMEOUT_S),
        max_queue_size=_QUEUED_SPANS,
        max_export_batch_size=512,
        schedule_delay_millis=2_000,
    )


def stop() -> None:
    """Spans still queued are sent if the collector answers within 3 s; a silent one holds nobody up."""
    provider = _state["provider"]
    _state.update(provider=None, tracer=trace.NoOpTracer(), goes_somewhere=False)
    if provider is None:
        return
    last = threading.Thread(target=provider.shutdown, name="telemetry-stop", daemon=True)
    last.start()
    last.join(_STOP_S)


@contextmanager
def span(name: str, kind: SpanKind = SpanKind.INTERNAL, /, **ids: Any) -> Iterator[trace.Span]:
    """A span around the block; attributes that are not on the allow-list of `chassis.logs` are dropped.

    An error marks the span with its type and is raised on; its message is never recorded.
    """
    if not _state["goes_somewhere"]:
        with _linked() as current:
            yield current
        return
    with _state["tracer"].start_as_current_span(
        name, kind=kind, attributes=_allowed(ids), record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            fail(current, logs.type_name(error))
            raise


@contextmanager
def _linked() -> Iterator[trace.Span]:
    """No span is made (50 µs) where none would be kept; a trace id there is all the same, for logs and events."""
    current = trace.get_current_span()
    if current.get_span_context().is_valid:
        yield current
        return
    ids = SpanContext(random.getrandbits(128) | 1, random.getrandbits(64) | 1, is_remote=False)
    current = NonRecordingSpan(ids)
    token = otel_context.attach(trace.set_span_in_context(current))
    try:
        yield current
    finally:
        otel_context.detach(token)


def is_kept() -> bool:
    """Whether the spans of this process go anywhere."""
    return bool(_state["goes_somewhere"])


def fail(current: trace.Span, code: str) -> None:
    """The span is marked as failed with a code or an error's type."""
    if current.is_recording():
        current.set_status(Status(StatusCode.ERROR))
        current.set_attribute("error", code)


def add(**ids: Any) -> None:
    """The current span gets these attributes, as far as they are allowed."""
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attributes(_allowed(ids))


def _allowed(ids: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _plain(value)
        for name, value in ids.items()
        if value is not None and logs.is_allowed(name, value)
    }


def _plain(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, (list, tuple, set, frozenset)) else value


def current_traceparent() -> str:
    """The W3C traceparent of the current span, or "" outside any trace."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return ""
    return f"00-{current.trace_id:032x}-{current.span_id:016x}-{int(current.trace_flags):02x}"


@contextmanager
def continue_trace(traceparent: str) -> Iterator[None]:
    """Spans started in the block belong to the trace that the text names; a text that is none starts a new trace."""
    parent = _parent(traceparent)
    base = otel_context.Context()
    token = otel_context.attach(trace.set_span_in_context(NonRecordingSpan(parent), base) if parent else base)
    try:
        yield
    finally:
        otel_context.detach(token)


def _parent(traceparent: str) -> SpanContext | None:
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or found.group(1) == "ff":
        return None
    parent = SpanContext(
        int(found.group(2), 16),
        int(found.group(3), 16),
        is_remote=True,
        trace_flags=TraceFlags(int(found.group(4), 16) & 1),
    )
    return parent if parent.is_valid else None


@contextmanager
def correlated(correlation_id: str) -> Iterator[str]:
    """Everything the block writes carries this id; a text that is no id, or none, is replaced by a new one."""
    if not _CORRELATION.fullmatch(correlation_id or ""):
        correlation_id = new_id("req")
    token = _correlation.set(correlation_id)
    try:
        with logs.bound(correlation_id=correlation_id):
            yield correlation_id
    finally:
        _correlation.reset(token)


def current_cause() -> Cause:
    """The request or message being served, as the cause of what it writes."""
    return Cause(
        correlation_id=_correlation.get() or new_id("req"), event_id="", traceparent=current_traceparent()
    )


class SpanLines(SpanExporter):
    """Appends each span as one JSON line; several processes may share the file."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Writes whole lines with one system call."""
        lines = "".join(json.dumps(_line(span), separators=(",", ":")) + "\n" for span in spans)
        try:
            os.write(self._handle, lines.encode())
        except OSError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Closes the file."""
        with suppress(OSError):
            os.close(self._handle)


def _line(span: ReadableSpan) -> dict[str, Any]:
    own = span.get_span_context()
    return {
        "name": span.name,
        "trace_id": f"{own.trace_id:032x}" if own else "",
        "span_id": f"{own.span_id:016x}" if own else "",
        "parent_id": f"{span.parent.span_id:016x}" if span.parent else "",
        "kind": span.kind.name.lower(),
        "service": span.resource.attributes.get("service.name", ""),
        "role": span.resource.attributes.get("service.role", ""),
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "is_ok": span.status.status_code is not StatusCode.ERROR,
        "attributes": dict(span.attributes or {}),
    }
