"""Our own witness, as C2SP tlog-witness has it: cosigns a checkpoint only if it goes on from the last it cosigned.

It knows nothing of entries, keys or databases, so that it can run under somebody else's administration, and anybody
else's witness can stand in its place.
"""

from __future__ import annotations

from collections.abc import Callable

from chassis.clock import Clock
from chassis.failpoints import failpoint
from services.audit.keepers.remembered import RememberedNotes
from services.audit.tlog.checkpoints import Checkpoint, CheckpointRefused, open_checkpoint, parse_checkpoint
from services.audit.tlog.cosignatures import Cosigner
from services.audit.tlog.merkle import EMPTY_ROOT
from services.audit.tlog.notes import NoteRefused, NoteVerifier, split_note
from services.audit.tlog.proofs import ProofRefused, verify_consistency
from services.audit.tlog.submissions import Submission, SubmissionMalformed, decode_submission

# origin -> the key that is believed for that log, None for a log nobody told us of
LogKeys = Callable[[str], NoteVerifier | None]
SIZE_TYPE = "text/x.tlog.size"


class WitnessRefused(Exception):  # noqa: N818
    """The answer of a witness that does not cosign: an HTTP status and a body."""

    def __init__(self, status: int, body: str, content_type: str = "text/plain") -> None:
        super().__init__(f"{status} {body.strip()}")
        self.status = status
        self.body = body
        self.content_type = content_type


class Witness:
    """One witness with its key and its memory."""

    def __init__(self, memory: RememberedNotes, key: Cosigner, logs: LogKeys, clock: Clock) -> None:
        self._memory = memory
        self._key = key
        self._logs = logs
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> bytes:
        """The cosignature's line; the checkpoint is remembered before it is given. Raises WitnessRefused."""
        try:
            submission = decode_submission(body)
        except SubmissionMalformed as wrong:
            raise WitnessRefused(400, f"{wrong}\n") from wrong
        checkpoint, verifier = self._opened(submission.checkpoint)
        if submission.old_size > checkpoint.size:
            raise WitnessRefused(400, "the old size is above the checkpoint's\n")
        with self._memory.turn():
            self._check(submission, checkpoint, self._remembered(checkpoint.origin, verifier))
            line = self._key.cosign(split_note(submission.checkpoint)[0], int(self._clock.now().timestamp()))
            self._memory.keep(checkpoint.origin, submission.checkpoint + line)
        failpoint("audit.witness.before_answer")
        return line

    def last(self, origin: str) -> bytes | None:
        """The cosigned checkpoint of a log that is remembered; for monitors."""
        return self._memory.last(origin)

    def _opened(self, note: bytes) -> tuple[Checkpoint, NoteVerifier]:
        """The checkpoint that a key believed for its log signed."""
        try:
            origin = parse_checkpoint(split_note(note)[0]).origin
        except (NoteRefused, CheckpointRefused) as wrong:
            raise WitnessRefused(400, f"{wrong}\n") from wrong
        verifier = self._logs(origin)
        if verifier is None:
            raise WitnessRefused(404, "unknown log\n")
        try:
            return open_checkpoint(note, origin, [verifier]), verifier
        except NoteRefused as wrong:
            raise WitnessRefused(403, f"{wrong}\n") from wrong
        except CheckpointRefused as wrong:
            raise WitnessRefused(400, f"{wrong}\n") from wrong

    def _remembered(self, origin: str, verifier: NoteVerifier) -> Checkpoint | None:
        note = self._memory.last(origin)
        return open_checkpoint(note, origin, [verifier]) if note is not None else None

    def _check(self, submission: Submission, new: Checkpoint, last: Checkpoint | None) -> None:
        """The rules of tlog-witness, in its order."""
        known = last.size if last else 0
        if submission.old_size != known:
            raise WitnessRefused(409, f"{known}\n", SIZE_TYPE)
        if new.size == 0 and new.root != EMPTY_ROOT:
            raise WitnessRefused(422, "an empty log has another root\n")
        if known == 0 or last is None:
            if submission.proof:
                raise WitnessRefused(422, "nothing is proven from size 0\n")
            return
        try:
            verify_consistency(last.size, new.size, last.root, new.root, submission.proof)
        except ProofRefused as wrong:
            raise WitnessRefused(422, f"{wrong}\n") from wrong
