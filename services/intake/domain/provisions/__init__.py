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


# Documents without any condition or exception: most of them.
_OPEN = frozenset({Provision(is_permit=True), Provision(is_permit=True, base=True), Provision(base=True)})


def permits(root: Provision, ask: Ask, item: Item, purpose: str) -> bool:
    """True only where every reading of the rules permits this part for this purpose."""
    return root in _OPEN or not _root_may_deny(root, replace(ask, purposes=(purpose,)), item)


def purposes_permitted(root: Provision, ask: Ask) -> tuple[str, ...]:
    """The purposes asked for under which every part may leave."""
    if root in _OPEN:
        return ask.purposes
    each = ((purpose, replace(ask, purposes=(purpose,))) for purpose in ask.purposes)
    return tuple(
        purpose for purpose, one in each if not any(_root_may_deny(root, one, item) for item in ask.items)
    )


def _root_may_deny(root: Provision, ask: Ask, item: Item) -> bool:
    """Outside the root's conditions nothing was said, and silence is not a yes; only an exception to an opt-in (the
    root denies, the policy rule permits) leaves the rest as the policy rule says.
    """
    own = root.is_permit if root.is_permit is not None else root.base
    matched = match(root, ask, item)
    is_silent_outside = not (root.base is True and root.is_permit is False)
    if matched is not Match.YES and is_silent_outside:
        return True
    return matched is not Match.NO and _with_exceptions(not own or is_ambiguous(root), root, ask, item)


def is_ambiguous(root: Provision) -> bool:
    """True for conditions without a type: HL7's own examples mean "only these" by them, and "all but these"."""
    if root.is_permit is not None:
        return False
    return replace(root, base=None, inner=(), starts_at=None, ends_at=None) != Provision()


def _may_deny(rule: Provision, ask: Ask, item: Item) -> bool:
    return _with_exceptions(not rule.is_permit or bool(rule.unread), rule, ask, item)


def _with_exceptions(own_may_deny: bool, rule: Provision, ask: Ask, item: Item) -> bool:
    """May the rule deny?  Its own answer counts unless an exception surely applies; of exceptions a denial wins."""
    found = [(match(one, ask, item), one) for one in rule.inner]
    if any(matched is not Match.NO and _may_deny(one, ask, item) for matched, one in found):
        return True
    return own_may_deny and all(matched is not Match.YES for matched, _ in found)
