"""Two plots of a simulation, drawn as SVG: how soon somebody said yes, and how full the specialists were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.matching.simulation.measuring import quantile, waits_s
from services.matching.simulation.running import Simulation

_WIDTH, _HEIGHT, _LEFT, _FOOT = 640, 320, 52, 40
_COLORS = {"immediate": "#8a1c1c", "urgent": "#1c4f8a", "routine": "#3a6b35"}
Point = tuple[float, float]


def write(simulation: Simulation, folder: str) -> list[str]:
    """The plots are in the folder; returns their paths."""
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    found = {"simulated-time-to-match.svg": _waits(simulation), "simulated-load.svg": _loads(simulation)}
    for name, drawn in found.items():
        (home / name).write_text(drawn, encoding="utf-8")
    return [str(home / name) for name in found]


def _waits(simulation: Simulation) -> str:
    """The share of each urgency's referrals that somebody had said yes to by each minute of the first hour."""
    lines = []
    for urgency in _COLORS:
        stories = [one for one in simulation.stories.values() if one.coming.need.urgency == urgency]
        waits = waits_s(stories)
        if stories:
            shares = [sum(wait <= 60 * m for wait in waits) / len(stories) for m in range(61)]
            lines.append((urgency, [(m / 60, share) for m, share in enumerate(shares)]))
    ticks = [(m / 60, f"{m} min") for m in (0, 5, 10, 15, 30, 60)]
    return _chart("Share of referrals somebody said yes to, by minutes since they came", lines, ticks)


def _loads(simulation: Simulation) -> str:
    """The median and the ninetieth of a hundred specialists' load at noon of each day, as a share of capacity."""
    days = max(len(simulation.loads) - 1, 1)
    told = {"median": 0.5, "ninth of ten": 0.9}
    lines = [
        (
            name,
            [
                (d / days, min(quantile(shares, at) or 0.0, 1.0))
                for d, (_, shares) in enumerate(simulation.loads)
            ],
        )
        for name, at in told.items()
    ]
    ticks = [(d / days, f"day {d + 1}") for d in range(0, days + 1, max(days // 6, 1))]
    return _chart("Load of the specialists at noon, share of capacity", lines, ticks)


def _chart(
    title: str, lines: Sequence[tuple[str, Sequence[Point]]], ticks: Sequence[tuple[float, str]]
) -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        f' aria-label="{title}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/><text x="{_LEFT}" y="18">{title}</text>',
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 90}" y1="{y}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    for at, label in ticks:
        parts.append(f'<text x="{_x(at)}" y="{_HEIGHT - 16}" text-anchor="middle">{label}</text>')
    palette = list(_COLORS.values())
    for number, (name, points) in enumerate(lines):
        color = _COLORS.get(name, palette[number % len(palette)])
        path = " ".join(f"{_x(x)},{_y(y)}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(
            f'<text x="{_WIDTH - 84}" y="{_y(points[-1][1]) + 4 + 2 * number}" fill="{color}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _x(share: float) -> float:
    return round(_LEFT + share * (_WIDTH - 90 - _LEFT), 1)


def _y(share: float) -> float:
    return round(_HEIGHT - _FOOT - share * (_HEIGHT - _FOOT - 32), 1)
