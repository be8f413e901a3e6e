"""Timelines drawn as SVG on the server: a lane for each actor or person, a mark for each entry, words for each mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

_WIDTH, _LANE, _LEFT, _TOP, _RIGHT = 960, 34, 210, 28, 20
MOST_LANES = 24


@dataclass(frozen=True, slots=True)
class Mark:
    """One entry on the line: when, in whose lane, what it says when asked, and whether it was a denial."""

    at: datetime
    lane: str
    words: str
    is_denied: bool


def drawn(marks: Sequence[Mark], title: str, others: str) -> str:
    """The picture; the table beside it says the same for whoever cannot see it. Lanes beyond the limit are one."""
    if not marks:
        return ""
    counts: dict[str, int] = {}
    for mark in marks:
        counts[mark.lane] = counts.get(mark.lane, 0) + 1
    lanes = sorted(counts, key=lambda lane: (-counts[lane], lane))
    if len(lanes) > MOST_LANES:
        lanes = [*lanes[: MOST_LANES - 1], others]
    first, last = min(mark.at for mark in marks), max(mark.at for mark in marks)
    span = max((last - first).total_seconds(), 1.0)
    height = _TOP + len(lanes) * _LANE + 26
    place = {lane: _TOP + index * _LANE + _LANE // 2 for index, lane in enumerate(lanes)}
    parts = [
        f'<svg class="timeline" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
    ]
    for lane in lanes:
        y = place[lane]
        parts.append(f'<line class="lane" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"></line>')
        parts.append(f'<text x="0" y="{y + 5}">{escape(_short(lane))}</text>')
    for mark in marks:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((mark.at - first).total_seconds() / span)
        y = place.get(mark.lane, place[lanes[-1]])
        words = f"<title>{escape(mark.words)}</title>"
        if mark.is_denied:
            parts.append(f'<path class="denied" d="M{x - 6:.1f} {y - 6}l12 12m0 -12l-12 12">{words}</path>')
        else:
            parts.append(f'<circle class="done" cx="{x:.1f}" cy="{y}" r="6">{words}</circle>')
    bottom = height - 8
    parts.append(f'<text class="axis" x="{_LEFT}" y="{bottom}">{first:%Y-%m-%d %H:%M}</text>')
    parts.append(
        f'<text class="axis" x="{_WIDTH - _RIGHT}" y="{bottom}" text-anchor="end">{last:%Y-%m-%d %H:%M}</text></svg>'
    )
    return "".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= 26 else f"{text[:25]}…"
