"""C2SP tlog-cosignature (cosignature/v1): a witness's Ed25519 signature over a checkpoint and the time it saw it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.audit.tlog.notes import (
    KEY_BYTES,
    KEY_ID_BYTES,
    SIGNATURE_MARK,
    NoteRefused,
    is_key_name,
    key_id_of,
    read_signature,
    split_key,
    split_note,
)

COSIGNATURE_V1 = 4
_TIME_BYTES = 8
_LATEST = 2**63 - 1


@dataclass(frozen=True)
class CosignatureVerifier:
    """One witness: its name, its key's id and the public key."""

    name: str
    key_id: bytes
    public_key: Ed25519PublicKey

    @classmethod
    def of(cls, name: str, public_key: Ed25519PublicKey) -> CosignatureVerifier:
        """The verifier of a witness's key under a name."""
        return cls(name, key_id_of(name, public_key.public_bytes_raw(), COSIGNATURE_V1), public_key)

    @classmethod
    def from_vkey(cls, vkey: str) -> CosignatureVerifier:
        """From "<name>+<8 hex digits>+<base64(0x04 || key)>"; raises NoteRefused where it is not one."""
        name, hexed_id, key = split_key(vkey, COSIGNATURE_V1)
        if len(key) != KEY_BYTES or not is_key_name(name):
            raise NoteRefused("malformed witness key")
        if key_id_of(name, key, COSIGNATURE_V1).hex() != hexed_id:
            raise NoteRefused("the witness key's id is not its hash")
        return cls.of(name, Ed25519PublicKey.from_public_bytes(key))

    def vkey(self) -> str:
        """The C2SP text form of this key."""
        encoded = base64.b64encode(bytes([COSIGNATURE_V1]) + self.public_key.public_bytes_raw()).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


class Cosigner:
    """A witness's private key under its name."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        if not is_key_name(name):
            raise NoteRefused("a key name must not be empty or hold spaces or a plus")
        self._private_key = private_key
        self.verifier = CosignatureVerifier.of(name, private_key.public_key())

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> Cosigner:
        """From an unencrypted PKCS #8 Ed25519 key."""
        private_key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(private_key, Ed25519PrivateKey):
            raise NoteRefused("the witness's key is not Ed25519")
        return cls(name, private_key)

    def cosign(self, text: str, at: int) -> bytes:
        """The signature line for a checkpoint's text, seen `at` (POSIX seconds)."""
        signature = self._private_key.sign(_message(text, at))
        encoded = base64.b64encode(self.verifier.key_id + at.to_bytes(_TIME_BYTES, "big") + signature)
        return f"{SIGNATURE_MARK}{self.verifier.name} {encoded.decode()}\n".encode()


def cosignatures_of(note: bytes, known: Iterable[CosignatureVerifier]) -> dict[str, int]:
    """The known witnesses, by their keys' text form, that cosigned the note, and when (POSIX seconds).

    Raises NoteRefused where a known witness's signature is wrong: such a note is malformed as a whole.
    """
    text, lines = split_note(note)
    by_key = {(verifier.name, verifier.key_id): verifier for verifier in known}
    found: dict[str, int] = {}
    for name, signature in map(read_signature, lines):
        verifier = by_key.get((name, signature[:KEY_ID_BYTES]))
        if verifier is not None:
            at = _verified(verifier, signature[KEY_ID_BYTES:], text)
            found[verifier.vkey()] = max(at, found.get(verifier.vkey(), 0))
    return found


def with_cosignatures(note: bytes, lines: bytes, known: Iterable[CosignatureVerifier]) -> bytes:
    """The note with those of the signature lines that known witnesses made of it; others are left out."""
    text, _ = split_note(note)
    kept = note
    by_key = {(verifier.name, verifier.key_id): verifier for verifier in known}
    for line in lines.decode(errors="replace").splitlines():
        name, signature = read_signature(line)
        verifier = by_key.get((name, signature[:KEY_ID_BYTES]))
        if verifier is not None:
            _verified(verifier, signature[KEY_ID_BYTES:], text)
            kept += f"{line}\n".encode()
    return kept


def _verified(verifier: CosignatureVerifier, signature: bytes, text: str) -> int:
    at = int.from_bytes(signature[:_TIME_BYTES], "big")
    if at > _LATEST:
        raise NoteRefused("the cosignature's time is out of range")
    try:
        verifier.public_key.verify(signature[_TIME_BYTES:], _message(text, at))
    except InvalidSignature as wrong:
        raise NoteRefused(f"invalid cosignature of {verifier.name}") from wrong
    return at


def _message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()
