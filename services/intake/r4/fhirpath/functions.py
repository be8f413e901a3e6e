"""What the words of FHIRPath do to a collection, a plain list of JSON values (http://hl7.org/fhirpath/N1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from services.intake.r4.fhirpath.operators import Items, Node, same, told, truth


def step(target: Node, name: str, choices: tuple[str, ...]) -> Node:
    """What lies under `name` of each item: its value, or what stands beside an absent one."""
    side = "_" + name

    def walk(items: Items, env: Any) -> Items:
        found: Items = []
        for item in target(items, env):
            if type(item) is not dict:
                continue
            value = item.get(name)
            if value is None and choices:
                value = next((item[key] for key in choices if key in item), None)
            if value is None:
                value = item.get(side)
            if type(value) is list:
                found.extend(one for one in value if one is not None)
            elif value is not None:
                found.append(value)
        return found

    return walk


def typed(name: str, key: str, *, is_question: bool) -> Node:
    """The choice `name` of one type, which lies under `key`, or whether the choice is of that type."""

    def walk(items: Items, _: Any) -> Items:
        found = [item[key] for item in items if type(item) is dict and key in item]
        if not is_question:
            return found
        is_other = any(other.startswith(name) for item in items if type(item) is dict for other in item)
        return [bool(found)] if found or is_other else []

    return walk


def per_item(name: str, target: Node, criterion: Node) -> Node:
    """where, all, select and exists with what is asked of each item."""
    if name == "select":
        return lambda items, env: [one for item in target(items, env) for one in criterion([item], env)]
    if name == "all":
        return lambda items, env: [
            all(truth(criterion([item], env)) is not False for item in target(items, env))
        ]

    def where(items: Items, env: Any) -> Items:
        return [item for item in target(items, env) if truth(criterion([item], env)) is True]

    return where if name == "where" else lambda items, env: [bool(where(items, env))]


def iif(target: Node, arguments: list[Node]) -> Node:
    """The second argument where the first is true of the target, else the third."""
    if_so = arguments[1]
    otherwise = arguments[2] if len(arguments) > 2 else None

    def walk(items: Items, env: Any) -> Items:
        focus = target(items, env)
        if truth(arguments[0](focus, env)) is True:
            return if_so(focus, env)
        return otherwise(focus, env) if otherwise else []

    return walk


def call(name: str, target: Node, arguments: list[Node]) -> Node | None:
    """Any other function; None where it is not known."""
    plain = _PLAIN.get(name)
    if plain is not None and not arguments:
        return lambda items, env: plain(target(items, env))
    if name == "trace":
        return target
    joined = _WITH_ONE.get(name)
    if joined is not None and len(arguments) == 1:
        argument = arguments[0]
        return lambda items, env: joined(target(items, env), argument(items, env))
    if name == "replaceMatches":
        return lambda items, env: [
            re.sub(str(one), str(two), item)
            for item in target(items, env)
            if type(item) is str
            for one in arguments[0](items, env)
            for two in arguments[1](items, env)
        ]
    return None


def _is_distinct(items: Items) -> Items:
    return [len({same(one) for one in items}) == len(items)]


def _has_value(items: Items) -> Items:
    return [len(items) == 1 and type(items[0]) not in (dict, list)]


def children(items: Items) -> Items:
    """Every element directly under the items."""
    found: Items = []
    for item in items:
        for value in item.values() if type(item) is dict else ():
            found.extend(value if type(value) is list else [value])
    return [one for one in found if one is not None]


def descendants(items: Items) -> Items:
    """Every element under the items, however deep."""
    found: Items = []
    layer = children(items)
    while layer:
        found += layer
        layer = children(layer)
    return found


def _to_integer(items: Items) -> Items:
    if len(items) == 1 and type(items[0]) is str and re.fullmatch(r"[+-]?\d{1,10}", items[0]):
        return [int(items[0])]
    return items if len(items) == 1 and type(items[0]) is int else []


_PLAIN: dict[str, Callable[[Items], Items]] = {
    "exists": lambda items: [bool(items)],
    "empty": lambda items: [not items],
    "not": lambda items: told(None if (answer := truth(items)) is None else not answer),
    "count": lambda items: [len(items)],
    "first": lambda items: items[:1],
    "tail": lambda items: items[1:],
    "isDistinct": _is_distinct,
    "hasValue": _has_value,
    "children": children,
    "descendants": descendants,
    "allFalse": lambda items: [all(one is False for one in items)],
    "toInteger": _to_integer,
    "toString": lambda items: [str(items[0])] if len(items) == 1 else [],
}


def _on_text(ask: Callable[[str, str], bool]) -> Callable[[Items, Items], Items]:
    def join(items: Items, argument: Items) -> Items:
        is_text = len(items) == len(argument) == 1 and type(items[0]) is str and type(argument[0]) is str
        return [ask(items[0], argument[0])] if is_text else []

    return join


def _intersect(items: Items, others: Items) -> Items:
    wanted = {same(one) for one in others}
    return [one for one in items if same(one) in wanted]


_WITH_ONE: dict[str, Callable[[Items, Items], Items]] = {
    "startsWith": _on_text(str.startswith),
    "contains": _on_text(lambda text, part: part in text),
    "matches": _on_text(lambda text, pattern: re.search(pattern, text) is not None),
    "combine": lambda items, others: items + others,
    "intersect": _intersect,
}
