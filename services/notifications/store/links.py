"""The secret of a link as it waits in the database: AES-256-GCM under a key of the day, opened only here.

What it seals is a random word that works once and until the notice is worthless, and names nobody
(docs/decisions/0043-a-links-token-has-a-key-of-its-own.md).
"""

from __future__ import annotations

import os
from datetime import date
from functools import lru_cache

from bson.binary import Binary
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from chassis.vault import Unreadable, Vault

_INFO = b"kindred answer links v1"
_DAY_BYTES = 4
_NONCE_BYTES = 12
# BSON's number for what MongoDB's field level encryption sealed: links were kept so before.
_BY_VAULT = 6


class Links:
    """Seals and opens tokens of links; each is bound to its notice and opens nowhere else."""

    def __init__(self, vault: Vault, master_key: bytes) -> None:
        self._vault = vault
        self._root = HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(master_key)
        # Nonces are by chance, so a key seals no more than a day's links: far below the 2^32 of NIST SP 800-38D, 8.3.
        self._key_of = lru_cache(maxsize=64)(self._derived)

    def seal(self, token: str, notice_id: str, day: date) -> bytes:
        """The day, a nonce and the ciphertext; whoever has the database alone reads nothing in it."""
        mark, nonce = day.toordinal().to_bytes(_DAY_BYTES, "big"), os.urandom(_NONCE_BYTES)
        return mark + nonce + self._key_of(mark).encrypt(nonce, token.encode(), notice_id.encode())

    def open(self, sealed: bytes, notice_id: str) -> str:
        """The token; "" where it was changed, or is another notice's, or its person's key is gone."""
        if isinstance(sealed, Binary) and sealed.subtype == _BY_VAULT:
            return self._opened_by_vault(sealed)
        mark, rest = sealed[:_DAY_BYTES], sealed[_DAY_BYTES:]
        try:
            nonce, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
            return self._key_of(mark).decrypt(nonce, ciphertext, notice_id.encode()).decode()
        except (InvalidTag, ValueError):
            return ""

    def _opened_by_vault(self, sealed: Binary) -> str:
        try:
            return str(self._vault.open(sealed)["token"])
        except Unreadable:
            return ""

    def _derived(self, mark: bytes) -> AESGCM:
        return AESGCM(HKDFExpand(algorithm=SHA256(), length=32, info=_INFO + mark).derive(self._root))
