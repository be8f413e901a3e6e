"""Reports, reviews, the register and saved questions over HTTP for clients and the command line; roles named first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.access import provenance
from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller, current_caller, expiry_of, require, require_fresh
from chassis.ids import new_id
from kindred.access.v1.events_pb2 import RecordExported
from services.audit.domain.leaf import timestamp
from services.audit.domain.review import STATES, Review
from services.audit.reading_room import ReadingRoom
from services.audit.reports import catalog, files, running
from services.audit.reports.running import Result
from services.audit.reports.saying import in_words
from services.audit.search.door import SEARCHED_FOR
from services.audit.store import register

Answer = Callable[[ReadingRoom, Request], Response]
_MEDIA = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}
_NOT_PARAMETERS = frozenset({"format", "language"})


def routes(room: ReadingRoom) -> list[Route]:
    """Every path below /audit."""

    def served(answer: Answer) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            require(current_caller(), "compliance", purposes=SEARCHED_FOR)
            return answer(room, request)

        return guarded

    return [
        Route("/audit/reports", served(list_reports), methods=["GET"]),
        Route("/audit/reports/{name}", served(run_report), methods=["GET"]),
        Route("/audit/reviews", served(list_reviews), methods=["GET"]),
        Route("/audit/reviews/{id}", served(decide_review), methods=["POST"]),
        Route("/audit/register", served(show_register), methods=["GET"]),
        Route("/audit/register", served(feed_register), methods=["POST"]),
        Route("/audit/saved", served(list_saved), methods=["GET"]),
        Route("/audit/saved", served(keep_saved), methods=["POST"]),
        Route("/audit/tokens", partial(note_token, room), methods=["POST"]),
    ]


def list_reports(room: ReadingRoom, request: Request) -> Response:
    """Every report with its rule in words."""
    return JSONResponse({"reports": catalog.described(_reader(request))})


def run_report(room: ReadingRoom, request: Request) -> Response:
    """A report as JSON, CSV or PDF; a file is fingerprinted in the log before it leaves, and asks for a fresh sign-in."""
    form = request.query_params.get("format", "json")
    if form != "json":
        _require_known(form)
        require_fresh(current_caller(), *room.settings.step_up)
    given = {name: value for name, value in request.query_params.items() if name not in _NOT_PARAMETERS}
    reader, caller, cause = _reader(request), current_caller(), telemetry.current_cause()
    result = running.run(room, request.path_params["name"], given, caller, cause, reader=reader)
    if form == "json":
        return JSONResponse(as_json(result, reader))
    content = exported(room, result, form=form, reader=reader, caller=caller, cause=cause)
    return file_answer(result.report.name, form, content)


def exported(
    room: ReadingRoom, result: Result, *, form: str, reader: str, caller: Caller, cause: Cause
) -> bytes:
    """The file's bytes; that it leaves, with its SHA-256, is durable before this returns."""
    _require_known(form)
    content = files.to_csv(result, reader) if form == "csv" else files.to_pdf(result, reader)
    note_export(room, result, content, form=form, caller=caller, cause=cause)
    return content


def _require_known(form: str) -> None:
    if form not in _MEDIA:
        message = "A report is handed out as json, csv or pdf."
        faults = [Fault("format", "format-unknown", message)]
        raise Refusal("format-unknown", Kind.INVALID, message, faults=faults)


def note_export(
    room: ReadingRoom, result: Result, content: bytes, *, form: str, caller: Caller, cause: Cause
) -> None:
    """That the report leaves as this file, with its SHA-256, is durable."""
    event = RecordExported(
        provenance=provenance(caller, running.person_of(result.told)),
        record_type="AuditReport",
        record_id=result.report.name,
        format=form,
        criteria=[name for name, value in result.told.values.items() if value],
        rows=len(result.rows),
        content_sha256=hashlib.sha256(content).digest(),
    )
    body = {"recorded_at": room.clock.now()}
    room.access.aggregates.insert(new_id("acc"), body, cause=cause, says=[event])


def file_answer(name: str, form: str, content: bytes) -> Response:
    """The bytes as a download."""
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"', "cache-control": "no-store"}
    return Response(content, 200, headers, _MEDIA[form])


def as_json(result: Result, reader: str) -> dict[str, Any]:
    """The report with everything it says about itself."""
    return {
        "report": result.report.name,
        "title": result.report.title(reader),
        "rule": result.report.explanation(reader),
        "from": timestamp(result.told.since),
        "until": timestamp(result.told.until),
        "usual_range": result.report.usual_range,
        "parameters": dict(result.told.values),
        "searched": result.searched,
        "covered": result.covered.size,
        "checkpoint": result.covered.head.checkpoint.decode(),
        "columns": list(result.columns),
        "rows": result.rows,
        "shown": [in_words(row, reader) for row in result.rows],
        "excluded": result.excluded,
        "held_back": result.held_back,
        "is_cut": result.is_cut,
    }


def list_reviews(room: ReadingRoom, request: Request) -> Response:
    """The queue, the one due first before the others."""
    state = request.query_params.get("state", "open")
    if state not in (*STATES, "all"):
        message = f"One of: {', '.join((*STATES, 'all'))}."
        raise Refusal("review-state", Kind.INVALID, message, faults=[Fault("state", "review-state", message)])
    room.access.record_read(
        current_caller(), record_type="Review", record_id="", action="search", criteria=["state"],
        cause=telemetry.current_cause(),
    )  # fmt: skip
    now = room.clock.now()
    found = [
        _review(each, each.is_overdue(now)) for each in room.reviews.queue("" if state == "all" else state)
    ]
    return JSONResponse({"reviews": found})


def decide_review(room: ReadingRoom, request: Request) -> Response:
    """A reviewer's decision with its reason."""
    sent = _object(request)
    state, note = str(sent.get("state", "")), str(sent.get("note", ""))
    caller, cause = current_caller(), telemetry.current_cause()
    review = room.reviews.decide(request.path_params["id"], state, note, caller, cause)
    return JSONResponse(_review(review, review.is_overdue(room.clock.now())))


def show_register(room: ReadingRoom, request: Request) -> Response:
    """How many lines the register has of each kind."""
    return JSONResponse({"counts": room.register.counts()})


def feed_register(room: ReadingRoom, request: Request) -> Response:
    """Lines from the organization's own lists; feeding is itself an entry."""
    sent = _object(request).get("entries")
    if not isinstance(sent, list) or not all(isinstance(one, dict) for one in sent):
        raise Refusal("register-line", Kind.INVALID, "Send {entries: [...]}.")
    lines = register.lines_from(sent)
    room.access.record_read(
        current_caller(), record_type="Register", record_id="", action="update",
        criteria=sorted({line.kind for line in lines}), cause=telemetry.current_cause(),
    )  # fmt: skip
    return JSONResponse({"lines": len(lines), "new": room.register.feed(lines)})


def note_token(room: ReadingRoom, request: Request) -> Response:
    """Whoever was issued a token, or issued it, says so by calling with it: that it was is an entry before it is used."""
    caller = current_caller()
    token = request.headers.get("authorization", "").partition(" ")[2]
    room.access.record_token_issued(
        caller, [f"role:{caller.role}"], expiry_of(token), telemetry.current_cause()
    )
    return JSONResponse({"noted": True}, 201)


def list_saved(room: ReadingRoom, request: Request) -> Response:
    """The caller's own questions."""
    saved = room.saved.of(current_caller().actor_id)
    return JSONResponse(
        {
            "saved": [
                {
                    "id": each.saved_id,
                    "name": each.name,
                    "kind": each.kind,
                    "report": each.report,
                    "parameters": [list(pair) for pair in each.parameters],
                }
                for each in saved
            ]
        }
    )


def keep_saved(room: ReadingRoom, request: Request) -> Response:
    """A question under a name."""
    sent = _object(request)
    kind, report = str(sent.get("kind", "")), str(sent.get("report", ""))
    pairs = sent.get("parameters")
    if not isinstance(pairs, list) or not all(isinstance(one, list) and len(one) == 2 for one in pairs):
        raise Refusal("saved-parameters", Kind.INVALID, "Parameters are a list of [name, value].")
    parameters = [(str(name), str(value)) for name, value in pairs]
    if kind == "report":
        catalog.report_named(report)
    owner = current_caller().actor_id
    saved_id = room.saved.keep(owner, str(sent.get("name", "")), kind, report, parameters)
    return JSONResponse({"id": saved_id}, 201)


def _review(review: Review, is_overdue: bool) -> dict[str, Any]:
    return {
        "id": review.review_id,
        "rule": review.rule,
        "about": review.actor,
        "state": review.state,
        "reviewer": review.reviewer,
        "opened_at": timestamp(review.opened_at),
        "due_at": timestamp(review.due_at),
        "is_overdue": is_overdue,
        "entries": list(review.numbers),
        "count": review.count,
        "steps": [
            {"state": step.state, "by": step.by, "at": timestamp(step.at), "note": step.note}
            for step in review.steps
        ],
    }


def _object(request: Request) -> Mapping[str, Any]:
    try:
        sent = json.loads(request.state.body)
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise Refusal("json-expected", Kind.INVALID, "Send a JSON object.")
    return sent


def _reader(request: Request) -> str:
    asked = request.query_params.get("language", "en")
    return asked if asked in catalog.READERS else "en"
