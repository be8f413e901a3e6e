"""Escape sequences of HL7 v2 (chapter 2, "Use of escape sequences in text fields"), read and written."""

from __future__ import annotations

import re
from functools import lru_cache

from services.intake.hl7v2.charset import Charset
from services.intake.hl7v2.delimiters import Delimiters

_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
_LINES = re.compile(r"\.(?:br|sp(?:\+?\d+)?|ce)")
_LAYOUT = re.compile(r"\.(?:fi|nf|in[+-]?\d+|ti[+-]?\d+|sk\+?\d+)")
_CONTROLS = tuple(map(chr, (*range(0x20), 0x7F)))
_SHOWN = frozenset({"H", "N"})  # highlighting on and off: the words stay, their look does not


@lru_cache(maxsize=64)
def _pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(f"{mark}([^{mark}\r\n]*){mark}")


def unescaped(text: str, delimiters: Delimiters, charset: Charset) -> str:
    """The words as they were meant; a sequence that nobody defined stays as it came, so that nothing is lost."""
    escape = delimiters.escape
    if not escape or escape not in text:
        return text
    meant = delimiters.by_letter()

    def read(match: re.Match[str]) -> str:
        sequence = match[1]
        if sequence in meant:
            return meant[sequence]
        if sequence in _SHOWN or _LAYOUT.fullmatch(sequence):
            return ""
        if _LINES.fullmatch(sequence):
            return "\n"
        found = _HEX.fullmatch(sequence)
        return charset.decode(bytes.fromhex(found[1])) if found else match[0]

    return _pattern(escape).sub(read, text)


def escaped(text: str, delimiters: Delimiters) -> str:
    """The words as they may stand in a field: no delimiter, no end of a segment."""
    table = _table(delimiters)
    return text.translate(table)


@lru_cache(maxsize=64)
def _table(delimiters: Delimiters) -> dict[int, str]:
    escape = delimiters.escape
    if not escape:  # nothing can be escaped, so what would break the message is left out
        return {ord(sign): " " for sign in (*delimiters.by_letter().values(), *_CONTROLS) if sign}
    table = {ord(sign): f"{escape}X{ord(sign):02X}{escape}" for sign in _CONTROLS}
    letters = delimiters.by_letter().items()
    return table | {ord(sign): escape + letter + escape for letter, sign in letters if sign}
