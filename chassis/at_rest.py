"""Bytes of messages that wait in the database are encrypted: whoever reads its files learns nothing from them."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_INFO = b"kindred waiting messages v1"


class AtRest:
    """AES-256-GCM under a key derived (HKDF-SHA256) from the service's master key."""

    def __init__(self, master_key: bytes) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(master_key)
        self._aead = AESGCM(key)

    @classmethod
    def from_dir(cls, keys_dir: Path, service: str) -> AtRest:
        """With `<service>.master.key` of the keys directory; raises OSError where it is missing."""
        return cls((keys_dir / f"{service}.master.key").read_bytes())

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Nonce and ciphertext; `context` must be given again to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plaintext, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """The plaintext; raises cryptography's InvalidTag where bytes, key or context differ."""
        return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
