"""Many more of what a referral leaves in the databases: copies of real documents under other ids, numbers and hashes.

A copy is made in the document's bytes, so that a million of them take minutes.  Every id, mark and hash (a run of 16
hexadecimal digits or more, or 16 or 32 bytes) becomes another one of the same length, and the same one
everywhere for the same copy, so that a case's copy belongs to its referral's copy.  Ids keep beginning with their time.
What is sealed stays as it is and cannot be told from any other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.write_concern import WriteConcern

_RUN = re.compile(rb"[0-9a-f]{16,64}")
_TIME_DIGITS, _ID_DIGITS = 12, 32
_MARK_BYTES = (16, 32)  # a UUID, a SHA-256
_BATCH = 500
Place = tuple[int, int, bool]


class Mold:
    """One real document, and where in its bytes something must be another in each copy."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.raw = bson.encode(document)
        self.places: list[Place] = [(one.start(), one.end(), True) for one in _RUN.finditer(self.raw)]
        self.places += [(at, at + long, False) for at, long in self._marks(document)]

    def _marks(self, value: Any) -> Iterator[tuple[int, int]]:
        if isinstance(value, dict):
            for each in value.values():
                yield from self._marks(each)
        elif isinstance(value, list):
            for each in value:
                yield from self._marks(each)
        elif isinstance(value, bytes) and len(value) in _MARK_BYTES:
            yield self.raw.index(value), len(value)

    def copy(self, number: int) -> RawBSONDocument:
        """The `number`-th copy; copies with one number belong together."""
        made = bytearray(self.raw)
        for begin, end, is_hex in self.places:
            made[begin:end] = other(bytes(self.raw[begin:end]), number, is_hex=is_hex)
        return RawBSONDocument(bytes(made))


def is_its_own(key: Any) -> bool:
    """True where copies of a document with this id have other ids; what is one for many referrals is not copied."""
    return len(key) in _MARK_BYTES if isinstance(key, bytes) else bool(_RUN.search(str(key).encode()))


def other(known: bytes, number: int, *, is_hex: bool = True) -> bytes:
    """What stands in the `number`-th copy where the real document has `known`; as long, and always the same."""
    digest = hashlib.blake2b(known, digest_size=32, key=number.to_bytes(8, "big"))
    if not is_hex:
        return digest.digest()[: len(known)]
    made = digest.hexdigest().encode()[: len(known)]
    if len(known) != _ID_DIGITS:
        return made
    # A second apart, into the past: the newest ids stay the real ones.
    moment = int(known[:_TIME_DIGITS], 16) - number * 1_000
    return f"{moment:012x}".encode() + made[_TIME_DIGITS:]


def copied(collection: Any, molds: list[Mold], first: int, count: int) -> None:
    """The `first`-th to the last of `count` copies of these documents are in the collection; not journaled one by one."""
    quick = collection.with_options(write_concern=WriteConcern(1, j=False))
    for begin in range(first, first + count, _BATCH):
        numbers = range(begin, min(begin + _BATCH, first + count))
        quick.insert_many([mold.copy(number) for number in numbers for mold in molds], ordered=False)
