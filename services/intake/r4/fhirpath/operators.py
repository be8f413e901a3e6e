"""What stands between two expressions of FHIRPath, and when two values are the same or in order."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any

Items = list[Any]
Node = Callable[[Items, Any], Items]

_DAY = 10


def truth(items: Items) -> bool | None:
    """A collection where one boolean is wanted: nothing is None, one thing that is no boolean is True."""
    if len(items) != 1:
        return None
    return items[0] if type(items[0]) is bool else True


def told(answer: bool | None) -> Items:
    """The answer as a collection: nothing where it is not known."""
    return [] if answer is None else [answer]


def _and(left: bool | None, right: Callable[[], bool | None]) -> bool | None:
    if left is False:
        return False
    other = right()
    return False if other is False else None if left is None or other is None else True


def _or(left: bool | None, right: Callable[[], bool | None]) -> bool | None:
    if left is True:
        return True
    other = right()
    return True if other is True else None if left is None or other is None else False


def _xor(left: bool | None, right: Callable[[], bool | None]) -> bool | None:
    other = right()
    return None if left is None or other is None else left != other


def _implies(left: bool | None, right: Callable[[], bool | None]) -> bool | None:
    return True if left is False else _or(None if left is None else not left, right)


_LOGIC = {"and": _and, "or": _or, "xor": _xor, "implies": _implies}


def same(one: Any) -> Any:
    """What two equal values have in common, and no others; may be a member of a set.

    What is nested deeper than Python can spell equals only itself: it is refused for its depth anyway.
    """
    if type(one) in (int, float):
        return one + 0.0
    if type(one) not in (dict, list):
        return (type(one), one)
    try:
        return (type(one), json.dumps(one, sort_keys=True))
    except RecursionError:
        return (type(one), id(one))


def _equal(left: Items, right: Items) -> bool | None:
    if not left or not right:
        return None
    return [same(one) for one in left] == [same(one) for one in right]


def _unequal(left: Items, right: Items) -> Items:
    answer = _equal(left, right)
    return told(None if answer is None else not answer)


def _in(left: Items, right: Items) -> Items:
    return [] if not left else [same(left[0]) in {same(one) for one in right}]


def _union(left: Items, right: Items) -> Items:
    return list({same(one): one for one in [*left, *right]}.values())


def _plus(left: Items, right: Items) -> Items:
    if len(left) != 1 or len(right) != 1:
        return []
    is_text = type(left[0]) is str and type(right[0]) is str
    are_numbers = type(left[0]) in (int, float) and type(right[0]) in (int, float)
    return [left[0] + right[0]] if is_text or are_numbers else []


def _minus(left: Items, right: Items) -> Items:
    return (
        [left[0] - right[0]]
        if len(left) == len(right) == 1 and type(left[0]) is type(right[0]) is int
        else []
    )


def _and_text(left: Items, right: Items) -> Items:
    return ["".join(str(one[0]) if one else "" for one in (left, right))]


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Items, Items], Items]:
    def join(left: Items, right: Items) -> Items:
        if len(left) != 1 or len(right) != 1:
            return []
        order = order_of(left[0], right[0])
        return [] if order is None else [compare(order, 0)]

    return join


def order_of(left: Any, right: Any) -> int | None:
    """-1, 0 or 1; None where the two cannot be ordered: other units, other kinds, other precision of a date."""
    if type(left) is str and type(right) is str:
        return _order_of_dates(left, right)
    if type(left) is dict and type(right) is dict:  # Quantities
        units = [[one.get(key) for key in ("system", "code", "unit")] for one in (left, right)]
        return order_of(left.get("value"), right.get("value")) if units[0] == units[1] else None
    if type(left) not in (int, float) or type(right) not in (int, float):
        return None
    return (left > right) - (left < right)


def _order_of_dates(left: str, right: str) -> int | None:
    if len(left) > _DAY and len(right) > _DAY:
        try:
            one, two = datetime.fromisoformat(left), datetime.fromisoformat(right)
            return (one > two) - (one < two)
        except (ValueError, TypeError):  # a leap second, a zone on one side only
            return None
    length = min(len(left), len(right), _DAY)
    one_text, two_text = left[:length], right[:length]
    if one_text == two_text:
        return 0 if len(left) == len(right) else None
    return 1 if one_text > two_text else -1


_JOINING: dict[str, Callable[[Items, Items], Items]] = {
    "=": lambda left, right: told(_equal(left, right)),
    "!=": _unequal,
    "in": _in,
    "contains": lambda left, right: _in(right, left),
    "|": _union,
    "+": _plus,
    "-": _minus,
    "&": _and_text,
    "<": _ordering(operator.lt),
    ">": _ordering(operator.gt),
    "<=": _ordering(operator.le),
    ">=": _ordering(operator.ge),
}


def infix(word: str, left: Node, right: Node) -> Node:
    """The operator between two expressions."""
    if word in _LOGIC:
        decide = _LOGIC[word]
        return lambda items, env: told(decide(truth(left(items, env)), lambda: truth(right(items, env))))
    join = _JOINING[word]
    return lambda items, env: join(left(items, env), right(items, env))
