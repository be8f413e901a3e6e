"""Lines over a scale and bars beside each other, as parts of an SVG that reads well in light and in print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BLUE, RED, GOLD, TEAL, GRAY = "#1b6e8c", "#b5532a", "#e0a526", "#4fa3b8", "#8a8a8a"
HIGH, WIDE = 220, 330
Row = dict[str, Any]
Series = Sequence[tuple[str, str, str]]  # the figure's name, what it is called, its color


def page(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """The whole picture; `title` is what it says to whoever cannot see it."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
            'font-size="13" role="img" aria-labelledby="title">',
            f'<title id="title">{title}</title>',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def lines(left: int, top: int, title: str, rows: Sequence[Row], at: str, series: Series) -> list[str]:
    """A line for each series over the rows, in equal steps named by `at`; the first and the last have figures."""
    most = round_up(max(row[name] for row in rows for name, _, _ in series))
    said = [words(left, top - 20, title, "bold"), *_scale(left, top, most)]
    steps = [left + (place + 0.5) * WIDE / len(rows) for place in range(len(rows))]
    for place, (name, _, color) in enumerate(series):
        points = [
            (x, top + HIGH * (1 - row[name] / most), row[name]) for x, row in zip(steps, rows, strict=True)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        said.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        said += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y, _ in points]
        if place in (0, len(series) - 1):  # above the first line and below the last one they meet nothing
            below = 16 if place else -7
            said += [words(x, y + below, f"{value:,}", anchor="middle") for x, y, value in points]
    said += [
        words(x, top + HIGH + 18, f"{row[at]:,}", anchor="middle") for x, row in zip(steps, rows, strict=True)
    ]
    return [*said, *_legend(left, top + HIGH + 30, [one[1:] for one in series])]


def stacked(left: int, top: int, title: str, rows: Sequence[Row], at: str, series: Series) -> list[str]:
    """A bar for each row, its parts on top of each other, with their sum."""
    sums = [sum(row[name] for name, _, _ in series) for row in rows]
    most = round_up(max(sums))
    said = [words(left, top - 20, title, "bold"), *_scale(left, top, most)]
    for place, (row, whole) in enumerate(zip(rows, sums, strict=True)):
        middle, y = left + (place + 0.5) * WIDE / len(rows), float(top + HIGH)
        for name, _, color in series:
            high = row[name] / most * HIGH
            y -= high
            said.append(
                f'<rect x="{middle - 24:.0f}" y="{y:.1f}" width="48" height="{high:.1f}" fill="{color}"/>'
            )
        said.append(words(middle, y - 6, f"{whole:,.1f}", anchor="middle"))
        said.append(words(middle, top + HIGH + 18, f"{row[at]:,}", anchor="middle"))
    return [*said, *_legend(left, top + HIGH + 30, [one[1:] for one in series])]


def beside(
    left: int, top: int, title: str, rows: Sequence[Row], at: str, series: Series, wide: int = 700
) -> list[str]:
    """For each row a line of bars, one for each series below the other, from left to right; each with its figure."""
    most = max(row[name] for row in rows for name, _, _ in series)
    said, y = [words(left, top - 10, title, "bold")], float(top)
    for row in rows:
        said.append(words(left + 150, y + 8 * len(series), str(row[at]), anchor="end"))
        for name, _, color in series:
            long = row[name] / most * (wide - 220)
            said.append(f'<rect x="{left + 160}" y="{y:.1f}" width="{long:.1f}" height="13" fill="{color}"/>')
            said.append(words(left + 166 + long, y + 11, f"{row[name]:,.2f}"))
            y += 15
        y += 8
    return [*said, *_legend(left + 160, round(y), [one[1:] for one in series])]


def words(x: float, y: float, text: str, weight: str = "normal", *, anchor: str = "start") -> str:
    """The words at that place."""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-weight="{weight}" text-anchor="{anchor}">{text}</text>'


def round_up(value: float) -> float:
    """A little more than the value, that divides by four."""
    scale = 1.0
    while value * 1.1 > 20 * scale:
        scale *= 10
    step = next(
        each * scale
        for each in (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5)
        if value * 1.1 <= each * scale * 4
    )
    return step * 4


def _legend(x: int, y: int, named: Sequence[tuple[str, str]]) -> list[str]:
    said = []
    for place, (text, color) in enumerate(named):
        at_x, at_y = x + (place % 2) * 170, y + (place // 2) * 19
        said.append(f'<rect x="{at_x}" y="{at_y}" width="12" height="12" fill="{color}"/>')
        said.append(words(at_x + 18, at_y + 11, text))
    return said


def _scale(left: int, top: int, most: float) -> list[str]:
    said = []
    for step in range(5):
        y = top + HIGH * (1 - step / 4)
        said.append(f'<line x1="{left}" y1="{y:.0f}" x2="{left + WIDE}" y2="{y:.0f}" stroke="#ddd"/>')
        said.append(words(left - 8, y + 4, f"{most * step / 4:,.4g}", anchor="end"))
    return said
