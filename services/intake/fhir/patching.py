"""A JSON Patch (RFC 6902) on a resource: add, replace, remove and test; what it makes is judged like an update."""

from __future__ import annotations

import copy
from typing import Any

from chassis.errors import Fault, Kind, Refusal

MOST_STEPS = 50
_OPERATIONS = frozenset({"add", "replace", "remove", "test"})


def apply(document: dict[str, Any], steps: Any) -> dict[str, Any]:
    """A changed copy; raises Refusal INVALID with the first step that cannot be done, CONFLICT where a test fails."""
    if not isinstance(steps, list) or not steps or len(steps) > MOST_STEPS:
        raise _fault("patch", f"A patch is a list of 1 to {MOST_STEPS} operations.")
    changed = copy.deepcopy(document)
    for position, step in enumerate(steps):
        _step(changed, step, f"patch[{position}]")
    return changed


def asks(steps: Any) -> bool:
    """True where the answer tells what the resource holds, whatever becomes of it."""
    found = steps if isinstance(steps, list) else []
    return any(isinstance(step, dict) and step.get("op") == "test" for step in found)


def _step(document: dict[str, Any], step: Any, place: str) -> None:
    operation = step.get("op") if isinstance(step, dict) else None
    if not isinstance(operation, str) or operation not in _OPERATIONS:
        raise _fault(place, "An operation is add, replace, remove or test.", "patch-unsupported")
    pointer = step.get("path")
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise _fault(place, "The path is a JSON Pointer into the resource.")
    if operation != "remove" and "value" not in step:
        raise _fault(place, "This operation needs a value.")
    *before, last = [_unescaped(token) for token in pointer[1:].split("/")]
    home: Any = document
    for token in before:
        home = _inside(home, token, place)
    if operation == "test":
        if _inside(home, last, place) != step["value"]:
            raise Refusal("patch-test-failed", Kind.CONFLICT, "The resource is not as the patch expects.")
    elif isinstance(home, dict):
        _in_object(home, last, operation, step, place)
    else:
        _in_list(home, last, operation, step, place)


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _inside(home: Any, token: str, place: str) -> Any:
    if isinstance(home, dict) and token in home:
        return home[token]
    if isinstance(home, list):
        return home[_index(token, len(home), place)]
    raise _fault(place, "The path leads nowhere.")


def _index(token: str, length: int, place: str) -> int:
    if not (token.isascii() and token.isdigit() and len(token) < 6) or int(token) >= length:
        raise _fault(place, "The path leads nowhere.")
    return int(token)


def _in_object(home: dict[str, Any], key: str, operation: str, step: dict[str, Any], place: str) -> None:
    if operation != "add":
        _inside(home, key, place)
    if operation == "remove":
        del home[key]
    else:
        home[key] = step["value"]


def _in_list(home: Any, token: str, operation: str, step: dict[str, Any], place: str) -> None:
    if not isinstance(home, list):
        raise _fault(place, "The path leads nowhere.")
    if operation == "add":
        is_end = token in ("-", str(len(home)))
        home.insert(len(home) if is_end else _index(token, len(home), place), step["value"])
        return
    index = _index(token, len(home), place)
    if operation == "remove":
        del home[index]
    else:
        home[index] = step["value"]


def _fault(place: str, message: str, code: str = "patch-unreadable") -> Refusal:
    return Refusal(code, Kind.INVALID, message, faults=[Fault(place, code, message)])
