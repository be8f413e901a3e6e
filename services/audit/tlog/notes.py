"""C2SP signed-note: text with one or more named Ed25519 signatures (signature type 0x01)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 1
SIGNATURE_MARK = "— "
# The specification asks verifiers for a limit of at least 16; Go's own limit is 100.
MAX_SIGNATURES = 100
KEY_BYTES = 32
KEY_ID_BYTES = 4


class NoteRefused(ValueError):  # noqa: N818
    """The note is malformed, or no known key vouches for it."""


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note's text that at least one known key signed, with the names of those that did."""

    text: str
    signed_by: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class NoteVerifier:
    """One key that may vouch for notes: its name, its id and the public key."""

    name: str
    key_id: bytes
    public_key: Ed25519PublicKey

    @classmethod
    def from_vkey(cls, vkey: str) -> NoteVerifier:
        """From "<name>+<8 hex digits>+<base64(0x01 || key)>"; raises NoteRefused where it is not one."""
        name, hexed_id, key = split_key(vkey)
        if len(key) != KEY_BYTES or not is_key_name(name):
            raise NoteRefused("malformed verifier key")
        key_id = key_id_of(name, key)
        if key_id.hex() != hexed_id:
            raise NoteRefused("the verifier key's id is not its hash")
        return cls(name, key_id, Ed25519PublicKey.from_public_bytes(key))

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> NoteVerifier:
        """From an Ed25519 public key (SubjectPublicKeyInfo)."""
        public_key = serialization.load_pem_public_key(pem)
        if not isinstance(public_key, Ed25519PublicKey):
            raise NoteRefused("the verifier's key is not Ed25519")
        return cls.of(name, public_key)

    @classmethod
    def of(cls, name: str, public_key: Ed25519PublicKey) -> NoteVerifier:
        """The verifier of a key under a name."""
        return cls(name, key_id_of(name, public_key.public_bytes_raw()), public_key)

    def vkey(self) -> str:
        """The C2SP text form of this key."""
        encoded = base64.b64encode(bytes([ED25519]) + self.public_key.public_bytes_raw()).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


class NoteSigner:
    """A private key under a name; its signature of a text is always the same bytes (RFC 8032)."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        if not is_key_name(name):
            raise NoteRefused("a key name must not be empty or hold spaces or a plus")
        self._private_key = private_key
        self.verifier = NoteVerifier.of(name, private_key.public_key())

    @classmethod
    def from_skey(cls, skey: str) -> NoteSigner:
        """From Go's "PRIVATE+KEY+<name>+<id>+<base64(0x01 || seed)>"."""
        if not skey.startswith("PRIVATE+KEY+"):
            raise NoteRefused("malformed signer key")
        name, hexed_id, seed = split_key(skey.removeprefix("PRIVATE+KEY+"))
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        if signer.verifier.key_id.hex() != hexed_id:
            raise NoteRefused("the signer key's id is not its hash")
        return signer

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> NoteSigner:
        """From an unencrypted PKCS #8 Ed25519 key."""
        private_key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(private_key, Ed25519PrivateKey):
            raise NoteRefused("the signer's key is not Ed25519")
        return cls(name, private_key)

    def under(self, name: str) -> NoteSigner:
        """The same key under another name, as the logs of other periods have it."""
        return NoteSigner(name, self._private_key)

    def sign(self, text: str) -> bytes:
        """The note: text, blank line, one signature line. The text MUST end with a newline."""
        _check_text(text)
        if not text.endswith("\n"):
            raise NoteRefused("a note's text must end with a newline")
        signature = self.verifier.key_id + self._private_key.sign(text.encode())
        encoded = base64.b64encode(signature).decode()
        return f"{text}\n{SIGNATURE_MARK}{self.verifier.name} {encoded}\n".encode()


def open_note(note: bytes, known: Sequence[NoteVerifier]) -> OpenedNote:
    """The text of a note that a known key signed; raises NoteRefused in every other case.

    A known key whose signature is wrong spoils the whole note; unknown keys are named and ignored.
    """
    text, lines = split_note(note)
    by_key = {(verifier.name, verifier.key_id): verifier for verifier in known}
    signed_by: dict[tuple[str, bytes], str] = {}
    unknown: list[str] = []
    for name, signature in map(read_signature, lines):
        key = (name, signature[:KEY_ID_BYTES])
        if key not in by_key:
            unknown.append(name)
        elif key not in signed_by:
            _verify(by_key[key], signature[KEY_ID_BYTES:], text)
            signed_by[key] = name
    if not signed_by:
        raise NoteRefused("no known key signed the note")
    return OpenedNote(text, tuple(signed_by.values()), tuple(unknown))


def key_id_of(name: str, public_key: bytes, algorithm: int = ED25519) -> bytes:
    """SHA-256(name || newline || algorithm || public key)[:4]."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public_key).digest()[:KEY_ID_BYTES]


def is_key_name(name: str) -> bool:
    """Whether the name is not empty and holds neither Unicode spaces nor a plus."""
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


def _verify(verifier: NoteVerifier, signature: bytes, text: str) -> None:
    try:
        verifier.public_key.verify(signature, text.encode())
    except InvalidSignature as wrong:
        raise NoteRefused(f"invalid signature for key {verifier.name}+{verifier.key_id.hex()}") from wrong


def split_note(note: bytes) -> tuple[str, list[str]]:
    """The text with its last newline, and the signature lines; raises NoteRefused where it is no note."""
    try:
        whole = note.decode()
    except UnicodeDecodeError as wrong:
        raise NoteRefused("malformed note: not UTF-8") from wrong
    _check_text(whole)
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise NoteRefused("malformed note: no signature lines")
    lines = signatures.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteRefused("malformed note: too many signatures")
    return text + "\n", lines


def _check_text(text: str) -> None:
    if any(each < " " and each != "\n" for each in text):
        raise NoteRefused("malformed note: control character")


def read_signature(line: str) -> tuple[str, bytes]:
    """The key's name of a signature line, and the key's id with the signature; raises NoteRefused."""
    name, space, encoded = line.removeprefix(SIGNATURE_MARK).partition(" ")
    if not line.startswith(SIGNATURE_MARK) or not space or not is_key_name(name):
        raise NoteRefused("malformed note: bad signature line")
    signature = _unbase64(encoded)
    if len(signature) <= KEY_ID_BYTES:
        raise NoteRefused("malformed note: short signature")
    return name, signature


def split_key(text: str, algorithm: int = ED25519) -> tuple[str, str, bytes]:
    """Name, id in hex and key material of a key of this algorithm in text form; raises NoteRefused."""
    name, _, rest = text.partition("+")
    hexed_id, plus, encoded = rest.partition("+")
    key = _unbase64(encoded) if plus else b""
    if not key or key[0] != algorithm or len(hexed_id) != 2 * KEY_ID_BYTES:
        raise NoteRefused("malformed key, or one of another kind")
    return name, hexed_id, key[1:]


def _unbase64(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as wrong:
        raise NoteRefused("malformed base64") from wrong
