"""Bytes to characters by MSH-18, and back: nothing is guessed that the sender could have said (HL7 table 0211)."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from services.intake.hl7v2.faults import Unacceptable

_BOM = codecs.BOM_UTF8
# By name as table 0211 spells it; the names below the line are no table's, but what engines write.
_CODECS = {
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 12), 13, 14, 15)},
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE": "utf-8",
    "US-ASCII": "ascii",
    "ISO-8859-1": "iso8859-1",
    "ISO8859-1": "iso8859-1",
}
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WIDE_STARTS = {b"M\0": "utf-16-le", b"\0M": "utf-16-be", b"F\0": "utf-16-le", b"\0F": "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Charset:
    """What a message is encoded in: Python's codec, and the mark that stood before it."""

    codec: str = "utf-8"
    mark: bytes = b""

    def encode(self, text: str) -> bytes:
        """The text in this character set; what it lacks becomes "?", because an answer is never kept back."""
        return self.mark + text.encode(self.codec, "replace")

    def decode(self, raw: bytes) -> str:
        """The characters of bytes that stood in an escape sequence."""
        return raw.decode(self.codec, "replace")


def wide(raw: bytes) -> Charset | None:
    """UTF-16, known by its mark or by the zero beside the first letter; None for everything else."""
    if raw.startswith(_WIDE_MARKS):
        codec = "utf-16-le" if raw.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
        return Charset(codec, raw[:2])
    codec_of = _WIDE_STARTS.get(raw[:2])
    return Charset(codec_of) if codec_of else None


def header_text(raw: bytes) -> str:
    """The message as far as its header can be read before its character set is known: every byte one character."""
    found = wide(raw)
    if found is not None:
        return raw[len(found.mark) :].decode(found.codec, "replace")
    return raw.removeprefix(_BOM).decode("latin-1")


def chosen(raw: bytes, declared: tuple[str, ...]) -> Charset:
    """The character set by MSH-18; without one UTF-8 where the bytes are that, else ISO 8859-1.

    Raises Unacceptable where the name is none we can read, or where sets are switched inside the text.
    """
    marked = wide(raw)
    if marked is not None:
        return marked
    names = tuple(name.strip().upper() for name in declared if name.strip())
    if not names:
        return Charset("utf-8") if _is_utf8(raw) else Charset("iso8859-1")
    codec = _CODECS.get(names[0])
    is_switched = any(_CODECS.get(name) != codec for name in names[1:])
    if codec is None or codec == "utf-16" or is_switched:
        message = "This character set is not read here; send UNICODE UTF-8, ASCII or 8859/1 to 8859/15."
        raise Unacceptable("MSH-18", "character-set-unsupported", message)
    return Charset(codec)


def decoded(raw: bytes, charset: Charset) -> str:
    """The message as text, without its byte order mark; raises Unacceptable where the bytes are not of the set."""
    body = raw.removeprefix(charset.mark) if charset.mark else raw.removeprefix(_BOM)
    try:
        return body.decode(charset.codec)
    except UnicodeDecodeError:
        message = "The bytes are not of the character set that is declared."
        raise Unacceptable("MSH-18", "character-set-broken", message) from None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
