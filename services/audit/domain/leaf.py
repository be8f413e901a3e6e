"""The leaf: the few lines that are hashed into the tree, without PHI and without a subject's id.

Eight lines of printable ASCII, each with a newline, 400 bytes at most:
version, event id, producer and sequence, time, class, SHA-256 of the sealed body, two commitments.
A leaf is stored as it was hashed and never written again from its parts.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime

VERSION = "kindred-audit-leaf/1"
MAX_BYTES = 400
_LINES = 8
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
_BLIND = re.compile(r"~[A-Za-z0-9_-]{43}")


class LeafMalformed(ValueError):  # noqa: N818
    """The bytes are no leaf of a version this code reads."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One parsed leaf. Times are to the millisecond, digests and commitments 32 bytes."""

    event_id: str
    producer: str
    producer_seq: int
    recorded_at: datetime
    class_code: str
    body_digest: bytes
    hiding_commitment: bytes
    key_commitment: bytes

    def encode(self) -> bytes:
        """The bytes that are hashed; raises LeafMalformed where a name could break the lines."""
        if not (is_name(self.event_id) and is_name(self.producer)):
            raise LeafMalformed("a name in a leaf is short and printable, or blinded")
        lines = (
            VERSION,
            self.event_id,
            f"{self.producer} {self.producer_seq}",
            timestamp(self.recorded_at),
            self.class_code,
            _text(self.body_digest),
            _text(self.hiding_commitment),
            _text(self.key_commitment),
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")


def parse_leaf(encoded: bytes) -> Leaf:
    """The leaf these bytes say; raises LeafMalformed."""
    try:
        lines = encoded.decode("ascii").split("\n")
        version, event_id, origin, moment, class_code, body, hiding, key = lines[:_LINES]
        producer, _, sequence = origin.rpartition(" ")
        if version != VERSION or lines[_LINES:] != [""]:
            raise LeafMalformed("not a leaf of version 1")
        return Leaf(
            event_id,
            producer,
            int(sequence),
            datetime.fromisoformat(moment),
            class_code,
            _bytes(body),
            _bytes(hiding),
            _bytes(key),
        )
    except (ValueError, UnicodeDecodeError, binascii.Error) as wrong:
        raise LeafMalformed("not a leaf of version 1") from wrong


def is_name(text: str) -> bool:
    """Whether a leaf may show this name as it is (another one is blinded first)."""
    return bool(_SAFE.fullmatch(text) or _BLIND.fullmatch(text))


def blinded_name(digest: bytes) -> str:
    """The stand-in of a name that a leaf may not show: "~" and 32 bytes in base64url."""
    return "~" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond, such as "2026-11-21T22:00:00.000Z"."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
