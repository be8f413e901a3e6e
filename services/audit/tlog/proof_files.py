"""C2SP tlog-proof: one entry's place in a cosigned log as a text that is verified offline."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


class ProofFileMalformed(ValueError):  # noqa: N818
    """The text is no tlog-proof."""


@dataclass(frozen=True, slots=True)
class ProofFile:
    """Index, hashes leaf side first, the cosigned checkpoint; `extra` is authenticated by nothing."""

    index: int
    hashes: Sequence[bytes]
    checkpoint: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        """The text."""
        extra = [f"extra {base64.b64encode(self.extra).decode()}"] if self.extra else []
        hashes = [base64.b64encode(each).decode() for each in self.hashes]
        lines = [_FIRST_LINE, *extra, f"index {self.index}", *hashes, ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint


def decode_proof_file(content: bytes) -> ProofFile:
    """The proof a text says; raises ProofFileMalformed."""
    head, blank, checkpoint = content.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = base64.b64decode(lines.pop(0).removeprefix("extra "), validate=True)
        index = _INDEX.fullmatch(lines.pop(0)) if lines else None
        hashes = [base64.b64decode(line, validate=True) for line in lines]
    except (UnicodeDecodeError, binascii.Error) as wrong:
        raise ProofFileMalformed("not a tlog-proof") from wrong
    if first != _FIRST_LINE or index is None or not blank or not checkpoint:
        raise ProofFileMalformed("not a tlog-proof")
    return ProofFile(int(index.group(1)), hashes, checkpoint, extra)
