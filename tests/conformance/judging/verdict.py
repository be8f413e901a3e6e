"""One file's verdict, and how a list of them compares with the reviewed table `verdicts.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parents[1] / "verdicts.json"


@dataclass(frozen=True)
class Reason:
    """One thing that was said of a file: its code, where in the file, and the rule that says it."""

    code: str
    place: str
    rule: str


@dataclass(frozen=True)
class Verdict:
    """What is said of one file (or one message of it).

    `standard` is whether it is what it says it is ("valid R4", "invalid R4", "parsed"); `referral` is what the door
    would do with it ("accepted", "held", "refused", "no submission", "not sent").
    """

    file: str
    standard: str
    referral: str
    reasons: tuple[Reason, ...] = ()
    about: str = ""

    def codes(self) -> list[str]:
        """Every code, each once."""
        return sorted({reason.code for reason in self.reasons})

    def row(self) -> dict[str, object]:
        """What is reviewed and kept."""
        return {"standard": self.standard, "referral": self.referral, "codes": self.codes()}

    def is_ruled(self) -> bool:
        """True where every reason names the rule it comes from."""
        return all(reason.rule for reason in self.reasons)


@dataclass(frozen=True)
class Comparison:
    """How today's verdicts stand to the reviewed ones."""

    differ: dict[str, tuple[object, object]]  # file -> (reviewed, today)
    new: list[str]
    gone: list[str]


def reviewed() -> dict[str, dict[str, object]]:
    """The reviewed table; empty where there is none."""
    found: dict[str, dict[str, object]] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    return found


def compared(verdicts: Iterable[Verdict]) -> Comparison:
    """Every difference.  A file that is not in the table is new; one that is not here any more is gone."""
    known, today = reviewed(), {one.file: one.row() for one in verdicts}
    differ = {name: (known[name], row) for name, row in today.items() if name in known and known[name] != row}
    return Comparison(differ, sorted(today.keys() - known.keys()), sorted(known.keys() - today.keys()))


def keep(verdicts: Iterable[Verdict]) -> None:
    """Writes the table anew; only after somebody has read every line of the report."""
    rows = {one.file: one.row() for one in sorted(verdicts, key=lambda one: one.file)}
    lines = [f" {json.dumps(name, ensure_ascii=False)}: {json.dumps(row)}" for name, row in rows.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
