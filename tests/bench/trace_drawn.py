"""One referral's trace, from the ER's request to the audit entries, drawn from the spans of a real run.

make bench B=trace_drawn                (carries a referral, keeps its spans beside docs/images/trace.svg, and draws)
python -m tests.bench.trace_drawn kept  (draws what is kept)
A span is a line; its bar begins where it began and is as long as it lasted.  What hears several events at once has a
span for each of them, as short as taking it from the message (chassis/receiving/calling.py): it is drawn as a dot.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from cli.local.place import Place
from tests.bench import strangers
from tests.bench.growth.charts import page, words
from tests.driving import Er, Officer, Roster, Running, a_specialist, a_supervisor, roster_csv, until
from tests.faults import evidence

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
KEPT = IMAGES / "trace.json"
_COLORS = {"intake": "#1b6e8c", "matching": "#4fa3b8", "notifications": "#b5532a", "audit": "#6b4f8a"}
_LEFT, _WIDE, _ROW, _TOP = 330, 520, 17, 60
_DOT_MS = 0.5
Span = dict[str, Any]


def main() -> None:
    """Carries a referral, unless what is kept is enough, and draws."""
    if sys.argv[1:] != ["kept"]:
        for name in ("MONGO_URI", "AMQP_URI"):
            os.environ.pop(name, None)
        KEPT.write_text(json.dumps(_spans(), indent=1) + "\n", encoding="utf-8")
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    (IMAGES / "trace.svg").write_text(drawn(kept), encoding="utf-8")
    print(f"{len(kept)} spans of one trace in docs/images/trace.svg")


def _spans() -> list[Span]:
    with tempfile.TemporaryDirectory(prefix="kindred-trace-") as folder:
        spans = Path(folder) / "spans.jsonl"
        running = Running(
            Place(Path(folder) / "var"),
            {"KINDRED_WAVE_SECONDS": "3600,3600", "KINDRED_SPANS_FILE": str(spans)},
        )
        try:
            running.start()
            trace_id = _carried(running)
        finally:
            running.stop()
        return of_trace(spans.read_text(encoding="utf-8"), trace_id)


def _carried(running: Running) -> str:
    """The trace of a referral that was submitted, offered, told and audited; an earlier one has warmed everything."""
    roster, er, officer = Roster(running), Er(running), Officer(running)
    roster.load(roster_csv([a_supervisor(), *(a_specialist(f"spec-{n:03}") for n in range(40))]))
    for name in ("warm", "warmer", "traced"):
        referral_id = er.submit(strangers.referral(name)).referral_id
        until("offers", lambda one=referral_id: roster.open_offers(one))
        until("at rest", lambda: evidence.is_at_rest(running))
    wanted = {"referral.submitted.v1", "offer.made.v1", "notice.sent.v1"}

    def entries() -> Any:
        found = officer.entries(referral_id=referral_id)
        return found if wanted <= {one.event_type for one in found} else None

    return next(
        str(one.trace_id) for one in until("the trail", entries) if one.event_type == "referral.submitted.v1"
    )


def of_trace(text: str, trace_id: str) -> list[Span]:
    """The spans of one trace in the order in which they began: name, service, role, milliseconds."""
    told = [json.loads(line) for line in text.splitlines()]
    mine = sorted((one for one in told if one["trace_id"] == trace_id), key=lambda one: one["start_ns"])
    first = mine[0]["start_ns"]
    return [
        {
            "name": one["name"].removeprefix("kindred.").replace("v1.", ""),
            "service": one["service"].removeprefix("kindred."),
            "role": one["role"],
            "from_ms": round((one["start_ns"] - first) / 1e6, 2),
            "lasts_ms": round((one["end_ns"] - one["start_ns"]) / 1e6, 2),
        }
        for one in mine
    ]


def drawn(spans: list[Span]) -> str:
    """The picture as SVG."""
    whole = max(one["from_ms"] + one["lasts_ms"] for one in spans)
    high = _TOP + _ROW * len(spans)
    parts = [words(20, 26, "One referral, from the ER's request to the audit entries; milliseconds", "bold")]
    for step in range(5):
        x, ms = _LEFT + _WIDE * step / 4, whole * step / 4
        parts.append(f'<line x1="{x:.0f}" y1="{_TOP - 8}" x2="{x:.0f}" y2="{high}" stroke="#ddd"/>')
        parts.append(words(x, _TOP - 12, f"{ms:,.0f}", anchor="middle"))
    for place, one in enumerate(spans):
        parts += _line(one, _TOP + _ROW * place, whole)
    for place, (name, color) in enumerate(_COLORS.items()):
        parts.append(f'<rect x="{20 + place * 130}" y="{high + 14}" width="12" height="12" fill="{color}"/>')
        parts.append(words(38 + place * 130, high + 25, name))
    return page(900, high + 40, "A referral's trace through intake, matching, notifications and audit", parts)


def _line(one: Span, y: int, whole: float) -> list[str]:
    x, color = _LEFT + one["from_ms"] / whole * _WIDE, _COLORS.get(one["service"], "#8a8a8a")
    said = [words(_LEFT - 10, y + 12, f"{one['service']} {one['role']}: {one['name']}", anchor="end")]
    if one["lasts_ms"] < _DOT_MS:
        return [*said, f'<circle cx="{x:.1f}" cy="{y + 8}" r="3.5" fill="{color}"/>']
    long = max(2.0, one["lasts_ms"] / whole * _WIDE)
    said.append(f'<rect x="{x:.1f}" y="{y + 2}" width="{long:.1f}" height="12" fill="{color}"/>')
    return said


if __name__ == "__main__":
    sys.exit(main())
