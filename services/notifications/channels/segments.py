"""How many SMS segments a text takes (3GPP TS 23.038): 160 or 153 characters of GSM 7-bit, else 70 or 67 of UCS-2."""

from __future__ import annotations

from functools import lru_cache

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
# What Spanish and Portuguese need and the alphabet lacks, so that one accent does not halve a message.
_SPELLED = str.maketrans("áíóúÁÍÓÚâêôãõçÀÂÊÔÃÕ“”‘’–—…\u00a0\u202f", "aiouAIOUaeoaocAAEOAO\"\"''--.  ")


def plain(text: str) -> str:
    """The text in letters that fit the 7-bit alphabet where they have a near neighbor there."""
    if text.isascii():
        return text
    return "\n".join([line if line.isascii() else _spelled(line) for line in text.split("\n")])


@lru_cache(maxsize=4_096)
def _spelled(line: str) -> str:
    # A link is plain letters, so none is remembered here.
    return line.replace("…", "...").translate(_SPELLED)


def is_seven_bit(text: str) -> bool:
    """True where every character is in the GSM 7-bit alphabet."""
    return all(char in _BASIC or char in _EXTENDED for char in text)


def count(text: str) -> int:
    """The segments the text is billed and sent as."""
    if is_seven_bit(text):
        units = sum(2 if char in _EXTENDED else 1 for char in text)
        return 1 if units <= 160 else _pieces(text, 153, lambda char: 2 if char in _EXTENDED else 1)
    units = len(text.encode("utf-16-be")) // 2
    return 1 if units <= 70 else _pieces(text, 67, lambda char: len(char.encode("utf-16-be")) // 2)


def _pieces(text: str, room: int, weight: object) -> int:
    """A character of two units is never split over two segments."""
    assert callable(weight)
    pieces, used = 1, 0
    for char in text:
        units = weight(char)
        if used + units > room:
            pieces, used = pieces + 1, 0
        used += units
    return pieces
