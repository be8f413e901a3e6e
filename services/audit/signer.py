"""The signer: signs a checkpoint only if it goes on from the last one it signed, which it remembers apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from services.audit.domain.entry import LogBroken
from services.audit.tlog.checkpoints import Checkpoint, sign_checkpoint
from services.audit.tlog.notes import NoteSigner
from services.audit.tlog.proofs import ProofRefused, verify_consistency

# (old size) -> the proof that the tree being signed begins with the tree of that size
ConsistencyProof = Callable[[int], list[bytes]]


class SignerMemory:
    """The newest checkpoint that was ever signed, in a database of the signer's own.

    Whoever rolls the log back has not rolled this back.
    """

    def __init__(self, database: Database[dict[str, Any]], origin: str) -> None:
        self._signed = database["signed"]
        self._origin = origin

    def last(self) -> Checkpoint | None:
        """What was signed last, or None where nothing ever was."""
        document = self._signed.find_one({"_id": self._origin})
        return Checkpoint(self._origin, document["size"], document["root"]) if document else None

    def replace(self, last: Checkpoint | None, new: Checkpoint) -> bool:
        """`new` is remembered if `last` still was; False where somebody else signed meanwhile."""
        content = {"size": new.size, "root": new.root}
        if last is not None:
            seen = {"_id": self._origin, "size": last.size, "root": last.root}
            return self._signed.update_one(seen, {"$set": content}).matched_count == 1
        try:
            self._signed.insert_one({"_id": self._origin, **content})
        except DuplicateKeyError:
            return False
        return True


class Signer:
    """Holds the log's key."""

    def __init__(self, memory: SignerMemory, key: NoteSigner) -> None:
        self._memory = memory
        self._key = key

    def sign(self, checkpoint: Checkpoint, prove: ConsistencyProof) -> bytes:
        """The signed note; raises LogBroken where the tree does not go on from the one signed last.

        What was signed is remembered before it is given away. Signing the same checkpoint again gives the same bytes.
        """
        while True:
            last = self._memory.last()
            _check(last, checkpoint, prove)
            if last == checkpoint or self._memory.replace(last, checkpoint):
                return sign_checkpoint(checkpoint, self._key)


def _check(last: Checkpoint | None, new: Checkpoint, prove: ConsistencyProof) -> None:
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
