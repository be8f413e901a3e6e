"""What an R4 Reference points at, as far as it can be told from where it stands (R4 references.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.intake.r4.table import Table

_ID = r"[A-Za-z0-9\-.]{1,64}"
_LITERAL = re.compile(rf"(?:https?://.*/)?([A-Z][A-Za-z]+)/{_ID}(?:/_history/{_ID})?(?:#{_ID})?")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?\S+")


@dataclass(slots=True)
class Scope:
    """What can be referred to from one place."""

    bundles: tuple[
        Mapping[str, str], ...
    ] = ()  # fullUrl -> resource type, of each Bundle around, inmost first
    in_resource: Mapping[str, str] = field(default_factory=dict)  # "#id" -> type, of the containing resource
    is_contained: bool = False
    is_whole: bool = False  # a Bundle that is sent as one whole: what a urn names must be inside


# Results of a search or a history are a part of what the server has.
_PARTS = frozenset({"searchset", "history", "batch-response", "transaction-response"})


def fault_of(item: dict[str, Any], targets: frozenset[str] | None, scope: Scope, table: Table) -> str | None:
    """The code of what is wrong with the Reference `item`, whose element takes resources of the types `targets`.

    None where nothing is, also where the target is elsewhere and its type cannot be told.
    """
    literal, named = item.get("reference"), item.get("type")
    if type(literal) is not str:
        is_other = targets and type(named) is str and table.is_resource_type(named) and named not in targets
        return "reference-wrong-type" if is_other else None
    code, found = _target(literal, scope, table)
    if code is not None or not found:
        return code
    if targets is not None and found not in targets:
        return "reference-wrong-type"
    is_contradicted = type(named) is str and table.is_resource_type(named) and named != found
    return "reference-wrong-type" if is_contradicted else None


def _target(literal: str, scope: Scope, table: Table) -> tuple[str | None, str | None]:
    """(fault code, resource type); the type is None where it cannot be told."""
    if literal == "#":
        return (None if scope.is_contained else "reference-unresolved"), None
    if literal[:1] == "#":
        name = scope.in_resource.get(literal)
        return ("reference-unresolved" if name is None else None), name
    for inside in scope.bundles:
        if literal in inside:
            return None, inside[literal]
    if literal.startswith(("urn:uuid:", "urn:oid:")):
        return ("reference-unresolved" if scope.is_whole else None), None
    match = _LITERAL.fullmatch(literal) or _CONDITIONAL.fullmatch(literal)
    if match is not None and table.is_resource_type(match[1]):
        return None, match[1]
    return (None if _ABSOLUTE.fullmatch(literal) else "reference-malformed"), None


def contained_types(resources: list[Any]) -> dict[str, str]:
    """ "#id" -> resource type of what a resource contains."""
    return {
        f"#{one['id']}": str(one.get("resourceType"))
        for one in resources
        if type(one) is dict and type(one.get("id")) is str
    }


def contained_faults(resource: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
    """(position, step below it, code) of each contained resource that breaks dom-2 to dom-5 or cannot be referred to."""
    contained = [one for one in enumerate(resource["contained"]) if type(one[1]) is dict]
    wanted = {text for text in _texts(resource) if text[:1] == "#"}
    seen: set[Any] = set()
    for position, one in contained:
        name = one.get("id")
        if type(name) is not str:
            if "#" not in set(_texts(one)):
                yield position, "", "id-missing"
            continue
        if name in seen:
            yield position, "id", "id-doubled"
        seen.add(name)
        if f"#{name}" not in wanted and "#" not in set(_texts(one)):
            yield position, "", "dom-3"
    for position, one in contained:
        if "contained" in one:
            yield position, "contained", "dom-2"
        meta = one.get("meta")
        for key, code in (("versionId", "dom-4"), ("lastUpdated", "dom-4"), ("security", "dom-5")):
            if type(meta) is dict and key in meta:
                yield position, f"meta.{key}", code


def _texts(value: Any) -> Iterator[str]:
    """Every text in the value, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is str:
            yield one
        elif type(one) is dict:
            waiting.extend(one.values())
        elif type(one) is list:
            waiting.extend(one)


def scope_of_bundle(bundle: dict[str, Any], around: Scope) -> Scope:
    """What the entries of a Bundle can refer to; a Bundle inside another one also to what is there."""
    return Scope((_bundle_types(bundle), *around.bundles), is_whole=str(bundle.get("type")) not in _PARTS)


def _bundle_types(bundle: dict[str, Any]) -> dict[str, str]:
    """What the entries can be referred to by -> resource type ("" where it cannot be told)."""
    found: dict[str, str] = {}
    for entry in _entries_of(bundle):
        name = type_of(entry.get("resource"))
        if type(entry.get("fullUrl")) is str:
            found[entry["fullUrl"]] = name
    return found


def _entries_of(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries that are objects; others are faults of structure and told as such."""
    entries = bundle.get("entry")
    return [one for one in entries if type(one) is dict] if type(entries) is list else []


def type_of(resource: Any) -> str:
    """The resource type it says it is, or nothing."""
    name = resource.get("resourceType") if type(resource) is dict else None
    return name if type(name) is str else ""
