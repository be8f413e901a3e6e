"""Part 2 of the offline verifier: C2SP signed notes, cosignatures, policies and checkpoints."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.audit.offline.proofs import NotProven

DASH = "\u2014 "


def unbase64(text: str) -> bytes:
    """The bytes; NotProven where it is no base64."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as wrong:
        raise NotProven("malformed base64") from wrong


def read_vkey(text: str, algorithm: int) -> tuple[str, bytes, bytes]:
    """(name, key id, public key) of a verifier key whose algorithm byte is 1 (log) or 4 (witness)."""
    name, _, rest = text.partition("+")
    hexed, _, encoded = rest.partition("+")
    material = unbase64(encoded)
    key_id = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    if len(material) != 33 or material[0] != algorithm or key_id.hex() != hexed or not name:
        raise NotProven(f"malformed key: {text}")
    return name, key_id, material[1:]


def verify_signature(public: bytes, signature: bytes, message: bytes) -> None:
    """Raises NotProven."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as wrong:
        raise NotProven("a signature does not fit") from wrong


def split_note(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The text with its last newline, and [(name, key id and signature)]."""
    try:
        text, blank, tail = note.decode().rpartition("\n\n")
    except UnicodeDecodeError as wrong:
        raise NotProven("a checkpoint is not UTF-8") from wrong
    lines = tail.split("\n")[:-1]
    if not blank or not tail.endswith("\n") or not all(line.startswith(DASH) for line in lines):
        raise NotProven("a checkpoint is not a signed note")
    pairs = [line[len(DASH) :].partition(" ") for line in lines]
    return text + "\n", [(name, unbase64(encoded)) for name, _, encoded in pairs]


class Policy:
    """C2SP tlog-policy: logs, witnesses, groups, quorum."""

    def __init__(self, text: str) -> None:
        self.logs: dict[str, bytes] = {}
        self.witnesses: dict[str, tuple[str, bytes, bytes]] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        for line in text.splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "log":
                name, _, public = read_vkey(words[1], 1)
                self.logs[name] = public
            elif words[0] == "witness":
                self.witnesses[words[1]] = read_vkey(words[2], 4)
            elif words[0] == "group":
                count = {"any": 1, "all": len(words) - 3}.get(words[2]) or int(words[2])
                self.groups[words[1]] = (count, words[3:])
            elif words[0] == "quorum":
                self.quorum = words[1]
            else:
                raise NotProven(f"a policy line of no kind: {words[0]}")
        if not self.quorum:
            raise NotProven("a policy without a quorum")

    def log_key(self, origin: str) -> tuple[bytes, bytes]:
        """The key of a log; that of a period or of the root log is the same key under its own name."""
        for name, public in self.logs.items():
            if origin == name or origin.startswith(name + "/"):
                return hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4], public
        raise NotProven(f"the policy does not know the log {origin}")

    def is_met(self, there: Collection[str]) -> bool:
        """Whether these witnesses are enough."""
        return self.quorum == "none" or self._has(self.quorum, there)

    def _has(self, name: str, there: Collection[str]) -> bool:
        if name not in self.groups:
            return name in there
        count, members = self.groups[name]
        return sum(self._has(member, there) for member in members) >= count


class Checkpoint:
    """A checkpoint that the policy believes."""

    def __init__(self, note: bytes, policy: Policy) -> None:
        text, signatures = split_note(note)
        lines = text.split("\n")
        if len(lines) < 4 or not lines[1].isdigit():
            raise NotProven("a checkpoint without origin, size and root")
        self.note, self.origin, self.size, self.root = note, lines[0], int(lines[1]), unbase64(lines[2])
        key_id, public = policy.log_key(self.origin)
        found = [each for name, each in signatures if name == self.origin and each[:4] == key_id]
        if not found:
            raise NotProven("a checkpoint that its log's key did not sign")
        verify_signature(public, found[0][4:], text.encode())
        self.cosigned: dict[str, int] = {}
        for short, (name, witness_id, witness_key) in policy.witnesses.items():
            for who, each in signatures:
                if who == name and each[:4] == witness_id:
                    at = int.from_bytes(each[4:12], "big")
                    message = f"cosignature/v1\ntime {at}\n{text}"
                    verify_signature(witness_key, each[12:], message.encode())
                    self.cosigned[short] = at
        if not policy.is_met(self.cosigned):
            raise NotProven("a checkpoint without the cosignatures that the policy asks for")
