"""The fairness and outcomes report: who waits how long and what came of it, as tables, bars and a file."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from services.matching import taxonomy, tongues
from services.matching.domain import fairness
from services.matching.domain.fairness import FIGURES, NOT_SAID, SEVERAL, Report, Table
from services.matching.handlers import reporting
from services.matching.handlers.reporting import Period
from services.matching.web import telling
from services.matching.web.office import LEADS, Office, Visit
from services.matching.web.pages import BOARD

PAGE = f"{BOARD}/report"
PERIODS = ((1, 0), (1, 1), (3, 0), (12, 0))
URGENCIES = ("immediate", "urgent", "routine")
WITHHELD = "<11"
_MOST_BARS = 12
_BAR_WIDTH = 320


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: its place from the top, its length, and its number in words."""

    label: str
    y: int
    width: int
    text: str


def routes(office: Office) -> list[Route]:
    """The report, its file, and the referrals behind a figure."""
    return [
        office.route(PAGE, show, *LEADS),
        office.route(f"{PAGE}/file.csv", download, *LEADS),
        office.route(f"{PAGE}/referrals", show_behind, *LEADS),
    ]


def show(visit: Visit) -> Response:
    """GET: the report of a period; asked for by the form at its top."""
    period = _period(visit)
    found = reporting.fairness_report(visit.room, period, visit.caller, visit.cause)
    since, until = period.span(visit.room.clock.now())
    return visit.page(
        "report.html",
        report=found,
        period=period,
        periods=PERIODS,
        urgencies=URGENCIES,
        figures=FIGURES,
        tables=[_told(visit, table) for table in found.tables],
        query=_query(period),
        since=f"{since:%Y-%m-%d}",
        until=f"{until:%Y-%m-%d}",
        is_cut=len(found.stories) >= reporting.MOST_COUNTED,
        fewest=fairness.FEWEST_SHOWN,
    )


def show_behind(visit: Visit) -> Response:
    """GET: the referrals one figure counts; each is in the audit trail first."""
    cell = visit.asked("dimension"), visit.asked("group"), visit.asked("figure")
    found = reporting.behind_figure(visit.room, _period(visit), cell, visit.caller, visit.cause)
    rows = [
        (one, telling.short(one.case.referral_id), visit.when(one.case.opened_at, "UTC"), _minutes(one))
        for one in found
    ]
    label = label_of(cell[0], cell[1], visit)
    return visit.page("behind.html", rows=rows, cell=cell, label=label, query=_query(_period(visit)))


def download(visit: Visit) -> Response:
    """GET: the same figures as CSV, with the same withheld."""
    found = reporting.fairness_report(visit.room, _period(visit), visit.caller, visit.cause)
    headers = {"content-disposition": 'attachment; filename="fairness.csv"', "cache-control": "no-store"}
    return Response(as_csv(found), headers=headers, media_type="text/csv; charset=utf-8")


def as_csv(found: Report) -> str:
    """Each group of each dimension in a line; what is withheld is "<11" in counts, and empty elsewhere."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\r\n").writerow
    write(["dimension", "group", *FIGURES, "median_minutes", "ninth_of_ten_minutes", "offers_per_yes"])
    lines = [("all", found.total), *((t.dimension, row) for t in found.tables for row in t.rows)]
    for dimension, row in lines:
        counts = [WITHHELD if row.counts[one] is None else row.counts[one] for one in FIGURES]
        write([dimension, row.group, *counts, row.median_min, row.ninth_of_ten_min, row.offers_per_yes])
    return text.getvalue()


def label_of(dimension: str, group: str, visit: Visit) -> str:
    """A group in words."""
    words, known = visit.words, taxonomy.read()
    if group in (NOT_SAID, SEVERAL, "all"):
        return words[f"group_{group}"]
    if dimension == "language":
        return tongues.name(group, visit.reader)
    if dimension in ("ethnicity", "gender"):
        return known.label(group, visit.reader) if group in known else group
    if dimension == "site":
        return visit.room.sites.name(group)
    return words.get({"urgency": "tag_", "age-band": "age_"}.get(dimension, "group_") + group, group)


def _told(visit: Visit, table: Table) -> dict[str, object]:
    labels = {row.group: label_of(table.dimension, row.group, visit) for row in table.rows}
    waits = [(labels[row.group], row.median_min) for row in table.rows if row.median_min is not None]
    without = [
        (labels[row.group], round(100 * share, 1))
        for row in table.rows
        if (share := row.share("unfilled")) is not None
    ]
    return {
        "table": table,
        "labels": labels,
        "waits": bars(waits, visit.words["unit_minutes"]),
        "unfilled": bars(without, visit.words["unit_percent"], whole=100.0),
    }


def bars(values: list[tuple[str, float]], unit: str, whole: float = 0.0) -> list[Bar]:
    """The bars of a chart, the longest as long as there is room, or in proportion to `whole`."""
    longest = whole or max((value for _, value in values), default=0.0) or 1.0
    return [
        Bar(label, 28 * place, max(round(_BAR_WIDTH * value / longest), 1), unit.format(n=f"{value:g}"))
        for place, (label, value) in enumerate(values[:_MOST_BARS])
    ]


def _minutes(one: fairness.Story) -> str:
    return f"{one.wait.total_seconds() / 60:.1f}" if one.wait is not None else ""


def _period(visit: Visit) -> Period:
    """The asked period where it is one of those offered, else the present month."""
    sent = visit.asked("period") or "1-0"
    known = {f"{months}-{ago}": Period(months, ago) for months, ago in PERIODS}
    found = known.get(sent, Period())
    urgency = visit.asked("urgency")
    return Period(found.months, found.ago, urgency if urgency in URGENCIES else "")


def _query(period: Period) -> str:
    return urlencode({"period": f"{period.months}-{period.ago}", "urgency": period.urgency})
