"""The characters that separate a message's parts, as MSH-1 and MSH-2 declare them."""

from __future__ import annotations

from dataclasses import dataclass

from services.intake.hl7v2.faults import Unacceptable

# Some programs write the escape character as source code needs it; the set they mean is the usual one.
_WRITTEN_TWICE = "^~\\\\&"
_USUAL = "^~\\&"
_MOST = 5


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2; a sign that was not declared is empty.  `truncation` came with version 2.7."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    def by_letter(self) -> dict[str, str]:
        """What each letter of an escape sequence stands for."""
        known = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
        }
        return known | ({"P": self.truncation} if self.truncation else {})

    @property
    def encoding(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


USUAL = Delimiters()


def declared(header: str, segment_id: str = "MSH") -> Delimiters:
    """The delimiters of a text that begins with MSH (or FHS, BHS); raises Unacceptable where they cannot be told apart.

    Letters, digits, space, quotation mark and control characters separate nothing, because words hold them.
    """
    field = header[3:4]
    encoding = header[4:].partition(field)[0] if field else ""
    encoding = encoding.partition("\r")[0].partition("\n")[0]
    if encoding == _WRITTEN_TWICE:
        encoding = _USUAL
    signs = field + encoding
    if not field or not 1 <= len(encoding) <= _MOST or len(set(signs)) < len(signs) or _has_words(signs):
        message = "The delimiters are one to five different signs, none of them a letter or a digit."
        raise Unacceptable(f"{segment_id}-2", "delimiters-unreadable", message)
    padded = encoding.ljust(_MOST, "\0")
    return Delimiters(field, *(sign.strip("\0") for sign in padded))


def _has_words(signs: str) -> bool:
    return any(sign.isalnum() or sign in ' "' or not sign.isprintable() for sign in signs)
