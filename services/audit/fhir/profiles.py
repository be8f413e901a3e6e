"""Whether an AuditEvent is R4 and keeps the profiles it claims: every fault with its place; nothing is refused here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_TABLE = json.loads(Path(__file__).with_name("profiles.json").read_text(encoding="utf-8"))
_BASE: dict[str, Json] = _TABLE["base"]
_PROFILES: dict[str, Json] = _TABLE["profiles"]
_INSTANT = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)"
    r"(\.[0-9]+)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
)
_FORMS = {
    "code": re.compile(r"\S+( \S+)*"),
    "uri": re.compile(r"\S*"),
    "base64Binary": re.compile(r"([0-9a-zA-Z+/=]{4}|\s)*"),
    "instant": _INSTANT,
    "string": re.compile(r"[\s\S]+"),
    "String": re.compile(r"[A-Za-z0-9.-]{1,64}"),
}
_MOST_FAULTS = 50


@dataclass(frozen=True, slots=True)
class ProfileFault:
    """One thing that is wrong: where (FHIRPath) and what; never a value that was sent."""

    path: str
    what: str


def faults_of(document: Any) -> list[ProfileFault]:
    """Everything that is wrong with an AuditEvent against R4 and the BALP profiles it names; at most 50 faults."""
    if not isinstance(document, dict) or document.get("resourceType") != "AuditEvent":
        return [ProfileFault("AuditEvent", "resource-type")]
    found = [*_base_faults(document, "")]
    if not found:  # a broken frame has no slices to look for
        for url in claimed(document):
            found += profile_faults(document, url)
    return found[:_MOST_FAULTS]


def claimed(document: Json) -> list[str]:
    """The BALP profiles a resource says it keeps, of those that are known here."""
    profiles = document.get("meta", {}).get("profile", ()) if isinstance(document.get("meta"), dict) else ()
    return [url for url in profiles if isinstance(url, str) and url in _PROFILES]


def known_profiles() -> tuple[str, ...]:
    """The address of every profile that can be judged."""
    return tuple(_PROFILES)


def profile_faults(document: Json, url: str) -> list[ProfileFault]:
    """What keeps an R4 AuditEvent from the profile, claimed or not."""
    judge = _Judge(document, _PROFILES[url])
    return [*judge.faults()]


def _base_faults(node: Json, path: str) -> Iterator[ProfileFault]:
    """Unknown and missing elements, wrong JSON types and codes, of the resource and its backbone elements."""
    children = {
        name.removeprefix(f"{path}." if path else ""): rule
        for name, rule in _BASE.items()
        if name.rpartition(".")[0] == path
    }
    told = {_choice(name) for name in node} - {"resourceType"}
    for name in sorted(told - children.keys()):
        if not name.startswith("_"):
            yield ProfileFault(_at(path, name), "unknown-element")
    for name, rule in children.items():
        value = _value_of(node, name)
        if value is None:
            if rule["min"]:
                yield ProfileFault(_at(path, name), "missing")
            continue
        yield from _element_faults(value, rule, _joined(path, name))


def _element_faults(value: Any, rule: Json, path: str) -> Iterator[ProfileFault]:
    is_many = rule["max"] == "*"
    if is_many != isinstance(value, list):
        yield ProfileFault(_at("", path), "not-a-list" if is_many else "is-a-list")
        return
    items = value if is_many else [value]
    if is_many and not items:
        yield ProfileFault(_at("", path), "empty")
    for item in items:
        if "BackboneElement" in rule["types"]:
            if isinstance(item, dict) and item:
                yield from _base_faults(item, path)
            else:
                yield ProfileFault(_at("", path), "not-an-object")
        elif fault := _type_fault(item, rule):
            yield ProfileFault(_at("", path), fault)


def _type_fault(item: Any, rule: Json) -> str:
    kind = rule["types"][0]
    if kind == "boolean":
        return "" if isinstance(item, bool) else "wrong-json-type"
    if kind in _FORMS:
        if not isinstance(item, str):
            return "wrong-json-type"
        if not _FORMS[kind].fullmatch(item):
            return "bad-format"
        return "code-not-in-value-set" if "codes" in rule and item not in rule["codes"] else ""
    return "" if isinstance(item, dict) and item else "not-an-object"


class _Judge:
    """One resource against one profile's table."""

    def __init__(self, document: Json, profile: Json) -> None:
        self._document = document
        self._slices: Json = profile["slices"]
        self._rules: list[Json] = profile["rules"]

    def faults(self) -> Iterator[ProfileFault]:
        for rule in self._rules:
            yield from self._rule_faults(rule)
        for path, slicing in self._slices.items():
            if slicing["closed"]:
                yield from self._closed_faults(path)

    def _rule_faults(self, rule: Json) -> Iterator[ProfileFault]:
        parents, last = self._parents(rule["id"])
        name, _, slice_name = last.partition(":")
        for parent, path in parents:
            here = _items(_value_of(parent, name))
            if slice_name:
                here = [item for item in here if self._is_of(item, path, slice_name)]
            at = _at("", f"{path}:{slice_name}" if slice_name else path)
            if len(here) < rule.get("min", 0):
                yield ProfileFault(at, "missing")
            most = rule.get("max", "*")
            if most != "*" and len(here) > int(most):
                yield ProfileFault(at, "too-many")
            for item in here:
                if "pattern" in rule and not _matches(item, rule["pattern"]):
                    yield ProfileFault(at, "pattern")
                if "codes" in rule and not slice_name and not _is_coded(item, rule["codes"]):
                    yield ProfileFault(at, "code-not-in-value-set")
                if "is_observer" in rule and item.get("who") != self._document["source"].get("observer"):
                    yield ProfileFault(at, "not-the-observer")

    def _parents(self, rule_id: str) -> tuple[list[tuple[Json, str]], str]:
        """Every object the rule's last step is looked for in, with that step's path."""
        *steps, last = rule_id.split(".")
        nodes: list[tuple[Json, str]] = [(self._document, "")]
        for step in steps:
            name, _, slice_name = step.partition(":")
            found: list[tuple[Json, str]] = []
            for node, path in nodes:
                below = _joined(path, name)
                items = [item for item in _items(_value_of(node, name)) if isinstance(item, dict)]
                kept = [item for item in items if not slice_name or self._is_of(item, below, slice_name)]
                found += [(item, below) for item in kept]
            nodes = found
        return [(node, _joined(path, last.partition(":")[0])) for node, path in nodes], last

    def _is_of(self, item: Any, path: str, slice_name: str) -> bool:
        """Whether an item is the slice's, by the value its discriminators look at."""
        by = self._slices.get(path, {"by": ["type"]})["by"]
        for look in by:
            rule_id = f"{path}:{slice_name}" + ("" if look == "$this" else f".{look}")
            told = item if look == "$this" else item.get(look) if isinstance(item, dict) else None
            rules = [rule for rule in self._rules if rule["id"] == rule_id]
            asked = [rule for rule in rules if "pattern" in rule or "codes" in rule]
            if not asked or not all(_holds(told, rule) for rule in asked):
                return False
        return True

    def _closed_faults(self, path: str) -> Iterator[ProfileFault]:
        prefix = f"{path}:"
        known = {
            rule["id"].removeprefix(prefix).partition(".")[0]
            for rule in self._rules
            if rule["id"].startswith(prefix)
        }
        for item in _items(_value_of(self._document, path)):
            if not any(self._is_of(item, path, name) for name in known):
                yield ProfileFault(_at("", path), "not-in-closed-list")


def _holds(told: Any, rule: Json) -> bool:
    if "pattern" in rule and not _matches(told, rule["pattern"]):
        return False
    return "codes" not in rule or _is_coded(told, rule["codes"])


def _matches(told: Any, pattern: Any) -> bool:
    """FHIR's pattern[x]: all that the pattern has, and anything besides."""
    if isinstance(pattern, dict):
        return isinstance(told, dict) and all(
            _matches(told.get(key), value) for key, value in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(told, list) and all(any(_matches(one, want) for one in told) for want in pattern)
    return bool(told == pattern)


def _is_coded(told: Any, codes: list[str]) -> bool:
    if not isinstance(told, dict):
        return False
    codings = told["coding"] if isinstance(told.get("coding"), list) else [told]
    pairs = [(one.get("system"), one.get("code")) for one in codings if isinstance(one, dict)]
    return any(f"{system}|{code}" in codes or f"{system}|*" in codes for system, code in pairs)


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _choice(name: str) -> str:
    return "value[x]" if re.fullmatch(r"value(String|Base64Binary)", name) else name


def _value_of(node: Json, name: str) -> Any:
    if name.endswith("[x]"):
        return next((value for key, value in node.items() if _choice(key) == name), None)
    return node.get(name)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _at(path: str, name: str) -> str:
    return f"AuditEvent.{_joined(path, name)}"
