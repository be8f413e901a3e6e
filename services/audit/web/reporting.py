"""The pages of reports and reviews."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import telemetry
from services.audit.domain.review import STATES
from services.audit.reports import catalog, running
from services.audit.reports import door as reports_door
from services.audit.reports.saying import in_words
from services.audit.web import pages
from services.audit.web.console import Console
from services.audit.web.words import reader_of

_GROUPS = ("people", "documents", "detections")
_NOT_PARAMETERS = frozenset({"format", "why", "run"})


def routes(console: Console) -> list[Route]:
    """Reports and reviews."""
    return [
        console.route(f"{pages.HOME}/reports", list_reports),
        console.route(f"{pages.HOME}/reports/{{name}}", show_report),
        console.route(f"{pages.HOME}/reviews", list_reviews),
        console.route(f"{pages.HOME}/reviews/{{id}}", show_review),
        console.route(f"{pages.HOME}/reviews/{{id}}", decide, method="POST"),
    ]


def list_reports(console: Console, request: Request) -> Response:
    """GET: every report with its rule in words."""
    reader = reader_of(request)
    groups = {
        group: [
            {"name": each.name, "title": each.title(reader), "rule": each.explanation(reader)}
            for each in catalog.REPORTS.values()
            if each.group == group
        ]
        for group in _GROUPS
    }
    return console.page(request, "reports.html", groups=groups)


def show_report(console: Console, request: Request) -> Response:
    """GET: what the report needs to be told; with `run=1` its rows, with `format` the file."""
    reader, name = reader_of(request), request.path_params["name"]
    sent = dict(request.query_params)
    if sent.get("run") and sent.get("format"):
        console.fresh(request)
    caller = console.caller(request, sent.get("why", ""))
    report = catalog.report_named(name)
    result = None
    if sent.get("run"):
        given = {key: value for key, value in sent.items() if key not in _NOT_PARAMETERS and value}
        cause = telemetry.current_cause()
        result = running.run(console.room, name, given, caller, cause, reader=reader)
        form = sent.get("format", "")
        if form:
            content = reports_door.exported(
                console.room, result, form=form, reader=reader, caller=caller, cause=cause
            )
            return reports_door.file_answer(name, form, content)
    columns: list[str] = []
    rows: list[dict[str, str]] = []
    if result:
        rows = [in_words(row, reader) for row in result.rows]
        columns = [each for each in result.columns if any(row.get(each) for row in rows)]
    return console.page(
        request,
        "report.html",
        report=report,
        title=report.title(reader),
        rule=report.explanation(reader),
        sent=sent,
        result=result,
        rows=rows,
        columns=columns,
    )


def list_reviews(console: Console, request: Request) -> Response:
    """GET: the queue, the one due first before the others; that it was read is an entry."""
    caller, now = console.caller(request), console.room.clock.now()
    state = request.query_params.get("state", "open")
    state = state if state in (*STATES, "all") else "open"
    console.room.access.record_read(
        caller, record_type="Review", record_id="", action="search", criteria=["state"],
        cause=telemetry.current_cause(),
    )  # fmt: skip
    found = console.room.reviews.queue("" if state == "all" else state)
    rows = [{"review": each, "is_overdue": each.is_overdue(now)} for each in found]
    return console.page(request, "reviews.html", rows=rows, state=state, states=STATES)


def show_review(console: Console, request: Request) -> Response:
    """GET: one review with its entries; that it was read is an entry."""
    caller, review_id = console.caller(request), request.path_params["id"]
    review = console.room.reviews.find(review_id)
    console.room.access.record_read(
        caller, record_type="Review", record_id=review_id, action="read", cause=telemetry.current_cause()
    )
    hits = running.hits_of(console.room, review.numbers)
    reader = reader_of(request)
    rows: list[dict[str, Any]] = [
        in_words(running.entry_row(hit, reader), reader) | {"id": hit.document["id"], "is_denied": False}
        for hit in hits
    ]
    is_overdue = review.is_overdue(console.room.clock.now())
    return console.page(
        request, "review.html", review=review, rows=rows, states=STATES, is_overdue=is_overdue
    )


def decide(console: Console, request: Request) -> Response:
    """POST: a reviewer's decision with its reason."""
    fields, review_id = request.state.fields, request.path_params["id"]
    caller, cause = console.caller(request), telemetry.current_cause()
    console.room.reviews.decide(review_id, fields.get("state", ""), fields.get("note", ""), caller, cause)
    return RedirectResponse(f"{pages.HOME}/reviews/{review_id}", 303)
