"""The blind index: a keyed hash finds a person again, and tells nothing to whoever reads the database."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.intake.domain.person import Person, PersonMarks, RecordNumber

_KEY_BYTES = 32


class BlindIndex:
    """HMAC-SHA-256 under a key derived from the service's master key (HKDF, RFC 5869); the master stays as it is."""

    def __init__(self, master_key: bytes) -> None:
        self._key = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"kindred/intake/blind-index/v1").derive(
            master_key
        )

    def mark(self, purpose: str, *words: str) -> str:
        """The mark of some words for one purpose; equal words have equal marks, and only there."""
        text = "\x1f".join((purpose, *words))
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:40]

    def person(self, person: Person) -> PersonMarks:
        """What may be compared of a person."""
        records: dict[str, set[str]] = {}
        for number in person.record_numbers:
            records.setdefault(self.mark("system", number.system), set()).add(self.record(number))
        name = person.name_key()
        return PersonMarks(
            name=self.mark("name", name) if name else "",
            birth=self.mark("birth", person.birth_date) if name else "",
            records={system: frozenset(numbers) for system, numbers in records.items()},
        )

    def record(self, number: RecordNumber) -> str:
        """The mark of a number in its system."""
        return self.mark("record", number.system, number.value)
