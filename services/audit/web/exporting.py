"""One click from what is shown to a file that proves it elsewhere: entries, proofs, checkpoint, keys and the verifier."""

from __future__ import annotations

from contextvars import Context
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.audit.custody import deeds
from services.audit.reports import running
from services.audit.search import asked, finding
from services.audit.web import pages, searching
from services.audit.web.console import Console
from services.audit.web.words import reader_of

MOST = 10_000
_AT_ONCE = "500"
_NOT_PARAMETERS = frozenset({"format", "why", "run", "report"})


def routes(console: Console) -> list[Route]:
    """The export."""
    return [console.route(f"{pages.HOME}/export", export, method="POST")]


def export(console: Console, request: Request) -> Response:
    """POST: the zip of every entry of a search or a report; that it leaves, with its SHA-256, is an entry first."""
    sent = {name[4:]: value for name, value in request.state.fields.items() if name.startswith("ask_")}
    request.state.back = _page_of(sent)
    console.fresh(request)
    caller, cause = console.caller(request, sent.get("why", "")), telemetry.current_cause()
    if sent.get("report"):
        numbers, criteria = _of_report(console, request, sent, caller)
    else:
        # A door gives MongoDB a few seconds for a whole call; an empty context has no such limit.
        numbers, criteria = Context().run(_of_search, console, sent, caller, cause)
    person = finding.own_person(sent.get("patient", "") or sent.get("person", ""))
    pieces = deeds.export_of(console.room, numbers, criteria, peer_id=person, caller=caller, cause=cause)
    content = b"".join(pieces)
    headers = {
        "content-disposition": 'attachment; filename="kindred-audit-export.zip"',
        "cache-control": "no-store",
    }
    return Response(content, 200, headers, "application/zip")


def _page_of(sent: dict[str, str]) -> str:
    """Where the export was asked for, to come back to with a fresh sign-in."""
    asked = {name: value for name, value in sent.items() if name != "report"}
    if sent.get("report"):
        return f"{pages.HOME}/reports/{sent['report']}?{urlencode({**asked, 'run': '1'})}"
    return f"{pages.HOME}?{urlencode(asked)}"


def _of_report(
    console: Console, request: Request, sent: dict[str, str], caller: Caller
) -> tuple[list[int], dict[str, str]]:
    given = {name: value for name, value in sent.items() if name not in _NOT_PARAMETERS and value}
    cause, reader = telemetry.current_cause(), reader_of(request)
    result = running.run(console.room, sent["report"], given, caller, cause, reader=reader)
    if result.is_cut:
        raise _too_many()
    return list(result.numbers), {"report": result.report.name} | given


def _of_search(
    console: Console, sent: dict[str, str], caller: Caller, cause: Any
) -> tuple[list[int], dict[str, str]]:
    given, _ = searching.given(console, {**sent, "_cursor": ""})
    if not given:
        raise Refusal("nothing-asked", Kind.INVALID, "Say what to export.")
    numbers: list[int] = []
    more: list[tuple[str, str]] = []
    while True:
        wanted = asked.read([*given, ("_count", _AT_ONCE), *more], console.room.clock.now())
        page = finding.search(console.room, wanted, caller, cause)
        numbers += [hit.number for hit in page.hits]
        if len(numbers) > MOST:
            raise _too_many()
        if page.next_cursor is None:
            return numbers, dict(given)
        more = [("_cursor", page.next_cursor.text())]


def _too_many() -> Refusal:
    message = f"An export from the console has at most {MOST} entries; `kindred audit export` has more."
    return Refusal("too-many-entries", Kind.INVALID, message)
