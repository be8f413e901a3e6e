"""C2SP tlog-checkpoint: origin, tree size and root as the text of a signed note."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.tlog.merkle import HASH_BYTES
from services.audit.tlog.notes import NoteSigner, NoteVerifier, open_note

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MAX_SIZE = 2**63 - 1
_MANDATORY_LINES = 3


class CheckpointRefused(ValueError):  # noqa: N818
    """The text is no checkpoint, or one of another log."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's commitment: which log, how many leaves, which root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note text, with its last newline."""
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions]
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint a note text says; raises CheckpointRefused.

    Stricter than some implementations, as the specification is: extension lines must not be empty.
    """
    if not text.endswith("\n"):
        raise CheckpointRefused("the last line has no newline")
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < _MANDATORY_LINES or not all(lines):
        raise CheckpointRefused("a checkpoint has at least three lines, none of them empty")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size) or int(size) > _MAX_SIZE:
        raise CheckpointRefused("the tree size is not a number in range")
    return Checkpoint(origin, int(size), _unbase64(root), tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> bytes:
    """The signed note of a checkpoint; signing the same one twice gives the same bytes."""
    return signer.sign(checkpoint.text())


def open_checkpoint(note: bytes, origin: str, known: Sequence[NoteVerifier]) -> Checkpoint:
    """The checkpoint of the log `origin` that a known key signed.

    Raises NoteRefused (no known signature) or CheckpointRefused (another log, a root of another length).
    """
    checkpoint = parse_checkpoint(open_note(note, known).text)
    if checkpoint.origin != origin:
        raise CheckpointRefused("the checkpoint is of another log")
    if len(checkpoint.root) != HASH_BYTES:
        raise CheckpointRefused("the root is not 32 bytes long")
    return checkpoint


def _unbase64(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as wrong:
        raise CheckpointRefused("the root is not base64") from wrong
