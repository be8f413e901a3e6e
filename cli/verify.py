"""Checks an audit log from outside: RFC 6962 trees, C2SP signed notes and checkpoints, nothing of ours.

Needs only the leaves, the checkpoint and the signer's verifier key, so that believing it takes no belief in
the service: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint, RFC 6962 section 2.1.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = b"\x01"
COSIGNATURE = b"\x04"
_DASH = "\u2014 "


class NotVerified(Exception):  # noqa: N818  it says what is wrong with the log
    """The log, its checkpoint or a proof is not what it claims to be; `code` says how."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class VerifierKey:
    """Who signs checkpoints: `<name>+<key id, 8 hex digits>+<base64 of 0x01 and the Ed25519 key>`."""

    name: str
    key_id: bytes
    public: bytes

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


@dataclass(frozen=True)
class Checkpoint:
    """A verified tree head."""

    origin: str
    size: int
    root: bytes


def verifier_key(name: str, public: bytes) -> VerifierKey:
    """The verifier key of an Ed25519 public key (32 bytes) under a name."""
    key_id = hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]
    return VerifierKey(name, key_id, public)


def read_key(text: str) -> VerifierKey:
    """Reads a log's verifier key; raises NotVerified "key-malformed"."""
    return VerifierKey(*split_key(text, ED25519))


def split_key(text: str, algorithm: bytes) -> tuple[str, bytes, bytes]:
    """Name, key id and public key of a verifier key of this algorithm; raises NotVerified "key-malformed"."""
    name, _, rest = text.strip().partition("+")
    hashed, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if not name or len(raw) != 33 or raw[:1] != algorithm:
        raise NotVerified("key-malformed", "this is no Ed25519 verifier key in C2SP form")
    key_id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if key_id.hex() != hashed:
        raise NotVerified("key-malformed", "the key id does not belong to the key")
    return name, key_id, raw[1:]


def open_checkpoint(note: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint inside a note signed by `key`.

    Raises NotVerified "note-malformed", "note-unsigned" (no signature of this key), "signature-bad",
    "checkpoint-malformed" or "origin-differs".
    """
    text, signatures = split_note(note)
    _require_signature(text, signatures, key)
    lines = text.decode().split("\n")
    if len(lines) < 4 or not lines[1].isdigit() or (lines[1] != "0" and lines[1].startswith("0")):
        raise NotVerified("checkpoint-malformed", "origin, size and root are not there")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error:
        root = b""
    if len(root) != 32:
        raise NotVerified("checkpoint-malformed", "the root is no SHA-256 hash")
    if lines[0] != key.name:
        raise NotVerified("origin-differs", "the checkpoint is of another log")
    return Checkpoint(lines[0], int(lines[1]), root)


def split_note(note: bytes) -> tuple[bytes, list[str]]:
    """The text with its last newline and the signature lines; raises NotVerified "note-malformed"."""
    text, gap, tail = note.rpartition(b"\n\n")
    if not gap or not tail.endswith(b"\n"):
        raise NotVerified("note-malformed", "a signed note ends in a blank line and signature lines")
    try:
        lines = tail.decode().split("\n")[:-1]
        text.decode()
    except UnicodeDecodeError:
        raise NotVerified("note-malformed", "a signed note is UTF-8") from None
    if not lines or not all(line.startswith(_DASH) for line in lines):
        raise NotVerified("note-malformed", "a signature line begins with an em dash")
    return text + b"\n", [line.removeprefix(_DASH) for line in lines]


def _require_signature(text: bytes, signatures: Sequence[str], key: VerifierKey) -> None:
    for line in signatures:
        name, raw = read_signature(line)
        if name == key.name and raw[:4] == key.key_id:
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(raw[4:], text)
            except InvalidSignature:
                raise NotVerified("signature-bad", "the signature does not fit the text") from None
            return
    raise NotVerified("note-unsigned", "the note carries no signature of the pinned key")


def read_signature(line: str) -> tuple[str, bytes]:
    """The key's name, and its id with the signature; raises NotVerified "note-malformed"."""
    name, _, encoded = line.partition(" ")
    try:
        return name, base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise NotVerified("note-malformed", "a signature is not base64") from None


class Tree:
    """An RFC 6962 tree grown leaf by leaf; keeps one hash for each full subtree."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        """Adds one leaf, exactly as stored."""
        height, node = 0, leaf_hash(leaf)
        while self._peaks and self._peaks[-1][0] == height:
            node = node_hash(self._peaks.pop()[1], node)
            height += 1
        self._peaks.append((height, node))
        self.size += 1

    def root(self) -> bytes:
        """The Merkle tree hash of all leaves so far."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        node = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            node = node_hash(left, node)
        return node


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962: SHA-256 over 0x00 and the leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962: SHA-256 over 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def check_leaves(leaves: Iterable[bytes], now: Checkpoint, before: Checkpoint | None) -> None:
    """The leaves are exactly those under `now`, and those under `before` are still their beginning.

    Raises NotVerified "root-differs", "size-differs", "rolled-back" (the log shrank) or "history-differs"
    (what was verified before is no longer the beginning of the log).
    """
    if before and before.size > now.size:
        raise NotVerified(
            "rolled-back", f"{before.size} entries were verified before, now there are {now.size}"
        )
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
        if before and tree.size == before.size and tree.root() != before.root:
            raise NotVerified("history-differs", f"the first {before.size} entries are not those seen before")
    if tree.size != now.size:
        raise NotVerified("size-differs", f"the checkpoint says {now.size} entries, {tree.size} were served")
    if tree.root() != now.root:
        raise NotVerified("root-differs", "the entries do not hash to the signed root")


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 2.1.3.2: the leaf is entry `index` of the tree; raises NotVerified "inclusion-bad"."""
    bad = NotVerified("inclusion-bad", f"entry {index} is not proven to be under the checkpoint")
    if not 0 <= index < size:
        raise bad
    position, last, node = index, size - 1, leaf_hash(leaf)
    for sibling in proof:
        if last == 0:
            raise bad
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last or node != root:
        raise bad


def check_consistency(before: Checkpoint, now: Checkpoint, proof: Sequence[bytes]) -> None:
    """RFC 9162 2.1.4.2: the older tree is the beginning of the newer; raises NotVerified "consistency-bad"."""
    bad = NotVerified(
        "consistency-bad", f"tree {before.size} is not proven to be the beginning of {now.size}"
    )
    if before.size in {0, now.size}:
        if proof or (before.size == now.size and before.root != now.root):
            raise bad
        return
    path = [before.root, *proof] if before.size & (before.size - 1) == 0 else list(proof)
    if not path or before.size > now.size:
        raise bad
    position, last = before.size - 1, now.size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for node in path[1:]:
        if last == 0:
            raise bad
        if position & 1 or position == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, node)
        position, last = position >> 1, last >> 1
    if last or old != before.root or new != now.root:
        raise bad
