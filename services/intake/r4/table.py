"""The compiled definitions as the validator walks them: for each type, each JSON key and what may stand there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from services.intake.r4.primitives import Check, check_for

SOURCE = Path(__file__).with_name("definitions.json")
# HL7's definitions call Resource.id a string; the specification's text says `id` (R4 resource.html#id).
_RESOURCE_ID = "id"

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


@dataclass(slots=True)
class TypeRule:
    """One type: its fields, what must be there, and which keys exclude each other."""

    name: str
    fields: dict[str, Field] = field(default_factory=dict)
    required: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # shown name, keys
    choices: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    is_resource: bool = False


@dataclass(frozen=True)
class Table:
    """Everything the validator knows."""

    fhir_version: str
    resources: Mapping[str, TypeRule]
    other_resources: frozenset[str]
    element: TypeRule  # what stands beside a primitive, under "_name"

    def is_resource_type(self, name: str) -> bool:
        """True for every resource type of R4, also those that are not checked here."""
        return name in self.resources or name in self.other_resources


@cache
def load() -> Table:
    """The table of this version; read once per process."""
    source = json.loads(SOURCE.read_text())
    checks = {name: check_for(name, pattern) for name, pattern in source["primitives"].items()}
    sets = [
        {system: frozenset(codes) for system, codes in row["codes"].items()} for row in source["valueSets"]
    ]
    rules = {name: TypeRule(name, is_resource=name in source["resources"]) for name in source["types"]}
    for name, rows in source["types"].items():
        _fill(rules[name], rows, rules, checks, sets)
    beside = {key: rules["HumanName"].fields[key] for key in ("id", "extension")}
    return Table(
        fhir_version=source["fhirVersion"],
        resources={name: rules[name] for name in source["resources"]},
        other_resources=frozenset(source["otherResources"]),
        element=TypeRule("Element", beside),
    )


def _fill(
    rule: TypeRule,
    rows: dict[str, Any],
    rules: dict[str, TypeRule],
    checks: dict[str, Check],
    sets: Sequence[Codes],
) -> None:
    for name, row in rows.items():
        stem = name.removesuffix("[x]")
        keys = []
        for kind in row["type"]:
            type_name = "id" if rule.is_resource and name == _RESOURCE_ID else kind[0]
            is_choice = stem != name
            key = stem + type_name[0].upper() + type_name[1:] if is_choice else name
            shown = f"{stem}.ofType({type_name})" if is_choice else name
            made = Field(key, shown, row["max"] == "*" or int(row["max"]) > 1, type_name)
            made.check, made.inner = checks.get(type_name), rules.get(type_name)
            made.is_resource = type_name == "Resource" or (made.inner is not None and made.inner.is_resource)
            made.targets = frozenset(kind[1]) if len(kind) > 1 else None
            _bind(made, row, sets)
            rule.fields[key] = made
            keys.append(key)
        if row.get("min"):
            rule.required.append((stem, tuple(keys)))
        if len(keys) > 1:
            rule.choices.append((stem, tuple(keys)))


def _bind(made: Field, row: dict[str, Any], sets: Sequence[Codes]) -> None:
    if "codes" not in row:
        return
    made.codes = sets[row["codes"]]
    if made.check is not None:
        made.flat_codes = frozenset().union(*made.codes.values())
