"""Marks of a user together with what was rare about an event: a denial, a purpose, a kind of event; pure.

A user has entries by the hundred thousand, and a few of them were denied: those few have a mark of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.audit.search import marks
from services.audit.search.marks import Mark

# With which of these a user's marks are joined: what one user did of a rare kind is found without all else they did.
_JOINED = frozenset({"outcome", "purpose", "event-type"})
# Who stands in nearly every entry, as source or for want of somebody, is no user.
_NOBODY = frozenset({"intake", "matching", "notifications", "audit", "unknown"})
_NEVER_JOINED: frozenset[Mark] = frozenset({("event-type", "record.read.v1")})


def joined(found: Iterable[Mark]) -> Iterator[Mark]:
    """Of an event's marks the further ones for each user together with what was rare about it."""
    users, rare = [], []
    for mark in found:
        if mark[0] in ("agent", "source"):  # a user who is the source too has the second mark only
            users += [mark[1]] if is_user(mark[1]) else []
        elif is_joined(*mark):
            rare.append(mark)
    for mark in rare:
        for user in users:
            yield join(*mark), user


def is_user(name: str) -> bool:
    """Whether this agent's marks are joined with others."""
    return name not in _NOBODY


def is_joined(parameter: str, text: str) -> bool:
    """Whether a user's entries with this value have a mark of their own."""
    mark = (parameter, text)
    return parameter in _JOINED and bool(text) and mark not in marks.COMMON and mark not in _NEVER_JOINED


def join(parameter: str, text: str) -> str:
    """The name of the marks of users together with this value; the mark's own value is the user."""
    return f"agent&{parameter}={text}"


def is_of_somebody(parameter: str) -> bool:
    """Whether the mark's value may be a person, whose marks are made under their own key."""
    return parameter in marks.REFERENCES or parameter.startswith("agent&")
