"""What breaks the rules that the protos give each field of a request: one walk that finds every violation at once.

The rules stand beside the fields (protos/kindred/rules/v1/rules.proto), so that a caller reads what is checked.  The
domain judges what a submission means; these rules say what may be read at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.message import Message

from chassis.errors import Fault, Kind, Refusal
from kindred.rules.v1 import rules_pb2

_FIRST_SECOND, _LAST_SECOND, _MOST_NANOS = -62_135_596_800, 253_402_300_799, 999_999_999  # timestamp.proto
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_NOTES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Rule:
    """`most_chars` of a text, `most` of a list, a closed set of words, whether it has to be there, and in lines."""

    most_chars: int
    most: int
    words: frozenset[str]
    is_needed: bool
    has_lines: bool


def check(request: Message) -> None:
    """Raises Refusal INVALID with every violation and its field path."""
    faults = faults_of(request)
    if faults:
        codes = {fault.code for fault in faults}
        code = codes.pop() if len(codes) == 1 else "request-invalid"
        raise Refusal(code, Kind.INVALID, "The request has faults.", faults=faults)


def faults_of(request: Message, prefix: str = "") -> list[Fault]:
    """Every violation in the request, in the order of its fields; no value that was sent is repeated."""
    return list(_of_message(request, prefix))


def _of_message(message: Message, prefix: str) -> Iterator[Fault]:
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        yield from _of_moment(message, prefix)
        return
    for field, rule in _rules_of(message.DESCRIPTOR):
        yield from _of_field(message, field, rule, f"{prefix}.{field.name}".lstrip("."))


@cache
def _rules_of(message: Any) -> tuple[tuple[Any, Rule], ...]:
    return tuple((field, rule_of(field)) for field in message.fields)


def rule_of(field: Any) -> Rule:
    """The rule that a field's descriptor carries; a list without one has no place for anything."""
    said = field.GetOptions().Extensions[rules_pb2.rule]
    return Rule(said.most_chars, said.most, frozenset(said.words), said.is_needed, said.has_lines)


def _of_field(message: Message, field: Any, rule: Rule, path: str) -> Iterator[Fault]:
    value: Any = getattr(message, field.name)
    if field.is_repeated:
        if len(value) > rule.most:
            yield Fault(path, "too-many", f"At most {rule.most} may be given.")
        for number, one in enumerate(value[: rule.most]):
            yield from _of_value(field, one, rule, f"{path}[{number}]")
        return
    is_there = message.HasField(field.name) if field.has_presence else bool(value)
    if is_there:
        yield from _of_value(field, value, rule, path)
    elif rule.is_needed:
        yield Fault(path, "missing", "This is needed.")


def _of_value(field: Any, value: Any, rule: Rule, path: str) -> Iterator[Fault]:
    if field.message_type is not None:
        yield from _of_message(value, path)
    elif field.enum_type is not None:
        if value not in field.enum_type.values_by_number:
            yield Fault(path, f"{field.name}-unknown", "There is no such value.")
    elif isinstance(value, str):
        yield from _of_text(value, rule, path)


def _of_text(text: str, rule: Rule, path: str) -> Iterator[Fault]:
    if len(text) > rule.most_chars:
        yield Fault(path, "too-long", f"At most {rule.most_chars} characters may be given.")
    elif (_CONTROL_IN_NOTES if rule.has_lines else _CONTROL).search(text):
        yield Fault(path, "control-character", "A text holds no control characters.")
    elif rule.words and text not in rule.words:
        yield Fault(path, "word-unknown", "This is one of: " + ", ".join(sorted(rule.words)) + ".")


def _of_moment(message: Any, path: str) -> Iterator[Fault]:
    is_good = _FIRST_SECOND <= message.seconds <= _LAST_SECOND and 0 <= message.nanos <= _MOST_NANOS
    if not is_good:
        yield Fault(path, "time-unreadable", "This moment is not in the calendar.")
