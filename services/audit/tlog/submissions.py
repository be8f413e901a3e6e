"""The body of C2SP tlog-witness add-checkpoint: old size, consistency proof, checkpoint."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.tlog.merkle import HASH_BYTES

_MOST_HASHES = 63
_OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})", re.ASCII)


class SubmissionMalformed(ValueError):  # noqa: N818
    """The body is not what tlog-witness asks for."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint (signed, or the bare text where a signature is what is asked for) and why it may follow."""

    old_size: int
    proof: Sequence[bytes]
    checkpoint: bytes

    def encode(self) -> bytes:
        """The request's body."""
        lines = [f"old {self.old_size}", *(base64.b64encode(each).decode() for each in self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint


def decode_submission(body: bytes) -> Submission:
    """What a request says; raises SubmissionMalformed."""
    head, blank, checkpoint = body.partition(b"\n\n")
    first, *hashes = head.split(b"\n")
    old = _OLD.fullmatch(first)
    if not blank or not checkpoint or old is None or len(hashes) > _MOST_HASHES:
        raise SubmissionMalformed("not an old size, at most 63 hashes, an empty line and a checkpoint")
    return Submission(int(old.group(1)), [_hash(each) for each in hashes], checkpoint)


def _hash(line: bytes) -> bytes:
    try:
        found = base64.b64decode(line, validate=True)
    except binascii.Error as wrong:
        raise SubmissionMalformed("a proof line is not base64") from wrong
    if len(found) != HASH_BYTES:
        raise SubmissionMalformed("a hash is 32 bytes long")
    return found
