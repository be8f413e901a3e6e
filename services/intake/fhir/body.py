"""Bytes to JSON, strictly: one value, UTF-8, no doubled keys, no NaN, no numbers or nesting made to hurt."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from chassis.errors import Fault
from services.intake.domain.errors import SubmissionRejected

_LONGEST_NUMBER = 40


class _UnfitError(ValueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


def parse(body: bytes, wanted: str = "Bundle") -> Any:
    """The JSON value; raises SubmissionRejected, with the place `wanted`."""
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except _UnfitError as unfit:
        raise SubmissionRejected([Fault(wanted, unfit.code, unfit.message)]) from None
    except UnicodeDecodeError as error:
        message = f"The body is not UTF-8 at byte {error.start}."
        raise SubmissionRejected([Fault(wanted, "json-not-utf8", message)]) from None
    except json.JSONDecodeError as error:
        message = f"The body is not JSON: line {error.lineno}, column {error.colno}."
        raise SubmissionRejected([Fault(wanted, "json-invalid", message)]) from None
    except RecursionError:
        message = "The elements are nested too deep."
        raise SubmissionRejected([Fault(wanted, "too-deep", message)]) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _UnfitError("json-key-doubled", "An object has the same key twice.")
    return made


def _float(text: str) -> float:
    value = float(text) if len(text) <= _LONGEST_NUMBER else float("inf")
    if value in (float("inf"), float("-inf")):
        raise _UnfitError("json-number-too-large", "A number is too large or too long.")
    return value


def _int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise _UnfitError("json-number-too-large", "A number is too large or too long.")
    return int(text)


def _constant(_: str) -> NoReturn:
    raise _UnfitError("json-invalid", "NaN and Infinity are not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
)
