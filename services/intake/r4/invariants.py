"""R4's invariants as the validator asks them: HL7's own FHIRPath, asked only where it can say more than of nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from services.intake.r4.fhirpath import reading


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule: HL7's key ("pat-1"), its words, and how it is asked of an element of a resource."""

    key: str
    words: str
    keys: frozenset[str]  # without any of these JSON keys the rule is kept
    is_always_asked: bool
    ask: Callable[[Any, Any], bool | None]

    def is_broken(self, element: Any, resource: Any) -> bool:
        """True only where the rule is surely broken."""
        if not self.is_always_asked and type(element) is dict and self.keys.isdisjoint(element):
            return False
        return self.ask(element, resource) is False


def made_of(rows: Iterable[list[str]], choices: reading.Choices) -> list[Invariant]:
    """The compiled rules of (key, words, FHIRPath) rows."""
    return [_made(key, words, expression, choices) for key, words, expression in rows]


def _made(key: str, words: str, expression: str, choices: reading.Choices) -> Invariant:
    ask = reading.compiled(expression, choices)
    names = reading.names(expression)
    keys = {one for name in names for one in (name, "_" + name, *choices.get(name, ()))}
    message = words.rstrip(".") + f" ({key})."
    is_always_asked = ask({}, {}) is False or "descendants" in names or "children" in names
    return Invariant(key, message, frozenset(keys), is_always_asked, ask)
