"""One flow for a person who asks: which document, for which years, what is in it, the addresses, the paper, the proof."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from services.audit.reports import catalog, letter, running
from services.audit.reports import door as reports_door
from services.audit.reports.saying import in_words
from services.audit.web import pages
from services.audit.web.console import Console
from services.audit.web.words import reader_of

_PATH = f"{pages.HOME}/accounting"
DOCUMENTS = ("accounting-of-disclosures", "part2-recipients", "part2-accounting", "who-saw-person")
_RANGE = ("person", "from", "until")
_LONGEST = 500
_KEPT = timedelta(days=6 * 366)


def routes(console: Console) -> list[Route]:
    """The wizard and its paper."""
    return [console.route(_PATH, show), console.route(_PATH, hand_out, method="POST")]


def show(console: Console, request: Request) -> Response:
    """GET: step one asks who and what; with a person, step two shows what the document will say."""
    reader, sent = reader_of(request), dict(request.query_params)
    name = sent.get("document", DOCUMENTS[0])
    name = name if name in DOCUMENTS else DOCUMENTS[0]
    caller = console.caller(request, sent.get("why", "PATRQT"))
    result, rows, asked_for = None, [], []
    if sent.get("run") and sent.get("person", "").strip():
        given = _given(console, name, sent)
        cause = telemetry.current_cause()
        result = running.run(console.room, name, given, caller, cause, reader=reader)
        rows = [in_words(row, reader) for row in result.rows]
        asked_for = letter.recipients(result)
    shown = [each for each in result.columns if each != "person"] if result else []
    columns = [each for each in shown if any(row.get(each) for row in rows)]
    documents = [(each, catalog.REPORTS[each].title(reader)) for each in DOCUMENTS]
    return console.page(
        request, "accounting.html", sent=sent, documents=documents, name=name, why=caller.purpose_of_use,
        result=result, rows=rows, columns=columns, recipients=asked_for,
    )  # fmt: skip


def hand_out(console: Console, request: Request) -> Response:
    """POST: the paper; names and addresses typed for it are on it and nowhere else. That it leaves is an entry."""
    fields = request.state.fields
    console.fresh(request)
    caller, cause = console.caller(request, fields.get("why", "PATRQT")), telemetry.current_cause()
    name = fields.get("document", "")
    if name not in DOCUMENTS:
        raise Refusal("no-such-report", Kind.NOT_FOUND, "There is no such document.")
    if not fields.get("is_known"):
        told = "Say first that you know who asks (45 CFR 164.514(h))."
        fault = Fault("is_known", "requester-not-verified", told)
        raise Refusal("requester-not-verified", Kind.INVALID, told, faults=[fault])
    reader = fields.get("reader", "")
    reader = reader if reader in catalog.READERS else reader_of(request)
    given = _given(console, name, fields)
    result = running.run(console.room, name, given, caller, cause, reader=reader)
    typed = {key: value[:_LONGEST] for key, value in fields.items()}
    addressed = letter.Addressed(
        name=typed.get("name", ""),
        officer=caller.actor_id,
        contact=typed.get("contact", ""),
        addresses={one: typed.get(f"address_{one}", "") for one in letter.recipients(result)},
    )
    content = letter.to_letter(result, addressed, reader)
    reports_door.note_export(console.room, result, content, form="pdf", caller=caller, cause=cause)
    return reports_door.file_answer(name, "pdf", content)


def _given(console: Console, name: str, sent: Mapping[str, str]) -> dict[str, str]:
    """Whom and from when: left empty, as long as the law has entries kept (45 CFR 164.528: six years)."""
    given = {key: sent[key].strip() for key in _RANGE if sent.get(key, "").strip()}
    if "from" not in given and not catalog.REPORTS[name].document:
        given["from"] = (console.room.clock.now() - _KEPT).date().isoformat()
    return given
