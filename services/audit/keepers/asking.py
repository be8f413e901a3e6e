"""Asking the signer and the witnesses over HTTP; works in threads and under eventlet."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from services.audit.domain.entry import LogBroken
from services.audit.keepers.signer import ConsistencyProof, SignerAway
from services.audit.tlog.checkpoints import Checkpoint, CheckpointRefused, open_checkpoint
from services.audit.tlog.notes import NoteRefused, NoteVerifier
from services.audit.tlog.submissions import Submission

# The head before the batch, which a signer without a memory takes if its own key signed it.
PREVIOUS = "x-kindred-previous"
_WAIT_S = 5.0
# How often the one who is asked may have moved on while we made the proof.
_TRIES = 5


class WitnessAway(ConnectionError):  # noqa: N818
    """The witness does not answer."""


class WitnessObjects(Exception):  # noqa: N818
    """The witness knows another history of the log: evidence, not an outage."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class _Answered:
    status: int
    body: bytes


def _size_of(note: bytes) -> int:
    return int(note.split(b"\n", 2)[1]) if note else 0


class RemoteSigner:
    """The signer in its own process, as the sequencer and a check of the log see it."""

    def __init__(self, url: str, token: str, verifier: NoteVerifier) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}
        self._verifier = verifier
        self._sizes: dict[str, int] = {}

    def last(self, origin: str) -> Checkpoint | None:
        """The checkpoint of this log that was signed last; raises SignerAway, or LogBroken for a false signature."""
        answered = self._ask("GET", f"/last/{quote(origin, safe='')}")
        if answered.status == 404:
            return None
        if answered.status != 200:
            raise SignerAway(f"the signer says {answered.status}")
        return self._open(answered.body, origin)

    def sign(self, checkpoint: Checkpoint, prove: ConsistencyProof, previous: bytes = b"") -> bytes:
        """The signed note; raises LogBroken where the signer refuses, SignerAway where it is away.

        What the signer remembers is guessed first: what it signed for us, or for whoever made the head `previous`.
        """
        guess = max(self._sizes.get(checkpoint.origin, 0), _size_of(previous))
        old_size = min(guess, checkpoint.size)
        for _ in range(_TRIES):
            proof = prove(old_size) if 0 < old_size < checkpoint.size else []
            submission = Submission(old_size, proof, checkpoint.text().encode())
            answered = self._ask("POST", "/sign", submission.encode(), {PREVIOUS: previous.hex()})
            if answered.status == 200:
                self._open(answered.body, checkpoint.origin)
                self._sizes[checkpoint.origin] = checkpoint.size
                return answered.body
            if answered.status != 409:
                raise _refusal(answered)
            old_size = int(answered.body)
            if old_size > checkpoint.size:
                raise LogBroken("signer-remembers-a-larger-log", f"{old_size} > {checkpoint.size}")
        raise SignerAway("the signer moves on faster than it is asked")

    def _open(self, note: bytes, origin: str) -> Checkpoint:
        try:
            verifier = NoteVerifier.of(origin, self._verifier.public_key)
            return open_checkpoint(note, origin, [verifier])
        except (NoteRefused, CheckpointRefused) as wrong:
            raise LogBroken("signer-has-another-key", str(wrong)) from wrong

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> _Answered:
        try:
            return _ask(self._url, method, path, body, self._headers | (headers or {}))
        except (OSError, http.client.HTTPException) as away:
            raise SignerAway(f"the signer does not answer: {type(away).__name__}") from away


class RemoteWitness:
    """One witness of the policy, ours or anybody's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sizes: dict[str, int] = {}

    def cosign(self, note: bytes, checkpoint: Checkpoint, prove: ConsistencyProof) -> bytes:
        """The witness's signature lines; raises WitnessAway, or WitnessObjects where it knows another history."""
        old_size = min(self._sizes.get(checkpoint.origin, 0), checkpoint.size)
        for _ in range(_TRIES):
            proof = prove(old_size) if 0 < old_size < checkpoint.size else []
            answered = self._ask(Submission(old_size, proof, note).encode())
            if answered.status == 200:
                self._sizes[checkpoint.origin] = checkpoint.size
                return answered.body
            if answered.status == 422:
                raise WitnessObjects("history-rewritten", f"the witness cosigned another log at {old_size}")
            if answered.status != 409 or not answered.body.strip().isdigit():
                raise WitnessAway(f"the witness says {answered.status}")
            old_size = int(answered.body)
            if old_size > checkpoint.size:
                raise WitnessObjects(
                    "rolled-back", f"the witness cosigned {old_size}, here are {checkpoint.size}"
                )
        raise WitnessAway("the witness moves on faster than it is asked")

    def _ask(self, body: bytes) -> _Answered:
        try:
            return _ask(self._url, "POST", "/add-checkpoint", body, {})
        except (OSError, http.client.HTTPException) as away:
            raise WitnessAway(f"the witness does not answer: {type(away).__name__}") from away


def _refusal(answered: _Answered) -> Exception:
    if answered.status == 422:
        code, _, detail = answered.body.decode(errors="replace").partition("\n")
        return LogBroken(code, detail)
    return SignerAway(f"the signer says {answered.status}")


def _ask(url: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> _Answered:
    """One request on a connection of its own; raises OSError or HTTPException."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_WAIT_S)
    try:
        connection.request(method, parts.path.rstrip("/") + path, body, headers)
        answer = connection.getresponse()
        return _Answered(answer.status, answer.read())
    finally:
        connection.close()
