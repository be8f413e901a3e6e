"""Draws how the audit log grows, from what two benches printed: docs/images/audit-growth.svg.

KEPT=<folder> SIZES=100000,1000000,10000000 make bench B=audit_search_bench > searches.txt
SIZES=10000,100000,1000000,10000000 make bench B=audit_log_bench > proofs.txt
python -m tests.bench.audit_growth searches.txt proofs.txt   (keeps their figures in docs/images/audit-growth.json, draws)
python -m tests.bench.audit_growth                           (draws what is kept)
Nothing is extrapolated: a bar or a point is one measurement.  Figures of a file replace those of the same bench.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
_PARTS = (
    ("tiles", "tree: tiles and bundles", "#1b6e8c"),
    ("entries", "leaf and sealed body", "#4fa3b8"),
    ("rows", "row: de-duplication, simple search", "#e0a526"),
    ("finds", "search index", "#b5532a"),
)
_BLUE, _RED, _GOLD = "#1b6e8c", "#b5532a", "#e0a526"
_HIGH, _WIDE, _LEFT, _RIGHT = 220, 330, 70, 530
_FIRST, _SECOND = 60, 440
_LOAD = ("proof_ms_p50", "proof_ms_p95", "proof_cpu_ms", "fsck_tree_per_s", "fsck_tree_per_cpu_s")
Row = dict[str, Any]


def kept_of(printed: str) -> dict[str, list[Row]]:
    """The figures worth keeping out of a bench's output, under the bench's name: "search" or "log"."""
    found: dict[str, list[Row]] = {}
    for told in _objects(printed):
        if "questions" in told:
            found.setdefault("search", []).append(_of_search(told))
        elif "sizes" in told:
            rows = told["sizes"].items()
            found["log"] = [_of_log(int(size), told["load"], measured) for size, measured in rows]
    return found


def _objects(printed: str) -> Iterator[Row]:
    decoder, at = json.JSONDecoder(), printed.find("{")
    while at >= 0:
        told, end = decoder.raw_decode(printed, at)
        yield told
        at = printed.find("{", end)


def _of_search(told: Row) -> Row:
    asked = [each for name, each in told["questions"].items() if "cpu_ms" in each and "bare" not in name]
    return {
        "entries": told["entries"],
        "load": told["load"],
        "bytes_per_entry": told["bytes_per_entry"],
        "cpu_ms_median": round(statistics.median(each["cpu_ms"] for each in asked), 1),
        "cpu_ms_worst": max(each["cpu_ms"] for each in asked),
        "p95_ms_median": round(statistics.median(each["p95_ms"] for each in asked), 1),
        "p95_ms_worst": max(each["p95_ms"] for each in asked),
    }


def _of_log(size: int, load: float, measured: Row) -> Row:
    return {"entries": size, "load": round(load, 1)} | {name: measured.get(name) for name in _LOAD}


def drawn(kept: dict[str, list[Row]]) -> str:
    """The pictures as one SVG."""
    search, log = kept.get("search", []), kept.get("log", [])
    whole = [each for each in log if each["fsck_tree_per_cpu_s"]]
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 770" font-family="sans-serif" font-size="13" '
            'role="img" aria-labelledby="title">',
            '<title id="title">By the size of the log: bytes of an entry, time of a question, time of a proof, pace of '
            "the check</title>",
            '<rect width="900" height="770" fill="white"/>',
            *(_bytes(search) if search else ()),
            *_lines(
                _RIGHT, _FIRST, "One of the ten questions, hits with proofs, ms", search,
                (("p95_ms_worst", "slowest question, 95th percentile", _GOLD),
                 ("cpu_ms_worst", "dearest one, processor time", _RED),
                 ("cpu_ms_median", "middle one, processor time", _BLUE)),
            ),
            *_lines(
                _LEFT, _SECOND, "A proof of inclusion, ms", log,
                (("proof_ms_p95", "95th percentile", _GOLD), ("proof_ms_p50", "median", _RED),
                 ("proof_cpu_ms", "processor time", _BLUE)),
            ),
            *_lines(
                _RIGHT, _SECOND, "fsck of the tree, thousand entries a second", [_thousands(each) for each in whole],
                (("fsck_tree_per_cpu_s", "of processor time", _BLUE), ("fsck_tree_per_s", "by the clock", _GOLD)),
            ),
            "</svg>\n",
        ]
    )  # fmt: skip


def _thousands(row: Row) -> Row:
    return row | {name: round(row[name] / 1_000) for name in ("fsck_tree_per_cpu_s", "fsck_tree_per_s")}


def _bytes(measured: list[Row]) -> list[str]:
    most = _round_up(max(sum(each["bytes_per_entry"].values()) for each in measured))
    said = [
        _words(_LEFT, 30, "Bytes of one entry, as MongoDB stores it", "bold"),
        *_scale(_LEFT, _FIRST, most),
    ]
    for place, each in enumerate(measured):
        middle, at = _LEFT + (place + 0.5) * _WIDE / len(measured), _FIRST + _HIGH
        for name, _, color in _PARTS:
            high = each["bytes_per_entry"][name] / most * _HIGH
            at -= high
            said.append(
                f'<rect x="{middle - 28:.0f}" y="{at:.1f}" width="56" height="{high:.1f}" fill="{color}"/>'
            )
        said.append(_words(middle, at - 6, f"{sum(each['bytes_per_entry'].values()):,}", anchor="middle"))
    return [*said, *_sizes(_LEFT, _FIRST, measured), *_legend(_LEFT, _FIRST, [part[1:] for part in _PARTS])]


def _lines(
    left: int, top: int, title: str, measured: list[Row], series: Sequence[tuple[str, str, str]]
) -> list[str]:
    """A line for each series over the sizes, each point with its figure."""
    if not measured:
        return []
    most = _round_up(max(each[name] for each in measured for name, _, _ in series))
    said = [_words(left, top - 30, title, "bold"), *_scale(left, top, most)]
    for name, _, color in series:
        points = [
            (left + (at + 0.5) * _WIDE / len(measured), top + _HIGH * (1 - each[name] / most), each[name])
            for at, each in enumerate(measured)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        said.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        for x, y, value in points:
            said.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>')
            said.append(_words(x, y - 8, f"{value:,}", anchor="middle"))
    return [*said, *_sizes(left, top, measured), *_legend(left, top, [each[1:] for each in series])]


def _sizes(left: int, top: int, measured: list[Row]) -> list[str]:
    """Under each point its size, and how busy the machine was."""
    said = []
    for at, each in enumerate(measured):
        x = left + (at + 0.5) * _WIDE / len(measured)
        said.append(_words(x, top + _HIGH + 18, f"{each['entries']:,}", anchor="middle"))
        said.append(_words(x, top + _HIGH + 34, f"load {each['load']}", anchor="middle"))
    return said


def _legend(left: int, top: int, named: Sequence[tuple[str, str]]) -> list[str]:
    said = []
    for place, (words, color) in enumerate(named):
        x, y = left + (place % 2) * 215 - 40, top + _HIGH + 46 + (place // 2) * 19
        said.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{color}"/>')
        said.append(_words(x + 18, y + 11, words))
    return said


def _scale(left: int, top: int, most: float) -> list[str]:
    said = []
    for step in range(5):
        y = top + _HIGH * (1 - step / 4)
        said.append(f'<line x1="{left}" y1="{y:.0f}" x2="{left + _WIDE}" y2="{y:.0f}" stroke="#ddd"/>')
        said.append(_words(left - 8, y + 4, f"{most * step / 4:,.4g}", anchor="end"))
    return said


def _words(x: float, y: float, words: str, weight: str = "normal", *, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-weight="{weight}" text-anchor="{anchor}">{words}</text>'


def _round_up(value: float) -> float:
    """A little more than the value, that divides by four."""
    step = next(each for each in (1, 4, 10, 20, 40, 100, 200, 400, 1_000, 2_000) if value * 1.1 <= each * 5)
    return -(-value * 1.1 // step) * step


def main(given: list[str]) -> None:
    """Keeps new figures where there are some, and draws."""
    place = IMAGES / "audit-growth.json"
    kept = json.loads(place.read_text(encoding="utf-8"))
    for file in given:
        kept |= kept_of(Path(file).read_text(encoding="utf-8"))
    if given:
        place.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    (IMAGES / "audit-growth.svg").write_text(drawn(kept), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
