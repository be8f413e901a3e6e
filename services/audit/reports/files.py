"""A report as a file: CSV that no spreadsheet takes for formulas, and PDF that can be handed to somebody."""

from __future__ import annotations

import csv
import io
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from services.audit.reports.catalog import WORDS
from services.audit.reports.running import Result
from services.audit.reports.saying import in_words

# Excel, LibreOffice and Sheets read a cell that begins so as a formula (OWASP, "CSV injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LONGEST_CELL = 600


def to_csv(result: Result, reader: str) -> bytes:
    """UTF-8 with a byte order mark, CRLF (RFC 4180); the first rows say what it is and what was searched."""
    words, out = WORDS[reader], io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([cell(result.report.title(reader))])
    for name, value in facts(result, reader):
        writer.writerow([cell(name), cell(value)])
    writer.writerow([])
    writer.writerow([words[f"column.{name}"] for name in result.columns])
    for row in result.rows:
        said = in_words(row, reader)
        writer.writerow([cell(said.get(name, "")) for name in result.columns])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def cell(text: str) -> str:
    """The text as a spreadsheet shows it and never runs it."""
    safe = text.replace("\x00", "")
    return f"'{safe}" if safe.lstrip(" ").startswith(_FORMULA) else safe


def facts(result: Result, reader: str) -> list[tuple[str, str]]:
    """What a document says about itself: person, range, checkpoint, who made it when."""
    words, told = WORDS[reader], result.told
    said = [
        (words["doc.generated"], result.made_at.strftime("%Y-%m-%d %H:%M UTC")),
        (words["doc.asked"], result.made_by),
        (words["doc.range"], f"{told.since:%Y-%m-%d %H:%M} – {told.until:%Y-%m-%d %H:%M} UTC"),
        (words["doc.entries_searched"], f"{result.searched} (0–{result.covered.size - 1})"),
        (words["doc.checkpoint"], str(result.covered.head.size)),
        (words["doc.rows"], f"{len(result.rows)}{'+' if result.is_cut else ''}"),
    ]
    if told.values.get("person"):
        said.insert(0, (words["doc.person_label"], told.values["person"]))
    if result.report.document and result.excluded:
        said.append((words["doc.excluded"], str(result.excluded)))
    return said


def to_pdf(result: Result, reader: str) -> bytes:
    """Landscape A4 with the rule in words, the facts, the rows and numbered pages."""
    words, styles, out = WORDS[reader], getSampleStyleSheet(), io.BytesIO()
    small = ParagraphStyle("small", parent=styles["Normal"], fontSize=7.5, leading=9.5)
    title = result.report.title(reader)
    document = SimpleDocTemplate(
        out,
        pagesize=landscape(A4),
        title=title,
        author="Kindred",
        lang=reader,
        leftMargin=12 * mm,
        rightMargin=12 * mm,
        topMargin=12 * mm,
        bottomMargin=14 * mm,
    )
    story: list[Any] = [Paragraph(escape(title), styles["Title"])]
    story.append(
        Paragraph(f"<b>{escape(words['doc.rule'])}.</b> {escape(result.report.explanation(reader))}", small)
    )
    story.append(Spacer(1, 3 * mm))
    lines = [[_cell(name, small), _cell(value, small)] for name, value in facts(result, reader)]
    story += [Table(lines, colWidths=[70 * mm, 200 * mm], hAlign="LEFT"), Spacer(1, 3 * mm)]
    if result.rows:
        story.append(_table(result, reader, small))
    else:
        story.append(Paragraph(f"<b>{escape(words['doc.nothing'])}</b>", styles["Normal"]))
    story += [Spacer(1, 4 * mm), Paragraph(escape(words["doc.proof_note"]), small)]
    if result.report.document.startswith("2."):
        story.append(Paragraph(escape(words["doc.part2-notice"]), small))
    footer = _footer(f"{title} · {words['doc.page']}")
    document.build(story, onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


def _table(result: Result, reader: str, style: ParagraphStyle) -> Table:
    words = WORDS[reader]
    head = [_cell(words[f"column.{name}"], style) for name in result.columns]
    said = [in_words(row, reader) for row in result.rows]
    body = [[_cell(row.get(name, ""), style) for name in result.columns] for row in said]
    width = 273 * mm / len(result.columns)
    table = Table([head, *body], colWidths=[width] * len(result.columns), repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e8eef4")),
                ("GRID", (0, 0), (-1, -1), 0.3, colors.HexColor("#9aa8b5")),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    return table


def _cell(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(text[:_LONGEST_CELL]), style)


def _footer(label: str) -> Any:
    def draw(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.setFont("Helvetica", 7)
        canvas.drawString(12 * mm, 8 * mm, f"{label} {document.page}")

    return draw
