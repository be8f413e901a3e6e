"""Draws what the benches of performance printed, docs/images/performance*.svg, and fills the tables of the page.

make bench B=budget.hops > hops.txt              make bench B=growth.knee_bench > knee.txt
make bench B=growth.replicas_bench > many.txt    make bench B=growth.size_bench > sizes.txt
python -m tests.bench.growth.drawn hops.txt knee.txt many.txt sizes.txt   (keeps the figures, and draws)
python -m tests.bench.growth.drawn                                        (draws what is kept)
Nothing is extrapolated: a bar or a point is one measurement.  New figures of a bench replace its old ones.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.bench.budget.hops import rows as hop_rows
from tests.bench.budget.hops import table as hop_table
from tests.bench.capacity.model import table as capacity_table
from tests.bench.growth import charts
from tests.bench.growth.charts import BLUE, GOLD, GRAY, RED, TEAL, Row

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
KEPT = IMAGES / "performance.json"
PAGE = IMAGES.parent / "performance.md"
# Of each bench's rows: the figure's name, and what it is called on the page.
_COLUMNS = {
    "knee": {
        "rate": "referrals a second", "answer_ms_p50": "answer p50, ms", "answer_ms_p99": "p99",
        "offers_ms_p50": "offers p50, ms", "offers_ms_p95": "p95", "offers_ms_p99": "p99", "load": "load before",
    },
    "replicas": {
        "replicas": "of each part", "offered_per_s": "offered a second", "audited_per_s": "audited a second",
        "cpu_ms": "CPU of a referral, ms", "memory_mb": "memory of all, MB", "load": "load before",
    },
    "size": {
        "referrals": "stored referrals", "gib": "GiB on disk", "cpu_ms_all": "CPU of a referral, ms",
        "submit_ms_p50": "submit p50, ms", "submit_ms_p99": "p99", "tasks_ms": "newest 20 of a hospital, ms",
        "load": "load before",
    },
}  # fmt: skip
_LEFT, _RIGHT, _TOP, _SECOND = 70, 520, 60, 410
_PARTS = {
    "mongod": ("mongod", GOLD),
    "intake": ("intake", BLUE),
    "matching": ("matching", TEAL),
    "notifications": ("notices", RED),
    "audit": ("audit", "#6b4f8a"),
    "rabbitmq": ("RabbitMQ", GRAY),
}


def kept_of(printed: str) -> dict[str, Any]:
    """The figures of a bench's output: "hops" is one object, the others a list with one for each line."""
    found: dict[str, Any] = {}
    for line in printed.splitlines():
        if not line.startswith("{"):
            continue
        for name, told in json.loads(line).items():
            if name == "hops":
                found[name] = told
            else:
                found.setdefault(name, []).append(told)
    return found


def parts_of(cpu_ms: dict[str, float]) -> dict[str, float]:
    """CPU by service, broker and database, out of CPU by process."""
    return {
        part: round(sum(ms for name, ms in cpu_ms.items() if name.startswith(part)), 2) for part in _PARTS
    }


def growth(kept: dict[str, Any]) -> str:
    """Load, replicas and stored size, as one picture; what was not measured yet is left out."""
    knee, replicas, sizes = (kept.get(name, []) for name in ("knee", "replicas", "size"))
    parts = []
    if knee:
        parts += charts.lines(
            _LEFT, _TOP, "Send to offers, ms, by referrals a second", knee, "rate",
            (("offers_ms_p99", "99th percentile", RED), ("offers_ms_p95", "95th percentile", GOLD),
             ("offers_ms_p50", "median", BLUE)),
        )  # fmt: skip
    if replicas:
        parts += charts.lines(
            _RIGHT, _TOP, "Referrals a second, by replicas of each part", replicas, "replicas",
            (("offered_per_s", "offers are out", BLUE), ("audited_per_s", "all is in the log", GOLD)),
        )  # fmt: skip
    if sizes:
        series = [(name, called, color) for name, (called, color) in _PARTS.items()]
        rows = [row | parts_of(row["cpu_ms"]) for row in sizes]
        title = "CPU of one referral, ms, by stored referrals"
        parts += charts.stacked(_LEFT, _SECOND, title, rows, "referrals", series)
        parts += charts.lines(
            _RIGHT, _SECOND, "Milliseconds, by stored referrals", sizes, "referrals",
            (("submit_ms_p99", "submit, 99th percentile", RED), ("submit_ms_p50", "submit, median", BLUE),
             ("tasks_ms", "newest 20 of a hospital", TEAL)),
        )  # fmt: skip
    said = "Time to the offers by load, referrals a second by replicas, cost and time by what is stored"
    return charts.page(900, 760, said, parts)


def budget(told: Row) -> str:
    """Each process beside what the libraries alone would take for the same calls, commands, messages and mails."""
    made = [row for row in hop_rows(told) if row["cpu_ms"] >= 0.05]
    series = (("cpu_ms", "measured", BLUE), ("bare_ms", "the libraries alone", GOLD))
    return charts.page(
        760,
        90 + 38 * len(made),
        "CPU of one referral by process, beside the bare libraries",
        charts.beside(20, 40, "CPU of one referral, ms", made, "process", series),
    )


def tables(kept: dict[str, Any]) -> dict[str, list[str]]:
    """The same figures as Markdown, by the name of their place in docs/performance.md."""
    found = {"capacity": capacity_table()}
    if "hops" in kept:
        found["hops"] = hop_table(kept["hops"])
    if "peers" in kept:
        found["peers"] = [
            "| peer | referrals a second | CPU of a referral, ms | killed once: never ended | told twice |",
            "|---|---|---|---|---|",
            *(f"| {' | '.join(str(value) for value in row.values())} |" for row in kept["peers"]),
        ]
    for name, columns in _COLUMNS.items():
        if name in kept:
            head = [f"| {' | '.join(columns.values())} |", f"|{'---|' * len(columns)}"]
            found[name] = head + [
                f"| {' | '.join(f'{row[column]:,}' for column in columns)} |" for row in kept[name]
            ]
    return found


def placed(text: str, told: dict[str, list[str]]) -> str:
    """The page with each table in its place, between its two marks."""
    for name, said in told.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        lines = "\n".join(said)
        text = f"{before}{begin}\n{lines}\n\n{end}{after}"
    return text


def main(given: list[str]) -> None:
    """Keeps new figures where there are some, and draws."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for file in given:
        kept |= kept_of(Path(file).read_text(encoding="utf-8"))
    if given:
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    (IMAGES / "performance.svg").write_text(growth(kept), encoding="utf-8")
    if "hops" in kept:
        (IMAGES / "performance-budget.svg").write_text(budget(kept["hops"]), encoding="utf-8")
    PAGE.write_text(placed(PAGE.read_text(encoding="utf-8"), tables(kept)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
