"""The document a person is handed: their accounting or list as a letter, with the addresses that the log cannot know."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import letter
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from services.audit.reports.catalog import WORDS
from services.audit.reports.running import Result
from services.audit.reports.saying import in_words

_WIDTH = letter[0] - 40 * mm
_SHARES = {
    "when": 0.17, "recipient": 0.31, "description": 0.25, "purpose": 0.16, "number": 0.11,
    "at": 0.17, "actor": 0.23, "what": 0.24, "outcome": 0.09,
}  # fmt: skip
_DOCUMENT = ("when", "recipient", "description", "purpose", "number")
_SEEN = ("at", "actor", "what", "purpose", "outcome", "number")


@dataclass(frozen=True)
class Addressed:
    """Whom the letter is for and from, as the officer typed it; PHI that is on the paper and nowhere else."""

    name: str
    officer: str
    contact: str
    # Recipient's id to name and address as the officer knows them (45 CFR 164.528(b)(2)(ii)).
    addresses: Mapping[str, str] = field(default_factory=dict)


def recipients(result: Result) -> list[str]:
    """Whose address the officer is asked for, each once."""
    return list(dict.fromkeys(row["recipient_id"] for row in result.rows if row.get("recipient_id")))


def to_letter(result: Result, addressed: Addressed, reader: str) -> bytes:
    """The PDF, US Letter, in the reader's language: who asked, the period, each line, and what the law gives them."""
    words, styles, out = WORDS[reader], getSampleStyleSheet(), io.BytesIO()
    text = ParagraphStyle("text", parent=styles["Normal"], fontSize=10, leading=13.5, spaceAfter=6)
    small = ParagraphStyle("small", parent=styles["Normal"], fontSize=8, leading=10)
    title = result.report.title(reader)
    document = SimpleDocTemplate(
        out, pagesize=letter, title=title, author="Kindred", lang=reader,
        leftMargin=20 * mm, rightMargin=20 * mm, topMargin=18 * mm, bottomMargin=18 * mm,
    )  # fmt: skip
    story: list[Any] = [
        Paragraph(escape(title), ParagraphStyle("title", parent=styles["Heading1"], fontSize=16))
    ]
    for line in _opening(result, addressed, reader):
        story.append(Paragraph(escape(line), text))
    story.append(Spacer(1, 3 * mm))
    story.append(_lines(result, addressed, reader, small) if result.rows else _nothing(words, text))
    story.append(Spacer(1, 5 * mm))
    for line in _closing(result, addressed, reader):
        story.append(Paragraph(escape(line), text if result.report.document else small))
    footer = _footer(words["doc.page"])
    document.build(story, onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


def _opening(result: Result, addressed: Addressed, reader: str) -> list[str]:
    words, told = WORDS[reader], result.told
    since, until = told.since.strftime("%Y-%m-%d"), told.until.strftime("%Y-%m-%d")
    kind = result.report.document or "seen"
    return [
        words["letter.for"].format(name=addressed.name, day=result.made_at.strftime("%Y-%m-%d")),
        words[f"letter.{kind}"].format(since=since, until=until),
    ]


def _closing(result: Result, addressed: Addressed, reader: str) -> list[str]:
    words, document = WORDS[reader], result.report.document
    size = str(result.covered.head.size)
    said = [words[f"letter.rights.{document}"]] if document else []
    if document.startswith("2."):
        said.append(words["doc.part2-notice"])
    said.append(words["letter.from"].format(officer=addressed.officer, contact=addressed.contact or "–"))
    return [*said, words["letter.proof"].format(size=size)]


def _nothing(words: Mapping[str, str], style: ParagraphStyle) -> Paragraph:
    return Paragraph(f"<b>{escape(words['doc.nothing'])}</b>", style)


def _lines(result: Result, addressed: Addressed, reader: str, style: ParagraphStyle) -> Table:
    columns = _DOCUMENT if result.report.document else _SEEN
    rows = [_row(row, addressed, reader) for row in result.rows]
    head = [WORDS[reader][f"column.{name}"] for name in columns]
    cells = [[Paragraph(escape(row.get(name, "")), style) for name in columns] for row in rows]
    shares = [_SHARES[name] for name in columns]
    widths = [_WIDTH * share / sum(shares) for share in shares]
    table = Table([[Paragraph(f"<b>{escape(one)}</b>", style) for one in head], *cells], widths, repeatRows=1)
    grid = colors.HexColor("#9aa8b5")
    rules: Sequence[Any] = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, grid),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e8eef4")),
    ]
    table.setStyle(TableStyle(rules))
    return table


def _row(row: Mapping[str, str], addressed: Addressed, reader: str) -> dict[str, str]:
    words, said = WORDS[reader], in_words(dict(row), reader)
    if "first" in row:
        days = row["first"] if row["first"] == row["last"] else f"{row['first']} – {row['last']}"
        times = f" ({row['count']} {words['letter.times']})" if row["count"] != "1" else ""
        said["when"] = days + times
        known = addressed.addresses.get(row.get("recipient_id", ""), "").strip()
        if known:
            said["recipient"] = f"{known} ({row['recipient_id']})"
    else:
        who = [said.get("actor", ""), said.get("role", ""), said.get("organization", "")]
        said["actor"] = ", ".join(part for part in who if part)
    return said


def _footer(label: str) -> Any:
    def draw(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(20 * mm, 10 * mm, f"{label} {document.page}")

    return draw
