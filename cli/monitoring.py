"""A monitor of the audit log from outside: needs the tiles' address and a policy file, and remembers what it saw."""

from __future__ import annotations

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cli import verify
from cli.tiles import Tiles
from cli.verify import Checkpoint, NotVerified, VerifierKey

FRESH_S = 180.0
_ASK_S = 10.0
_FUTURE_S = 300.0
_NOT_THERE = frozenset({404, 410})


@dataclass(frozen=True)
class Policy:
    """A C2SP tlog-policy file: the log, its witnesses, and how many must have cosigned."""

    log: VerifierKey
    witnesses: Mapping[str, tuple[str, bytes, bytes]] = field(default_factory=dict)
    groups: Mapping[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str = "none"

    def is_met_by(self, there: Mapping[str, int], name: str = "") -> bool:
        """Whether these witnesses are enough."""
        name = name or self.quorum
        if name == "none":
            return True
        if name not in self.groups:
            return name in there
        least, members = self.groups[name]
        return sum(self.is_met_by(there, member) for member in members) >= least


def read_policy(text: str) -> Policy:
    """The policy; raises NotVerified "policy-malformed"."""
    log: VerifierKey | None = None
    witnesses: dict[str, tuple[str, bytes, bytes]] = {}
    groups: dict[str, tuple[int, list[str]]] = {}
    quorum = ""
    for words in filter(None, (line.partition("#")[0].split() for line in text.splitlines())):
        match words:
            case ["log", vkey, *_] if log is None:
                log = verify.read_key(vkey)
            case ["witness", name, vkey, *_]:
                witnesses[name] = _witness_key(vkey)
            case ["group", name, least, *members] if members:
                count = {"any": 1, "all": len(members)}.get(least) or int(least)
                groups[name] = (count, members)
            case ["quorum", name] if not quorum and (name == "none" or name in witnesses or name in groups):
                quorum = name
            case _:
                raise NotVerified("policy-malformed", " ".join(words))
    if log is None or not quorum:
        raise NotVerified("policy-malformed", "a log and a quorum are needed")
    return Policy(log, witnesses, groups, quorum)


def newest_log(url: str) -> str:
    """The name of the newest log, as the mirror says it; "" for the first. An older one it named would be stale."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/newest", timeout=_ASK_S) as answer:  # noqa: S310
            return str(answer.read(20).decode("ascii", "replace")).strip()
    except urllib.error.HTTPError:
        return ""


class NoSuchLog(Exception):  # noqa: N818  it says what is not there
    """There is no log of this name, and none was seen before."""

    def __init__(self, name: str, url: str) -> None:
        super().__init__(f"There is no log {name} at {url}.")


@dataclass(frozen=True)
class Seen:
    """What one look found."""

    origin: str
    size: int
    root: str
    compared_with: str
    grown_by: int | None
    tiles_read: int
    cosigned: dict[str, str]
    age_s: float


class Monitor:
    """Looks at one log again and again; `folder` remembers its newest checkpoint."""

    def __init__(self, url: str, policy: Policy, folder: Path, name: str = "") -> None:
        self._url = url.rstrip("/") + (f"/{name}" if name else "")
        self._policy = policy
        self._key = verify.verifier_key(policy.log.name + (f"/{name}" if name else ""), policy.log.public)
        self._kept = folder / f"monitor.{hashlib.sha256(str(self._key).encode()).hexdigest()[:16]}.checkpoint"

    def look(self) -> Seen:
        """The newest checkpoint is signed, cosigned, fresh, and goes on from the last one; raises NotVerified.

        Codes: note-malformed, note-unsigned, signature-bad, cosignature-bad, cosignatures-missing, stale, rolled-back,
        history-rewritten (with both signed notes as the evidence), root-differs, tile-missing, tile-changed,
        log-missing (it was seen before).  Raises NoSuchLog where none of this name was ever seen.
        """
        note = self._note()
        now = verify.open_checkpoint(note, self._key)
        cosigned = _cosigned(note, self._policy)
        before = self._remembered()
        read = self._compare(before, now, note)
        self._remember(note)
        newest = max(cosigned.values(), default=0)
        age_s = time.time() - newest if newest else 0.0
        if newest and not -_FUTURE_S <= age_s <= FRESH_S:
            raise NotVerified("stale", f"the newest cosignature is {age_s:.0f} s old")
        times = {who: _utc(at) for who, at in cosigned.items()}
        known = f"the {before.size} entries seen before" if before else "nothing yet: this is the first look"
        grown = now.size - before.size if before else None
        return Seen(now.origin, now.size, now.root.hex(), known, grown, read, times, round(age_s, 1))

    def _compare(self, before: Checkpoint | None, now: Checkpoint, note: bytes) -> int:
        """How many tiles were read to see that the log goes on from what was seen before."""
        if before and now.size < before.size:
            raise NotVerified("rolled-back", f"{before.size} entries were seen, now there are {now.size}")
        if before and now.size == before.size:
            if now.root != before.root:
                raise NotVerified("history-rewritten", self._evidence(note))
            return 0
        if not now.size:
            return 0
        tiles = Tiles(now.size, self._fetch)
        if tiles.root(now.size) != now.root:
            raise NotVerified("root-differs", "the tiles do not lead to the signed root")
        if before and before.size and tiles.root(before.size) != before.root:
            raise NotVerified("history-rewritten", self._evidence(note))
        return tiles.check_grown(before.size if before else 0)

    def _note(self) -> bytes:
        """The newest checkpoint; that a log is not there is one thing, that it is gone another."""
        try:
            return self._fetch("checkpoint")
        except NotVerified as missing:
            if missing.code != "tile-missing":
                raise
        if before := self._remembered():
            raise NotVerified(
                "log-missing", f"{before.size} entries were seen before, now there is no such log"
            )
        raise NoSuchLog(self._key.name, self._url)

    def _evidence(self, note: bytes) -> str:
        return f"two signed histories:\n{self._kept.read_bytes().decode()}\n{note.decode()}"

    def _fetch(self, path: str) -> bytes:
        try:
            with urllib.request.urlopen(f"{self._url}/{path}", timeout=_ASK_S) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as refused:
            if refused.code not in _NOT_THERE:
                raise
            raise NotVerified("tile-missing", f"{path}: HTTP {refused.code}") from None

    def _remembered(self) -> Checkpoint | None:
        return verify.open_checkpoint(self._kept.read_bytes(), self._key) if self._kept.exists() else None

    def _remember(self, note: bytes) -> None:
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        draft = self._kept.with_suffix(".draft")
        draft.write_bytes(note)
        draft.replace(self._kept)


def cosigned_by(note: bytes, policy: Policy) -> dict[str, str]:
    """Who cosigned the note and when; raises NotVerified where that is not enough for the policy."""
    return {name: _utc(at) for name, at in _cosigned(note, policy).items()}


def _cosigned(note: bytes, policy: Policy) -> dict[str, int]:
    text, lines = verify.split_note(note)
    found: dict[str, int] = {}
    for short, (name, key_id, public) in policy.witnesses.items():
        for who, signature in map(verify.read_signature, lines):
            if who == name and signature[:4] == key_id:
                at = int.from_bytes(signature[4:12], "big")
                message = f"cosignature/v1\ntime {at}\n".encode() + text
                try:
                    Ed25519PublicKey.from_public_bytes(public).verify(signature[12:], message)
                except InvalidSignature:
                    raise NotVerified("cosignature-bad", short) from None
                found[short] = at
    if not policy.is_met_by(found):
        raise NotVerified("cosignatures-missing", f"cosigned by {', '.join(found) or 'nobody'}")
    return found


def told(seen: Seen) -> dict[str, Any]:
    """One look as a row."""
    return {**vars(seen), "verified": True}


def _witness_key(vkey: str) -> tuple[str, bytes, bytes]:
    name, key_id, material = verify.split_key(vkey, verify.COSIGNATURE)
    return name, key_id, material


def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
