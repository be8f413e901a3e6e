"""FHIR R4 primitive types: is this JSON value one (https://hl7.org/fhir/R4/datatypes.html#primitive)?

The patterns are HL7's own where they say all there is to say.  Three are written here: `base64Binary`, whose
published pattern takes exponential time on spaces; `string` and `markdown`, whose pattern lets control characters
and lone surrogates through; and dates, which must also exist in the calendar.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from typing import Any

# A check answers None for a good value, else the fault's code.
Check = Callable[[Any], str | None]

WRONG_TYPE = "wrong-json-type"
BAD_FORMAT = "bad-format"
NO_SUCH_DAY = "no-such-day"

_TEXT = re.compile("[^\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]+")
_BASE64 = re.compile(r"[0-9A-Za-z+/=\s]*")
_MAX_INT = 2_147_483_647
_NUMBER_RANGES = {
    "integer": (-_MAX_INT - 1, _MAX_INT),
    "unsignedInt": (0, _MAX_INT),
    "positiveInt": (1, _MAX_INT),
}
_DAY_END = 10


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
    return None if _TEXT.fullmatch(value) else BAD_FORMAT


def _base64(value: Any) -> str | None:
    if type(value) is not str:
        return WRONG_TYPE
    is_good = value and _BASE64.fullmatch(value) and len("".join(value.split())) % 4 == 0
    return None if is_good else BAD_FORMAT


def _xhtml(value: Any) -> str | None:
    if type(value) is not str:
        return WRONG_TYPE
    body = value.strip()
    is_good = body.startswith("<div") and body.endswith(">") and _TEXT.fullmatch(body)
    return None if is_good else BAD_FORMAT


def _pattern(compiled: re.Pattern[str]) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not str:
            return WRONG_TYPE
        return None if value and compiled.fullmatch(value) and _TEXT.fullmatch(value) else BAD_FORMAT

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
