"""An expression of FHIRPath, read and compiled to Python closures over plain JSON.

Three differences from the whole language: a choice ("value") is found by its JSON key ("valueQuantity"), so `is` and
`as` look for that key; what cannot be decided is None, never an error; and a path from
`%resource` is walked once per evaluation, so that no expression takes quadratic time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.intake.r4.fhirpath import functions
from services.intake.r4.fhirpath.operators import Items, infix, truth

# The JSON keys of a choice by its name: "value" -> ("valueString", "valueQuantity", ...).
Choices = Mapping[str, tuple[str, ...]]
UCUM = "http://unitsofmeasure.org"

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>[%$]?[A-Za-z_]\w*)"
    r"|(?P<mark>!=|<=|>=|[=<>|&+()\[\].,-]))"
)
_INFIX = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in", "contains"),
    ("=", "!="),
    ("<", ">", "<=", ">="),
    ("|",),
    ("is", "as"),
    ("+", "-", "&"),
)
_PER_ITEM = frozenset({"where", "all", "select", "exists"})


class NotUnderstoodError(ValueError):
    """The expression uses more of FHIRPath than is here."""


@dataclass(slots=True)
class Env:
    """What an expression may look at besides its focus, and what it has already walked."""

    resource: Any
    walked: dict[int, Items] = field(default_factory=dict)


Node = Callable[[Items, Env], Items]
Invariant = Callable[[Any, Any], bool | None]


def compiled(expression: str, choices: Choices) -> Invariant:
    """The expression as a function of (element, resource): True, False, or None where it cannot be decided.

    Raises NotUnderstoodError.
    """
    node = _Reader(expression, choices).whole()
    return lambda element, resource: truth(node([element], Env(resource)))


def names(expression: str) -> frozenset[str]:
    """Every name of an element in the expression: where none of them is present, it says what it says of nothing."""
    return frozenset(
        match["name"] for match in _TOKEN.finditer(expression) if match["name"] and match["name"][0].islower()
    )


def tokens(expression: str) -> list[str]:
    """The expression's words and marks; raises NotUnderstoodError."""
    found, at = [], 0
    expression = expression.rstrip()
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise NotUnderstoodError(expression[at:])
        found.append(match[0].strip())
        at = match.end()
    return found


class _Reader:
    def __init__(self, expression: str, choices: Choices) -> None:
        self.words = [*tokens(expression), ""]
        self.at = 0
        self.choices = choices

    def whole(self) -> Node:
        node = self.infix(0)
        if self.words[self.at]:
            raise NotUnderstoodError(self.words[self.at])
        return node

    def take(self) -> str:
        self.at += 1
        return self.words[self.at - 1]

    def expect(self, word: str) -> None:
        if self.take() != word:
            raise NotUnderstoodError(word)

    def infix(self, level: int) -> Node:
        if level == len(_INFIX):
            return self.chain()
        left_at = self.at
        left = self.infix(level + 1)
        while self.words[self.at] in _INFIX[level]:
            operator = self.take()
            if operator in ("is", "as"):
                left = self.typed(left_at, operator)
            else:
                left = infix(operator, left, self.infix(level + 1))
        return left

    def chain(self) -> Node:
        """A term and the steps behind it; one that starts at the resource is walked once."""
        is_fixed = self.words[self.at] in ("%resource", "%context", "%rootResource")
        node = self.term()
        while self.words[self.at] == ".":
            self.take()
            name = self.take()
            if self.words[self.at] == "(":
                node = self.call(node, name)
            else:
                node = functions.step(node, name, self.choices.get(name, ()))
        return _walked_once(node) if is_fixed else node

    def term(self) -> Node:
        word = self.take()
        if word == "(":
            node = self.infix(0)
            self.expect(")")
            return node
        if word[:1] == "'":
            return _constant([word[1:-1].replace("\\\\", "\\").replace("\\'", "'")])
        if word[:1].isdigit():
            return _constant([float(word) if "." in word else int(word)])
        if word in _WORDS:
            return _WORDS[word]
        if not word[:1].isalpha():
            raise NotUnderstoodError(word)
        return self.named(word)

    def named(self, word: str) -> Node:
        if self.words[self.at] == "(":
            return self.call(_focus, word)
        if word[0].isupper():  # the type's own name: "Appointment.status"
            return _focus
        return functions.step(_focus, word, self.choices.get(word, ()))

    def call(self, target: Node, name: str) -> Node:
        self.expect("(")
        arguments = []
        while self.words[self.at] != ")":
            arguments.append(self.infix(0))
            if self.words[self.at] == ",":
                self.take()
        self.expect(")")
        if name == "iif":
            return functions.iif(target, arguments)
        if name in _PER_ITEM and arguments:
            return functions.per_item(name, target, arguments[0])
        made = functions.call(name, target, arguments)
        if made is None:
            raise NotUnderstoodError(name)
        return made

    def typed(self, left_at: int, operator: str) -> Node:
        """`name is T`: what stands under the JSON key "nameT" of the focus, or whether it does."""
        if self.at - left_at != 2:
            raise NotUnderstoodError(operator)
        name, type_name = self.words[left_at], self.take()
        key = name + type_name[0].upper() + type_name[1:]
        return functions.typed(name, key, is_question=operator == "is")


def _focus(items: Items, _: Env) -> Items:
    return items


def _constant(items: Items) -> Node:
    return lambda _items, _env: items


def _walked_once(node: Node) -> Node:
    def walk(_: Items, env: Env) -> Items:
        found = env.walked.get(id(node))
        if found is None:
            found = env.walked[id(node)] = node([env.resource], env)
        return found

    return walk


_WORDS: dict[str, Node] = {
    "true": _constant([True]),
    "false": _constant([False]),
    "%ucum": _constant([UCUM]),
    "$this": _focus,
    **dict.fromkeys(("%resource", "%context", "%rootResource"), lambda _, env: [env.resource]),
}
