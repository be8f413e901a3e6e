"""The signer: signs a checkpoint only if it goes on from the last one it signed, which it remembers apart.

It runs as a process of its own (keeper.py), and a worker reaches it through asking.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chassis.failpoints import failpoint
from services.audit.domain.entry import LogBroken
from services.audit.keepers.remembered import RememberedNotes
from services.audit.tlog.checkpoints import Checkpoint, CheckpointRefused, open_checkpoint, sign_checkpoint
from services.audit.tlog.merkle import EMPTY_ROOT
from services.audit.tlog.notes import NoteRefused, NoteSigner
from services.audit.tlog.proofs import ProofRefused, verify_consistency

# (old size) -> the proof that the tree being signed begins with the tree of that size
ConsistencyProof = Callable[[int], list[bytes]]


class Signing(Protocol):
    """What the sequencer and a check of the log need of the signer, wherever it runs."""

    def sign(self, checkpoint: Checkpoint, prove: ConsistencyProof, previous: bytes = b"") -> bytes:
        """The signed note; raises LogBroken, or SignerAway."""
        ...

    def last(self, origin: str) -> Checkpoint | None:
        """The checkpoint of this log that was signed last; raises SignerAway."""
        ...


class SignerAway(ConnectionError):  # noqa: N818  a ConnectionError is waited out by everybody
    """The signer does not answer, or not to us: nothing is signed, nothing is acknowledged, everything waits."""


class Signer:
    """Holds the key of one family of logs: `name` itself, and every log whose name begins with it and a slash."""

    def __init__(self, memory: RememberedNotes, key: NoteSigner) -> None:
        self._memory = memory
        self._key = key

    def last(self, origin: str) -> Checkpoint | None:
        """The checkpoint that was signed last; raises LogBroken where somebody wrote another into the memory."""
        return self._open(origin, self._memory.last(origin))

    def known(self, origin: str, previous: bytes) -> Checkpoint | None:
        """What was signed last, or, without a memory, what `previous` says if our key signed it."""
        return self.last(origin) or self._open(origin, previous or None)

    def last_note(self, origin: str) -> bytes | None:
        """The note itself."""
        return self._memory.last(origin)

    def sign(self, checkpoint: Checkpoint, prove: ConsistencyProof, previous: bytes = b"") -> bytes:
        """The signed note; raises LogBroken where the tree does not go on from the one signed last.

        What was signed is remembered before it is given away. Signing the same checkpoint again gives the same bytes.
        A signer that lost its memory takes `previous`, the log's head, if its own key signed it; the witness notices
        where that is an older one than the last.
        """
        key = self._key_of(checkpoint.origin)
        with self._memory.turn():
            last = self.known(checkpoint.origin, previous)
            if last is None and checkpoint.size:
                raise LogBroken("signer-remembers-nothing", f"and is asked to sign {checkpoint.size}")
            _check(last, checkpoint, prove)
            note = sign_checkpoint(checkpoint, key)
            if last != checkpoint or self._memory.last(checkpoint.origin) is None:
                self._memory.keep(checkpoint.origin, note)
            failpoint("audit.signer.after_keep")
        return note

    def _key_of(self, origin: str) -> NoteSigner:
        name = self._key.verifier.name
        if origin != name and not origin.startswith(f"{name}/"):
            raise LogBroken("signer-knows-no-such-log")
        return self._key.under(origin)

    def _open(self, origin: str, note: bytes | None) -> Checkpoint | None:
        if note is None:
            return None
        try:
            return open_checkpoint(note, origin, [self._key_of(origin).verifier])
        except (NoteRefused, CheckpointRefused) as wrong:
            raise LogBroken("signer-memory-changed", str(wrong)) from wrong


def _check(last: Checkpoint | None, new: Checkpoint, prove: ConsistencyProof) -> None:
    if new.size == 0 and new.root != EMPTY_ROOT:
        raise LogBroken("empty-log-with-a-root")
    if last is None or last == new:
        return
    if new.size < last.size:
        raise LogBroken("signer-remembers-a-larger-log", f"{last.size} > {new.size}")
    if new.size == last.size:
        raise LogBroken("signer-remembers-another-root", f"at {last.size}")
    if last.size == 0:
        return
    try:
        verify_consistency(last.size, new.size, last.root, new.root, prove(last.size))
    except (ProofRefused, ValueError) as wrong:
        raise LogBroken("signer-remembers-another-history", f"at {last.size}") from wrong
