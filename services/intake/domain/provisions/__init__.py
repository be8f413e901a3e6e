"""The rules inside a consent document, weighed as R4's Consent.provision means them (hl7.org/fhir/R4/consent.html).

The root is the base rule; a nested rule is an exception to the rule it stands in, and the exception inside the
exception wins over both.  Of two rules side by side that both apply, the one that denies wins.  Whatever is not
understood may mean either, so it is a denial.
"""

from __future__ import annotations

from dataclasses import replace

from services.intake.domain.provisions.conditions import RESOURCE_TYPES, conditions, match
from services.intake.domain.provisions.rules import (
    ACTIONS,
    OUR_ACTIONS,
    Actor,
    Ask,
    Coding,
    Item,
    Match,
    Provision,
    Resource,
)

__all__ = [
    "ACTIONS",
    "OUR_ACTIONS",
    "RESOURCE_TYPES",
    "Actor",
    "Ask",
    "Coding",
    "Item",
    "Match",
    "Provision",
    "Resource",
    "conditions",
    "is_ambiguous",
    "match",
    "permits",
    "purposes_permitted",
]


def permits(root: Provision, ask: Ask, item: Item, purpose: str) -> bool:
    """True only where every reading of the rules permits this part for this purpose."""
    return _of_root(root, replace(ask, purposes=(purpose,)), item) == {True}


def purposes_permitted(root: Provision, ask: Ask) -> tuple[str, ...]:
    """The purposes asked for under which every part may leave."""
    return tuple(
        purpose for purpose in ask.purposes if all(permits(root, ask, item, purpose) for item in ask.items)
    )


def _of_root(root: Provision, ask: Ask, item: Item) -> set[bool]:
    """What the document may mean.  Outside the root's conditions nothing was said, and silence is not a yes; only an
    exception to an opt-in (the root denies, the policy rule permits) leaves the rest as the policy rule says.
    """
    own = root.is_permit if root.is_permit is not None else root.base
    inside = _with_exceptions({True, False} if is_ambiguous(root) else {bool(own)}, root, ask, item)
    outside = {root.base is True and root.is_permit is False}
    matched = match(root, ask, item)
    if matched is Match.YES:
        return inside
    return outside if matched is Match.NO else inside | outside


def is_ambiguous(root: Provision) -> bool:
    """True for conditions without a type: HL7's own examples mean "only these" by them, and "all but these"."""
    bare = replace(root, base=None, inner=(), starts_at=None, ends_at=None)
    return root.is_permit is None and bare != Provision()


def _of_nested(rule: Provision, ask: Ask, item: Item) -> set[bool]:
    own = {True, False} if rule.is_permit is None or rule.unread else {rule.is_permit}
    return _with_exceptions(own, rule, ask, item)


def _with_exceptions(own: set[bool], rule: Provision, ask: Ask, item: Item) -> set[bool]:
    """Every answer the rule may give: its own, unless exceptions apply; of these a denial wins."""
    found = [(match(one, ask, item), one) for one in rule.inner]
    said = [(matched, _of_nested(one, ask, item)) for matched, one in found if matched is not Match.NO]
    may_be_alone = all(matched is Match.MAYBE for matched, _ in said)
    answers = set()
    if any(False in answer for _, answer in said) or (False in own and may_be_alone):
        answers.add(False)
    is_denied = any(matched is Match.YES and True not in answer for matched, answer in said)
    if not is_denied and (any(True in answer for _, answer in said) or (True in own and may_be_alone)):
        answers.add(True)
    return answers
