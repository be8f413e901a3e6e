"""Draws how the audit log grows, from what `audit_search_bench` printed: docs/images/audit-growth.svg.

SIZES=10000,100000,1000000 make bench B=audit_search_bench > measured.txt
python -m tests.bench.audit_growth measured.txt      (keeps the figures in docs/images/audit-growth.json and draws them)
python -m tests.bench.audit_growth                   (draws what is kept)
Nothing is extrapolated: a bar or a point is one measurement.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
_PARTS = (
    ("tiles", "tree: tiles and bundles", "#1b6e8c"),
    ("entries", "leaf and sealed body", "#4fa3b8"),
    ("rows", "row: de-duplication, simple search", "#e0a526"),
    ("finds", "search index", "#b5532a"),
)
_TOP, _HIGH, _LEFT, _WIDE = 60, 240, 70, 330


def kept_of(printed: str) -> list[dict[str, Any]]:
    """The figures worth keeping of each size, out of the bench's output."""
    decoder, at, found = json.JSONDecoder(), printed.find("{"), []
    while at >= 0:
        told, end = decoder.raw_decode(printed, at)
        asked = [each for name, each in told["questions"].items() if "cpu_ms" in each and "bare" not in name]
        found.append(
            {
                "entries": told["entries"],
                "load": told["load"],
                "bytes_per_entry": told["bytes_per_entry"],
                "cpu_ms_median": round(statistics.median(each["cpu_ms"] for each in asked), 1),
                "cpu_ms_worst": max(each["cpu_ms"] for each in asked),
                "p95_ms_worst": max(each["p95_ms"] for each in asked),
            }
        )
        at = printed.find("{", end)
    return found


def drawn(measured: list[dict[str, Any]]) -> str:
    """Both pictures side by side, as one SVG; a size of which only the questions were measured has no bar."""
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 390" font-family="sans-serif" font-size="13" '
            'role="img" aria-labelledby="title">',
            '<title id="title">Bytes of an entry, and processor time of a question, by the size of the log</title>',
            '<rect width="900" height="390" fill="white"/>',
            *_bytes([each for each in measured if each["bytes_per_entry"]]),
            *_times(measured),
            "</svg>\n",
        ]
    )


def _bytes(measured: list[dict[str, Any]]) -> list[str]:
    most = _round_up(max(sum(each["bytes_per_entry"].values()) for each in measured), 500)
    said = [_words(_LEFT, 30, "Bytes of one entry, as MongoDB stores it", "bold"), *_scale(_LEFT, most, "")]
    for place, each in enumerate(measured):
        middle, at = _LEFT + (place + 0.5) * _WIDE / len(measured), _TOP + _HIGH
        for name, _, color in _PARTS:
            high = each["bytes_per_entry"][name] / most * _HIGH
            at -= high
            said.append(
                f'<rect x="{middle - 28:.0f}" y="{at:.1f}" width="56" height="{high:.1f}" fill="{color}"/>'
            )
        total = f"{sum(each['bytes_per_entry'].values()):,}"
        said += [
            _words(middle, at - 6, total, anchor="middle"),
            _words(middle, 320, _size(each), anchor="middle"),
        ]
    for place, (_, words, color) in enumerate(_PARTS):
        x, y = _LEFT + (place % 2) * 240, 342 + (place // 2) * 20
        said += [
            f'<rect x="{x}" y="{y}" width="12" height="12" fill="{color}"/>',
            _words(x + 18, y + 11, words),
        ]
    return said


def _times(measured: list[dict[str, Any]]) -> list[str]:
    left = _LEFT + 460
    most = _round_up(max(each["cpu_ms_worst"] for each in measured), 5)
    said = [
        _words(left, 30, "Processor time of one of the ten questions", "bold"),
        *_scale(left, most, " ms"),
    ]
    for name, words, color, place in (
        ("cpu_ms_worst", "the dearest of the ten, hits with proofs", "#b5532a", 0),
        ("cpu_ms_median", "the middle one", "#1b6e8c", 1),
    ):
        points = [
            (left + (at + 0.5) * _WIDE / len(measured), _TOP + _HIGH * (1 - each[name] / most))
            for at, each in enumerate(measured)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        said.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        for (x, y), each in zip(points, measured, strict=True):
            said.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>')
            said.append(_words(x, y - 9, str(each[name]), anchor="middle"))
        y = 342 + place * 20
        said += [
            f'<rect x="{left}" y="{y}" width="12" height="12" fill="{color}"/>',
            _words(left + 18, y + 11, words),
        ]
    for at, each in enumerate(measured):
        said.append(_words(left + (at + 0.5) * _WIDE / len(measured), 320, _size(each), anchor="middle"))
    return said


def _scale(left: int, most: float, unit: str) -> list[str]:
    said = []
    for step in range(5):
        y = _TOP + _HIGH * (1 - step / 4)
        said.append(f'<line x1="{left}" y1="{y:.0f}" x2="{left + _WIDE}" y2="{y:.0f}" stroke="#ddd"/>')
        said.append(_words(left - 8, y + 4, f"{most * step / 4:,.0f}{unit}", anchor="end"))
    return said


def _words(x: float, y: float, words: str, weight: str = "normal", *, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-weight="{weight}" text-anchor="{anchor}">{words}</text>'


def _size(each: dict[str, Any]) -> str:
    return f"{each['entries']:,} entries"


def _round_up(value: float, step: int) -> int:
    return -(-int(value * 1.1) // step) * step


def main(given: list[str]) -> None:
    """Keeps new figures where there are some, and draws."""
    kept = IMAGES / "audit-growth.json"
    if given:
        measured = kept_of(Path(given[0]).read_text(encoding="utf-8"))
        kept.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    measured = json.loads(kept.read_text(encoding="utf-8"))
    (IMAGES / "audit-growth.svg").write_text(drawn(measured), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
