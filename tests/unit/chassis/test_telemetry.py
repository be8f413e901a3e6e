"""Spans and the traceparent that links them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry

MARK = "Marisol-Quintero-1987"
REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True)
class Where:
    """Only what telemetry reads."""

    spans_file: str = ""
    otlp_endpoint: str = ""


@pytest.fixture
def spans(tmp_path: Path) -> Iterator[Any]:
    """Telemetry that writes a file; call the result for the spans so far."""
    path = tmp_path / "spans"
    telemetry.start("example", "api", Where(str(path)))

    def read() -> list[dict[str, Any]]:
        text = path.read_text()
        assert MARK not in text
        return [json.loads(line) for line in text.splitlines()]

    yield read
    telemetry.stop()


def test_a_span_continues_the_trace_it_was_handed(spans: Any) -> None:
    """A span under a remote traceparent has its trace id and its span as parent."""
    with telemetry.continue_trace(REMOTE), telemetry.span("outer"):
        handed_on = telemetry.current_traceparent()
    with telemetry.continue_trace(handed_on), telemetry.span("inner"):
        pass
    outer, inner = spans()
    assert outer["trace_id"] == inner["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert outer["parent_id"] == "b7ad6b7169203331"
    assert inner["parent_id"] == outer["span_id"]
    assert handed_on == f"00-{outer['trace_id']}-{outer['span_id']}-01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "00-" + "0" * 32 + "-" + "0" * 16 + "-01",
        "ff" + REMOTE[2:],
        REMOTE.upper(),
        REMOTE + "-x",
        MARK,
    ],
)
def test_a_bad_traceparent_starts_a_new_trace(spans: Any, text: str) -> None:
    """A traceparent that is none is not passed on and breaks nothing."""
    with telemetry.span("around"), telemetry.continue_trace(text), telemetry.span("alone"):
        pass
    alone, around = spans()
    assert alone["parent_id"] == ""
    assert alone["trace_id"] != around["trace_id"]


def test_only_allowed_attributes_are_kept(spans: Any) -> None:
    """An attribute with an unknown name, or a value that could be a sentence, never reaches a span."""
    with telemetry.span("rank", referral_id="ref_1", name=MARK, note_id=f"{MARK} said so", candidate_count=3):
        telemetry.add(offer_id="off_1", address=MARK)
    (span,) = spans()
    assert span["attributes"] == {"referral_id": "ref_1", "candidate_count": 3, "offer_id": "off_1"}


def test_an_error_marks_the_span_without_its_words(spans: Any) -> None:
    """A span that failed tells the error's type and nothing it said."""
    with pytest.raises(ValueError, match="Marisol"), telemetry.span("rank"):
        raise ValueError(MARK)
    (span,) = spans()
    assert not span["is_ok"]
    assert span["attributes"] == {"error": "ValueError"}


def test_no_exporter_is_given_an_errors_words(spans: Any) -> None:
    """What any exporter gets of a failed span has neither an exception event nor a status text."""
    kept = InMemorySpanExporter()
    telemetry._state["provider"].add_span_processor(SimpleSpanProcessor(kept))
    with pytest.raises(ValueError, match="Marisol"), telemetry.span("rank"):
        raise ValueError(MARK)
    (span,) = kept.get_finished_spans()
    assert span.events == ()
    assert MARK not in span.to_json()


def test_a_trace_that_is_not_kept_stays_so(spans: Any) -> None:
    """A parent that was not sampled keeps its children out of the file, and the traceparent says so."""
    with telemetry.continue_trace(REMOTE[:-2] + "00"), telemetry.span("quiet"):
        assert telemetry.current_traceparent().endswith("-00")
    assert spans() == []


def test_without_a_place_to_go_the_trace_still_links() -> None:
    """With telemetry off there is still one trace id from the request to the last event."""
    telemetry.start("example", "api", Where())
    try:
        with telemetry.continue_trace(REMOTE), telemetry.span("outer"):
            assert telemetry.current_traceparent().split("-")[1] == "0af7651916cd43dd8448eb211c80319c"
    finally:
        telemetry.stop()


def test_without_a_place_to_go_a_new_trace_begins_at_the_door() -> None:
    """With telemetry off a request without a traceparent still gets one trace, and the next request another."""
    seen = []
    for _ in range(2):
        with telemetry.continue_trace(""), telemetry.span("door"):
            outer = telemetry.current_traceparent()
            with telemetry.span("inner"):
                assert telemetry.current_traceparent().split("-")[1] == outer.split("-")[1]
            seen.append(outer.split("-")[1])
        assert telemetry.current_traceparent() == ""
    assert seen[0] != seen[1]
    assert all(len(trace_id) == 32 for trace_id in seen)


def test_the_cause_names_request_and_trace(spans: Any) -> None:
    """What a request writes carries the request's correlation id and trace."""
    with telemetry.span("door"), telemetry.correlated("req_" + "0a" * 16):
        cause = telemetry.current_cause()
        assert cause.traceparent == telemetry.current_traceparent()
    assert (cause.correlation_id, cause.event_id) == ("req_" + "0a" * 16, "")


@pytest.mark.parametrize("text", ["", "has space", "x" * 101, "ünïcode", "line\nbreak"])
def test_a_bad_correlation_id_is_replaced(text: str) -> None:
    """A correlation id that could carry a sentence is not taken over."""
    with telemetry.correlated(text) as correlation_id:
        assert correlation_id.startswith("req_")
