"""What the demonstration saw, and how a promise is judged on it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.demo.cast import Played
from cli.demo.roster import Row


@dataclass(frozen=True)
class Verdict:
    """One promise, whether it held, and what was counted or found."""

    promise: str
    held: bool
    evidence: str


@dataclass
class Seen:
    """Everything the demonstration saw, gathered over public APIs and from the far sides' own folders."""

    run: str
    played: list[Played]
    roster: dict[str, Row]
    entries: dict[str, list[Any]]
    notices: dict[str, list[Any]]
    mails: list[bytes]
    logs: str
    database_dump: bytes
    audit: dict[str, Any]
    denied_read_code: str
    denied_entries: int
    rejected_entries: list[Any]

    @property
    def acknowledged(self) -> list[Played]:
        """The stories intake gave an id."""
        return [one for one in self.played if one.referral_id]

    @property
    def refused(self) -> list[Played]:
        """The stories intake turned away."""
        return [one for one in self.played if one.outcome == "refused"]


def read_mails(folder: Path, since: datetime) -> list[bytes]:
    """Mails that arrived after a moment, from the far side's own folder."""
    return [
        path.read_bytes()
        for path in sorted(folder.glob("*.eml"))
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) >= since
    ]


def verdict(promise: str, wrong: Sequence[str], evidence: str) -> Verdict:
    """Held where nothing is wrong; else the first things that are."""
    if not wrong:
        return Verdict(promise, True, evidence)
    shown = "; ".join(wrong[:4]) + (f"; and {len(wrong) - 4} more" if len(wrong) > 4 else "")
    return Verdict(promise, False, shown)


def counted(counter: Counter[str]) -> str:
    """ "12 assigned, 3 refused"."""
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())
