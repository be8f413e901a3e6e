"""FHIR R4 primitive types: is this JSON value one (https://hl7.org/fhir/R4/datatypes.html#primitive)?

The patterns are HL7's own where they say all there is to say.  Written here are: `base64Binary`, whose published
pattern takes exponential time on spaces and lets padding stand anywhere (RFC 4648 does not); `string`, `markdown` and
everything else of characters, whose patterns let control characters and lone surrogates through; text of nothing but
white space, which XML would trim to nothing; dates, which must also exist in the calendar; and `xhtml`
(see narrative.py).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from typing import Any

from services.intake.r4.narrative import fault_of as narrative_fault_of

# A check answers None for a good value, else the fault's code.
Check = Callable[[Any], str | None]

WRONG_TYPE = "wrong-json-type"
BAD_FORMAT = "bad-format"
NO_SUCH_DAY = "no-such-day"
BLANK = "blank"

_TEXT = re.compile("[^\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]+")
_BASE64 = re.compile(r"(?:[0-9A-Za-z+/]{4})*(?:[0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?")
_MAX_INT = 2_147_483_647
_NUMBER_RANGES = {
    "integer": (-_MAX_INT - 1, _MAX_INT),
    "unsignedInt": (0, _MAX_INT),
    "positiveInt": (1, _MAX_INT),
}
_DAY_END = 10
LONGEST_TEXT = 1024 * 1024  # "strings SHALL NOT exceed 1MB in size" (R4 datatypes.html#string)


def check_for(name: str, pattern: str | None) -> Check:
    """The check of the primitive type `name`, whose pattern HL7 publishes as `pattern`."""
    own: dict[str, Check] = {
        "boolean": _boolean,
        "decimal": _decimal,
        "string": _text,
        "markdown": _text,
        "base64Binary": _base64,
        "xhtml": _xhtml,
    }
    if name in own:
        return own[name]
    if name in _NUMBER_RANGES:
        return _whole_number(*_NUMBER_RANGES[name])
    assert pattern is not None, name
    compiled = re.compile(pattern, re.ASCII)
    return _day(compiled) if name in ("date", "dateTime", "instant") else _pattern(compiled)


def _boolean(value: Any) -> str | None:
    return None if value is True or value is False else WRONG_TYPE


def _decimal(value: Any) -> str | None:
    return None if type(value) in (int, float) else WRONG_TYPE


def _whole_number(low: int, high: int) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not int:
            return WRONG_TYPE
        return None if low <= value <= high else BAD_FORMAT

    return check


def _text(value: Any) -> str | None:
    if type(value) is not str:
        return WRONG_TYPE
    if not _TEXT.fullmatch(value):
        return BAD_FORMAT if value else BLANK
    if value.isspace():
        return BLANK
    return None if len(value) <= LONGEST_TEXT else BAD_FORMAT


def _base64(value: Any) -> str | None:
    if type(value) is not str:
        return WRONG_TYPE
    return None if value and _BASE64.fullmatch("".join(value.split())) else BAD_FORMAT


def _xhtml(value: Any) -> str | None:
    if type(value) is not str:
        return WRONG_TYPE
    return narrative_fault_of(value) if _TEXT.fullmatch(value) else BAD_FORMAT


def _pattern(compiled: re.Pattern[str]) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not str:
            return WRONG_TYPE
        if not value:
            return BLANK
        return None if compiled.fullmatch(value) and _TEXT.fullmatch(value) else BAD_FORMAT

    return check


def _day(compiled: re.Pattern[str]) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not str:
            return WRONG_TYPE
        if not compiled.fullmatch(value):
            return BAD_FORMAT
        if len(value) < _DAY_END:
            return None
        year, month, day = int(value[:4]), int(value[5:7]), int(value[8:10])
        return None if day <= monthrange(year, month)[1] else NO_SUCH_DAY

    return check
