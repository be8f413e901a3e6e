"""The clients' own journal: what they tried, what they were told, what they never learned; one line each, append-only.

It is the ground truth of the fault suite: written before a call leaves and after its answer came, by those who called,
and never read from the system.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What a line can say.  Every "tried" is followed by told, refused (for good) or unknown (no answer).
SUBMIT, ACCEPT, READ, FAULT = "submit", "accept", "read", "fault"
TRIED, TOLD, REFUSED, UNKNOWN = "tried", "told", "refused", "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `facts` are ids and codes."""

    at: float
    what: str
    outcome: str
    facts: dict[str, str]


class Journal:
    """Lines in memory and, one by one as they are written, in a file that outlives whoever writes."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._now = now
        self._lines: list[Line] = []

    def write(self, what: str, outcome: str, **facts: str) -> None:
        """The line is in the file when this returns."""
        line = Line(self._now(), what, outcome, facts)
        with self._lock:
            self._lines.append(line)
            self._file.write(json.dumps([line.at, what, outcome, facts]) + "\n")

    def lines(self, what: str, outcome: str = "") -> list[Line]:
        """The lines of that kind so far, in order."""
        with self._lock:
            return [
                line for line in self._lines if line.what == what and (not outcome or line.outcome == outcome)
            ]

    def acknowledged(self) -> dict[str, set[str]]:
        """By visit, the ids of the referrals its submitter was told; more than one id is a fault by itself."""
        told: dict[str, set[str]] = {}
        for line in self.lines(SUBMIT, TOLD):
            told.setdefault(line.facts["visit"], set()).add(line.facts["referral"])
        return told

    def visits(self) -> set[str]:
        """Every visit anybody tried to submit."""
        return {line.facts["visit"] for line in self.lines(SUBMIT, TRIED)}

    def accepted(self) -> dict[str, str]:
        """By referral, the specialist who was told that they have it."""
        return {line.facts["referral"]: line.facts["specialist"] for line in self.lines(ACCEPT, TOLD)}

    def faults(self) -> int:
        """How many faults were made."""
        return len(self.lines(FAULT))

    def take_in(self, path: Path) -> None:
        """The lines of a journal that another process wrote are lines of this one."""
        rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
        with self._lock:
            self._lines.extend(Line(*row) for row in rows)
            self._file.writelines(json.dumps(row) + "\n" for row in rows)

    def close(self) -> None:
        """No more lines."""
        self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal's file, for whoever looks afterwards."""
    rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    return [{"at": at, "what": what, "outcome": outcome, **facts} for at, what, outcome, facts in rows]
