"""The compiled definitions as the validator walks them: for each type, each JSON key and what may stand there.

A resource type is spelled out when the first of its kind is checked, so that a process pays for what it is sent.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from services.intake.r4.invariants import Invariant, made_of
from services.intake.r4.primitives import Check, check_for

SOURCE = Path(__file__).with_name("definitions.json")
# HL7's definitions call Resource.id a string; the specification's text says `id` (R4 resource.html#id).
_RESOURCE_ID = "id"
_ROW = re.compile(r"(\d+)\.\.(\d+|\*) (.+?)(?: @(\d+))?( simple)?")
_URIS = frozenset({"uri", "url", "canonical"})

Codes = Mapping[str, frozenset[str]]


@dataclass(slots=True)
class Field:
    """One JSON key of a type: "valueString" is a field of its own, shown as "value.ofType(string)"."""

    key: str
    shown: str
    is_list: bool
    type_name: str
    check: Check | None = None  # of a primitive
    inner: TypeRule | None = None  # of anything with fields
    is_resource: bool = False
    codes: Codes | None = None
    flat_codes: frozenset[str] | None = None  # of a bound `code`, which has no system
    targets: frozenset[str] | None = None
    invariants: Sequence[Invariant] = ()  # that this place has beyond those of its type


@dataclass(slots=True)
class TypeRule:
    """One type: its fields, what must be there, which keys exclude each other, and what must be true."""

    name: str
    fields: dict[str, Field] = field(default_factory=dict)
    required: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # shown name, keys with "_keys"
    choices: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    invariants: list[Invariant] = field(default_factory=list)
    is_resource: bool = False
    is_domain_resource: bool = False


@dataclass
class Table:
    """Everything the validator knows."""

    fhir_version: str
    resource_types: frozenset[str]
    source: dict[str, Any]
    checks: dict[str, Check]
    sets: list[Codes]
    choices: dict[str, tuple[str, ...]]  # "value" -> every JSON key that a choice of this name has anywhere
    rules: dict[str, TypeRule] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_resource_type(self, name: str) -> bool:
        """True for every resource type of R4."""
        return name in self.resource_types

    def resource(self, name: object) -> TypeRule | None:
        """The rule of a resource type; None where R4 has no such type."""
        found = self.rules.get(name) if type(name) is str else None
        if found is not None and found.is_resource:
            return found
        if type(name) is not str or name not in self.resource_types:
            return None
        with self.lock:
            return self.spelled(name)

    @property
    def element(self) -> TypeRule:
        """What stands beside a primitive, under "_name"."""
        return self.rules["Element"]

    def spelled(self, name: str) -> TypeRule:
        """The rule of the type, with every type it leads to; they are seen by others only when all are whole."""
        made: dict[str, TypeRule] = {}
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one not in self.rules and one not in made:
                made[one] = TypeRule(one, is_resource=one in self.resource_types)
                waiting += _fill(made[one], self)
        known = self.rules | made
        for rule in made.values():
            for one_field in rule.fields.values():
                if one_field.check is None and not one_field.is_resource:
                    one_field.inner = known[one_field.type_name]
        self.rules = known
        return known[name]


@cache
def load() -> Table:
    """The table of this version; read once per process."""
    source = json.loads(SOURCE.read_text())
    sets: list[Codes] = [
        {system: frozenset(codes) for system, codes in row["codes"].items()} for row in source["valueSets"]
    ]
    checks = {name: check_for(name, pattern) for name, pattern in source["primitives"].items()}
    known = frozenset(source["resources"])
    table = Table(source["fhirVersion"], known, source, checks, sets, _choices(source["types"]))
    table.spelled("Element")
    return table


def _choices(types: dict[str, dict[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for rows in types.values():
        for name, row in rows.items():
            if name.endswith("[x]"):
                found.setdefault(name[:-3], set()).update(key for key, _, _ in _kinds(name, row))
    return {name: tuple(sorted(keys)) for name, keys in found.items()}


def _kinds(name: str, row: str) -> list[tuple[str, str, frozenset[str] | None]]:
    """(JSON key, type, reference targets) of each type the field may have."""
    parts = _ROW.fullmatch(row)
    assert parts is not None, row
    stem, kinds = name.removesuffix("[x]"), []
    for kind in parts[3].split("|"):
        type_name, _, targets = kind.partition("(")
        key = stem + type_name[0].upper() + type_name[1:] if stem != name else name
        kinds.append((key, type_name, frozenset(targets[:-1].split(",")) if targets else None))
    return kinds


def _fill(rule: TypeRule, table: Table) -> list[str]:
    """Spells the type out; returns the types it leads to."""
    rows, leads_to = _all_rows(rule, table.source["types"]), []
    for name, row in rows.items():
        parts = _ROW.fullmatch(row)
        assert parts is not None, row
        stem, keys = name.removesuffix("[x]"), []
        for key, kind, targets in _kinds(name, row):
            type_name = _RESOURCE_ID if rule.is_resource and name == _RESOURCE_ID else kind
            shown = key if stem == name else f"{stem}.ofType({type_name})"
            made = Field(key, shown, parts[2] != "1", type_name, table.checks.get(type_name), targets=targets)
            made.is_resource = type_name == "Resource" or type_name in table.resource_types
            _bind(made, table.sets[int(parts[4])] if parts[4] else None)
            made.invariants = _of_place(rule.name, name, bool(parts[5]), table)
            rule.fields[key] = made
            keys.append(key)
            if made.check is None and not made.is_resource:
                leads_to.append(type_name)
        if parts[1] != "0":
            rule.required.append((stem, (*keys, *("_" + key for key in keys))))
        if len(keys) > 1:
            rule.choices.append((stem, tuple(keys)))
    rule.invariants = made_of(table.source["invariants"].get(rule.name, ()), table.choices)
    return leads_to


def _all_rows(rule: TypeRule, types: dict[str, dict[str, str]]) -> dict[str, str]:
    rows = dict(types[rule.name])
    root = rows.pop("<", None)
    rule.is_domain_resource = root == "DomainResource"
    return rows if root is None else types[root] | rows


def _of_place(type_name: str, name: str, is_simple: bool, table: Table) -> list[Invariant]:
    """The invariants published at "Organization.address", which is an Address; a backbone element's are its type's."""
    written = table.source["invariants"]
    path = f"{type_name}.{name}"
    rows = [] if path in table.source["types"] else written.get(path, [])
    return made_of([*rows, *(written["SimpleQuantity"] if is_simple else ())], table.choices)


def _bind(made: Field, codes: Codes | None) -> None:
    made.codes = codes
    if codes is not None and made.check is not None:
        made.flat_codes = frozenset().union(*codes.values())
