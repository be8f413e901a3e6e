"""Is this JSON a valid R4 resource?  Every fault at once, each with its FHIRPath.

Checked for every resource type of R4: unknown and doubled elements, cardinality, JSON shape, primitives, required
bindings, reference targets and their resolution inside the Bundle or the containing resource, `contained`, primitive
extensions (`_field`), extension urls, emptiness, depth, narrative, and HL7's invariants that are errors.
Not checked: profiles, extensible bindings, what `invariantsLeftOut` of definitions.json names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.errors import Fault
from services.intake.r4 import bundles, references
from services.intake.r4.fhirpath.operators import order_of, same
from services.intake.r4.messages import MESSAGES
from services.intake.r4.references import Scope
from services.intake.r4.table import Field, Table, TypeRule, load

MAX_FAULTS = 100
MAX_DEPTH = 40
_SAFE_KEY = re.compile(r"_?[a-z][A-Za-z0-9]{0,40}")  # looks like an element, so it is named to its sender
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")

# Where a fault is, as a chain from the root: (parent, step); spelled only when a fault is told.
Place = tuple[Any, str]


def check(resource: Any, table: Table | None = None) -> list[Fault]:
    """What is wrong with the resource; empty where nothing is.  At most MAX_FAULTS and one line that says so."""
    walk = _Walk(table or load())
    walk.resource(resource, (None, ""), 0, Scope())
    return walk.faults


class _Walk:
    def __init__(self, table: Table) -> None:
        self.table = table
        self.faults: list[Fault] = []
        self.scope = Scope()
        self.current: Any = None  # the resource around, which invariants call %resource

    def fault(self, code: str, place: Place, words: str = "") -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(spell(place), code, words or MESSAGES[code]))
        elif len(self.faults) == MAX_FAULTS:
            self.faults.append(Fault(spell(place), "too-many-faults", MESSAGES["too-many-faults"]))

    def resource(self, value: Any, place: Place, depth: int, scope: Scope) -> None:
        if type(value) is not dict:
            self.fault("not-an-object", place)
            return
        rule = self.table.resource(value.get("resourceType"))
        if place[0] is None:
            place = (None, rule.name if rule else "Resource")
        if rule is None:
            self.fault("resource-type-unknown", (place, "resourceType"))
            return
        outer, around = self.scope, self.current
        self.scope, self.current = self._scope_of(value, rule, scope), value
        self.object(value, rule, place, depth)
        if rule.name == "Bundle":
            for steps, code in bundles.faults_of(value):
                self.fault(code, (place, steps))
        elif "contained" in value and not scope.is_contained and type(value["contained"]) is list:
            for position, step, code in references.contained_faults(value):
                self.fault(code, ((place, f"contained[{position}]"), step))
        self.scope, self.current = outer, around

    @staticmethod
    def _scope_of(value: dict[str, Any], rule: TypeRule, scope: Scope) -> Scope:
        if scope.is_contained:
            return scope
        if rule.name == "Bundle":
            return references.scope_of_bundle(value, scope)
        contained = value.get("contained")
        types = references.contained_types(contained) if type(contained) is list else {}
        return replace(scope, in_resource=types)

    def object(self, value: Any, rule: TypeRule, place: Place, depth: int) -> None:
        if type(value) is not dict:
            self.fault("is-a-list" if type(value) is list else "not-an-object", place)
            return
        if not value or (len(value) == 1 and "id" in value):
            self.fault("empty", place)
            return
        if depth > MAX_DEPTH:
            self.fault("too-deep", place)
            return
        fields = rule.fields
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                self._other_key(key, value, rule, place, depth)
            elif field.is_list:
                self._list(field, item, value, place, depth)
            else:
                self._one(field, item, (place, field.shown), depth)
        for shown, keys in rule.required:
            if not any(key in value for key in keys):
                self.fault("missing", (place, shown))
        for shown, keys in rule.choices:
            if sum(key in value or "_" + key in value for key in keys) > 1:
                self.fault("choice-doubled", (place, shown))
        self._invariants(value, rule, place)

    def _invariants(self, value: dict[str, Any], rule: TypeRule, place: Place) -> None:
        for invariant in rule.invariants:
            if invariant.is_broken(value, self.current):
                self.fault(invariant.key, place, invariant.words)
        written_out = _WRITTEN_OUT.get(rule.name)
        if written_out is not None:
            written_out(self, value, place)

    def _one(self, field: Field, item: Any, place: Place, depth: int) -> None:
        check = field.check
        if check is not None:
            if type(item) is list:
                self.fault("is-a-list", place)
                return
            code = check(item)
            if code is not None:
                self.fault(code, place)
            elif field.flat_codes is not None and item not in field.flat_codes:
                self.fault("code-not-in-value-set", place)
        elif field.is_resource:
            scope = self.scope
            if field.key == "contained":
                scope = replace(scope, is_contained=True)
            self.resource(item, place, depth + 1, scope)
        elif field.inner is not None:
            self.object(item, field.inner, place, depth + 1)
            if type(item) is dict:
                if field.type_name == "Reference":
                    self._reference(item, field, place)
                elif field.codes is not None:
                    self._coded(field, item, place)
        for invariant in field.invariants:
            if invariant.is_broken(item, self.current):
                self.fault(invariant.key, place, invariant.words)

    def _list(self, field: Field, items: Any, owner: dict[str, Any], place: Place, depth: int) -> None:
        if type(items) is not list:
            self.fault("not-a-list", (place, field.shown))
            return
        if not items:
            self.fault("empty", (place, field.shown))
        for position, item in enumerate(items):
            here = (place, f"{field.shown}[{position}]")
            if item is None and field.check is not None and _has_side(owner, field.key, position):
                continue  # the value is absent, its extension says why
            self._one(field, item, here, depth)

    def _other_key(self, key: str, owner: dict[str, Any], rule: TypeRule, place: Place, depth: int) -> None:
        if key == "resourceType" and rule.is_resource:
            return
        field = rule.fields.get(key[1:]) if key[:1] == "_" else None
        if field is None or field.check is None:
            self.fault("unknown-element", (place, key) if _SAFE_KEY.fullmatch(key) else place)
            return
        items = owner[key] if field.is_list else [owner[key]]
        if type(items) is not list or not items:
            self.fault("not-a-list", (place, key))
            return
        for position, one in enumerate(items):
            step = f"{field.shown}[{position}]" if field.is_list else field.shown
            has_value = _has_value(owner, field, position)
            if one is None and field.is_list and has_value:
                continue
            if has_value and type(one) is dict and one.keys() == {"id"}:
                self._one(self.table.element.fields["id"], one["id"], ((place, step), "id"), depth)
            else:
                self.object(one, self.table.element, (place, step), depth + 1)

    def _coded(self, field: Field, item: dict[str, Any], place: Place) -> None:
        codings = item.get("coding", []) if field.type_name == "CodeableConcept" else [item]
        if field.type_name not in ("CodeableConcept", "Coding"):  # a Quantity's unit
            return
        if type(codings) is not list or not any(_is_in(coding, field.codes or {}) for coding in codings):
            self.fault("code-not-in-value-set", place)

    def _reference(self, item: dict[str, Any], field: Field, place: Place) -> None:
        code = references.fault_of(item, field.targets, self.scope, self.table)
        if code is not None:
            self.fault(code, (place, "reference") if "reference" in item else place)

    def extension(self, value: dict[str, Any], place: Place) -> None:
        has_value = any(key.startswith(("value", "_value")) for key in value)
        if has_value == ("extension" in value):
            self.fault("extension-value", place)
        url = value.get("url")
        if type(url) is str and not _ABSOLUTE.fullmatch(url) and not _is_inside_extension(place):
            self.fault("extension-url", (place, "url"))

    def period(self, value: dict[str, Any], place: Place) -> None:
        start, end = value.get("start"), value.get("end")
        if type(start) is str and type(end) is str and order_of(start, end) == 1:
            self.fault("period-reversed", place)

    def observation(self, value: dict[str, Any], place: Place) -> None:
        """obs-7; here, because HL7's words compare every component with every coding."""
        components = value.get("component")
        has_value = any(key.startswith(("value", "_value")) for key in value)
        if not has_value or type(components) is not list:
            return
        own = _codings(value)
        if any(not own.isdisjoint(_codings(one)) for one in components if type(one) is dict):
            self.fault("obs-7", place)


_WRITTEN_OUT = {"Extension": _Walk.extension, "Period": _Walk.period, "Observation": _Walk.observation}


def spell(place: Place) -> str:
    """The FHIRPath of a place: "Bundle.entry[0].resource.birthDate"."""
    steps = []
    chain: Any = place
    while chain is not None:
        if chain[1]:
            steps.append(chain[1])
        chain = chain[0]
    return ".".join(reversed(steps)) or "Resource"


def _is_inside_extension(place: Place) -> bool:
    """True where the element that holds this extension is one itself: a part of it may have a relative url."""
    parent = place[0]
    return parent is not None and parent[1].startswith(("extension[", "modifierExtension["))


def _codings(owner: dict[str, Any]) -> set[Any]:
    code = owner.get("code")
    found = code.get("coding") if type(code) is dict else None
    return {same(one) for one in found} if type(found) is list else set()


def _is_in(coding: Any, codes: Mapping[str, frozenset[str]]) -> bool:
    if type(coding) is not dict:
        return False
    system, code = coding.get("system"), coding.get("code")
    return type(system) is str and type(code) is str and code in codes.get(system, ())


def _has_side(owner: dict[str, Any], key: str, position: int) -> bool:
    side = owner.get("_" + key)
    return type(side) is list and len(side) > position and side[position] is not None


def _has_value(owner: dict[str, Any], field: Field, position: int) -> bool:
    values = owner.get(field.key)
    if not field.is_list:
        return values is not None
    return type(values) is list and len(values) > position and values[position] is not None
