"""The search page, one entry with its proof, and the timelines of a person and of a user."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from services.audit.fhir import fhir_id
from services.audit.reports import catalog
from services.audit.reports.running import entry_row
from services.audit.reports.saying import in_words
from services.audit.search import asked, finding
from services.audit.search.finding import Hit, Page
from services.audit.web import pages, timeline
from services.audit.web.bar import understood
from services.audit.web.console import Console
from services.audit.web.words import WORDS, reader_of

_FIELDS = ("patient", "agent", "purpose", "event-type", "outcome")
_COUNT = "50"
_ON_A_LINE = 500
_NUMBER = re.compile(r"[0-9]{1,15}")
EVENT_TYPES = (
    "record.read.v1",
    "access.denied.v1",
    "disclosure.made.v1",
    "emergency.declared.v1",
    "glass.broken.v1",
    "consent.recorded.v1",
    "consent.revoked.v1",
    "referral.submitted.v1",
    "record.exported.v1",
    "session.began.v1",
    "event.received.v1",
)


def routes(console: Console) -> list[Route]:
    """Searching, reading, and what is drawn."""
    return [
        console.route(pages.HOME, search),
        console.route(f"{pages.HOME}/entries/{{id}}", show_entry),
        console.route(f"{pages.HOME}/people", show_person),
        console.route(f"{pages.HOME}/users", show_user),
        console.route(f"{pages.HOME}/saved", save, method="POST"),
        console.route(f"{pages.HOME}/saved/forget", forget, method="POST"),
    ]


def search(console: Console, request: Request) -> Response:
    """GET: the bar and its fields; with something asked, a page of hits, each proven."""
    caller = console.caller(request, request.query_params.get("why", ""))
    sent = dict(request.query_params)
    wants, unknown = given(console, sent)
    shown: dict[str, Any] = {
        "sent": sent,
        "unknown": unknown,
        "saved": console.room.saved.of(caller.actor_id),
        "event_types": EVENT_TYPES,
        "rows": None,
        "given": wants,
    }
    if not wants:
        return console.page(request, "search.html", **shown)
    wanted = asked.read([*wants, ("_count", _COUNT)], console.room.clock.now())
    page = finding.search(console.room, wanted, caller, telemetry.current_cause())
    more = urlencode([*sent.items(), ("_cursor", page.next_cursor.text())]) if page.next_cursor else ""
    shown |= {"rows": _rows(page, reader_of(request)), "page": page, "more": more, "wanted": wanted}
    return console.page(request, "search.html", **shown)


def show_entry(console: Console, request: Request) -> Response:
    """GET: one entry as it stands, with leaf, proof and checkpoint; `?proof=1` hands the proof over as a file.

    A number, as papers name an entry, leads to its own address.
    """
    caller, asked_for = console.caller(request), request.path_params["id"]
    if _NUMBER.fullmatch(asked_for):
        return RedirectResponse(f"{pages.HOME}/entries/{_named(console, int(asked_for))}", 303)
    page = finding.read_one(console.room, asked_for, caller, telemetry.current_cause())
    if not page.hits:
        raise Refusal("no-such-entry", Kind.NOT_FOUND, "There is no such entry.")
    hit = page.hits[0]
    proof = page.proofs.get(hit.number)
    if request.query_params.get("proof") and proof:
        content = json.dumps(
            {
                "leaf": base64.b64encode(hit.leaf).decode(),
                "index": proof.index,
                "tree_size": proof.size,
                "hashes": [base64.b64encode(each).decode() for each in proof.hashes],
                "checkpoint": proof.checkpoint.decode(),
            },
            indent=1,
        )
        headers = {"content-disposition": f'attachment; filename="entry-{hit.number}.proof.json"'}
        return Response(content, 200, headers, "application/json")
    row = in_words(entry_row(hit, reader_of(request)), reader_of(request))
    text = json.dumps(hit.document, ensure_ascii=False, indent=2)
    leaf = hit.leaf.decode(errors="replace")
    told = dict(hit.body.particulars) if hit.body else {}
    is_proven = bool(proof and proof.shows(hit.leaf))
    return console.page(
        request, "entry.html", row=row, hit=hit, text=text, leaf=leaf, proof=proof, told=told,
        is_proven=is_proven,
    )  # fmt: skip


def _named(console: Console, number: int) -> str:
    """The id of the entry with a number, as papers and the command line name it; raises Refusal NOT_FOUND."""
    covered = finding.covered(console.room)
    if number >= covered.size:
        message = f"0–{covered.size - 1}"
        raise Refusal(
            "no-such-number", Kind.NOT_FOUND, message, faults=[Fault("", "no-such-number", message)]
        )
    row = console.room.store.rows.find_one({"index": number}, {"_id": 1})
    if row is None:
        raise Refusal("no-such-entry", Kind.NOT_FOUND, "There is no such entry.")
    return fhir_id(row["_id"])


def show_person(console: Console, request: Request) -> Response:
    """GET: everybody who touched one person's record, drawn with a lane for each."""
    return _line(console, request, "patient", request.query_params.get("person", ""))


def show_user(console: Console, request: Request) -> Response:
    """GET: everything one account did, drawn with a lane for each person it did it about."""
    return _line(console, request, "agent", request.query_params.get("user", ""))


def save(console: Console, request: Request) -> Response:
    """POST: the search, or the report with what it was told, is kept under a name."""
    fields = request.state.fields
    caller = console.caller(request)
    asks = {name[4:]: value for name, value in fields.items() if name.startswith("ask_") and value}
    report = asks.pop("report", "")
    if report:
        catalog.report_named(report)
    kind = "report" if report else "search"
    console.room.saved.keep(caller.actor_id, fields.get("name", ""), kind, report, list(asks.items()))
    return RedirectResponse(pages.HOME, 303)


def forget(console: Console, request: Request) -> Response:
    """POST: a saved search is gone."""
    caller = console.caller(request)
    console.room.saved.forget(caller.actor_id, request.state.fields.get("id", ""))
    return RedirectResponse(pages.HOME, 303)


def given(console: Console, sent: dict[str, str]) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """The parameters of bar and fields together."""
    line = understood(sent.get("q", ""), console.room.clock.now())
    wants = list(line.parameters)
    wants += [(name, sent[name].strip()) for name in _FIELDS if sent.get(name, "").strip()]
    if sent.get("from", "").strip():
        wants.append(("date", f"ge{sent['from'].strip()}"))
    if sent.get("until", "").strip():
        wants.append(("date", f"le{sent['until'].strip()}"))
    if wants and sent.get("_cursor"):
        wants.append(("_cursor", sent["_cursor"]))
    return wants, line.unknown


def _rows(page: Page, reader: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for hit in page.hits:
        proof = page.proofs.get(hit.number)
        is_proven = bool(proof and proof.shows(hit.leaf))
        rows.append(
            in_words(entry_row(hit, reader), reader)
            | {"id": hit.document["id"], "is_proven": is_proven, **_why(hit)}
        )
    return rows


def _why(hit: Hit) -> dict[str, Any]:
    """Why it could be done: purpose, and the consent it was under where the entry names one."""
    told = dict(hit.body.particulars) if hit.body else {}
    consent = told.get("consent_id", "")
    return {
        "consent": f"{consent} v{told['consent_version']}" if told.get("consent_version") else consent,
        "is_open": hit.body is not None,
        "is_denied": hit.document.get("outcome") in ("4", "8", "12"),
        "flags": [tag["code"] for tag in hit.document.get("meta", {}).get("tag", ()) if "code" in tag],
    }


def _line(console: Console, request: Request, parameter: str, value: str) -> Response:
    reader = reader_of(request)
    caller = console.caller(request, request.query_params.get("why", ""))
    words, value = WORDS[reader], value.strip()
    shown: dict[str, Any] = {"value": value, "kind": parameter, "rows": None, "picture": "", "sent": {}}
    if value:
        given = [(parameter, value), ("_count", str(_ON_A_LINE))]
        if request.query_params.get("from", "").strip():
            given.append(("date", f"ge{request.query_params['from'].strip()}"))
        wanted = asked.read(given, console.room.clock.now())
        page = finding.search(console.room, wanted, caller, telemetry.current_cause())
        rows = _rows(page, reader)
        lane = "actor" if parameter == "patient" else "person"
        marks = [
            timeline.Mark(
                hit.recorded_at,
                row[lane] or "–",
                f"{row['at']} {row['what']} {row['purpose']}",
                row["is_denied"],
            )
            for hit, row in zip(page.hits, rows, strict=True)
        ]
        title = words["line_person" if parameter == "patient" else "line_user"]
        picture = timeline.drawn(marks, f"{title}: {len(marks)}", words["others"])
        names = ("from", "why")
        sent = {name: request.query_params.get(name, "") for name in names} | {parameter: value}
        shown |= {"rows": rows, "page": page, "picture": picture, "is_cut": page.next_cursor is not None}
        shown["sent"] = sent
    return console.page(request, "line.html", **shown)
