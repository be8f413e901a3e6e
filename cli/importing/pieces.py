"""One thing to submit out of a file, and how sending it ended; neither holds more than this one thing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Form(StrEnum):
    """What a file is written in, told by its content."""

    FHIR = "FHIR JSON"
    NDJSON = "FHIR NDJSON"
    HL7 = "HL7 v2"
    CSV = "CSV"


class End(StrEnum):
    """How a piece ended; `unsent` pieces go out when the command runs again."""

    STORED = "stored"
    KNOWN = "known"
    REFUSED = "refused"
    UNSENT = "unsent"


@dataclass(frozen=True)
class PieceFault:
    """What is wrong and where: the column of a CSV row, the path in a resource, the field of a segment."""

    code: str
    message: str
    column: str = ""


@dataclass(frozen=True)
class Piece:
    """`line` is where it begins in its file, from 1.  `faults` were found before anything was sent."""

    file: Path
    form: Form
    line: int
    content: bytes = b""
    row: Any = None  # the gRPC request of a CSV row
    faults: Sequence[PieceFault] = ()
    end_offset: int = 0  # how far into the file the reader was, for the progress bar

    @property
    def key(self) -> str:
        """Equal for equal content, so that the same piece is one referral however often it is sent."""
        return "file-" + hashlib.sha256(self.content).hexdigest()[:40]


@dataclass(frozen=True)
class Outcome:
    """What is told of a piece; no words of the piece itself."""

    piece: Piece
    end: End
    referral_id: str = ""
    status: str = ""
    faults: Sequence[PieceFault] = field(default_factory=tuple)

    def record(self) -> dict[str, Any]:
        """For --json."""
        return {
            "file": self.piece.file.name,
            "line": self.piece.line,
            "form": self.piece.form.value,
            "end": self.end.value,
            "task": self.referral_id,
            "status": self.status,
            "outcome": "; ".join(map(told, self.faults)) or self.end.value,
            "faults": [vars(fault) for fault in self.faults],
        }


def told(fault: PieceFault) -> str:
    """ "code at column: message"."""
    return f"{fault.code}{' at ' + fault.column if fault.column else ''}: {fault.message}"


class Unavailable(Exception):  # noqa: N818
    """The door does not answer now; nothing was promised, and the piece may be sent again."""
