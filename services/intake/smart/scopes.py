"""SMART scopes of systems, in the words of version 2 ("system/Task.rs") and of version 1 ("system/Task.read")."""

from __future__ import annotations

import re
from collections.abc import Iterable

LETTERS = "cruds"
TYPES = ("Consent", "ServiceRequest", "Subscription", "Task")
SUPPORTED = (
    "system/Consent.rus",
    "system/ServiceRequest.crus",
    "system/Subscription.cruds",
    "system/Task.crus",
)
_V1 = {"read": "rs", "write": "cud", "*": LETTERS}
_SCOPE = re.compile(r"system/([A-Z][A-Za-z]{1,63}|\*)\.(read|write|\*|c?r?u?d?s?)")


def allowed(scope: str) -> frozenset[tuple[str, str]]:
    """The pairs of resource type and letter a scope allows here; none for what is no system's scope."""
    match = _SCOPE.fullmatch(scope)
    if match is None:
        return frozenset()
    types = TYPES if match[1] == "*" else (match[1],)
    return frozenset((name, letter) for name in types for letter in _V1.get(match[2], match[2]))


def granted(asked: Iterable[str], registered: Iterable[str]) -> list[str]:
    """What of the scopes asked for the registration covers, in version 2's words, a type each in order of the alphabet.

    A scope that is only covered in part is granted in part, as SMART asks (4.1.5).
    """
    wanted = frozenset().union(*map(allowed, asked))
    may = frozenset().union(*map(allowed, registered))
    by_type: dict[str, str] = {}
    for letter in LETTERS:
        for name in sorted(name for name, one in wanted & may if one == letter):
            by_type[name] = by_type.get(name, "") + letter
    return [f"system/{name}.{letters}" for name, letters in sorted(by_type.items())]


def permits(scopes: Iterable[str], resource_type: str, letter: str) -> bool:
    """True where one of the scopes allows it."""
    return any((resource_type, letter) in allowed(scope) for scope in scopes)
