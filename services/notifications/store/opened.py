"""What ciphertexts said a moment ago: a wave goes to people who were written to a second before.

Nothing is handed out without its ciphertext, which an erasure takes away, and for no longer than libmongocrypt itself
remembers a key.
"""

from __future__ import annotations

import time
from typing import Any

from bson.binary import Binary

from chassis.vault import Vault

_REMEMBERED_S = 30.0
_MOST = 5_000


class Opened:
    """Opens what a vault sealed; raises what the vault raises. Callers MUST NOT change what they get."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: dict[bytes, dict[str, Any]] = {}
        self._forget_at = 0.0

    def open(self, sealed: Binary) -> dict[str, Any]:
        """The document as it was sealed."""
        now = time.monotonic()
        if now >= self._forget_at or len(self._known) >= _MOST:
            self._known, self._forget_at = {}, now + _REMEMBERED_S
        known, key = self._known, bytes(sealed)
        if key not in known:
            known[key] = self._vault.open(sealed)
        return known[key]
