"""Is this JSON a valid R4 resource?  Every fault at once, each with its FHIRPath.

Checked: unknown and doubled elements, cardinality, JSON shape, primitive patterns, required bindings, reference
targets and their resolution inside the Bundle or the containing resource, primitive extensions (`_field`), empty
arrays and objects, depth, and the invariants ext-1, per-1, ref-1 and bdl-7.
Not checked: profiles, extensible bindings, the other invariants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chassis.errors import Fault
from services.intake.r4.table import Field, Table, TypeRule, load

MAX_FAULTS = 100
_MAX_DEPTH = 40
_SAFE_KEY = re.compile(r"_?[a-z][A-Za-z0-9]{0,40}")  # looks like an element, so it is named to its sender
_LITERAL = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?\S+")

MESSAGES = {
    "empty": "An element must not be empty.",
    "unknown-element": "R4 has no such element here.",
    "missing": "This element is required.",
    "not-a-list": "This element repeats: it must be a JSON array.",
    "is-a-list": "This element does not repeat: it must not be a JSON array.",
    "not-an-object": "This element must be a JSON object.",
    "wrong-json-type": "The JSON type does not fit the element's type.",
    "bad-format": "The value does not have the format of the element's type.",
    "no-such-day": "This day is not in the calendar.",
    "choice-doubled": "Only one of the types of this element may be given.",
    "code-not-in-value-set": "The code is not in the required value set.",
    "reference-malformed": "This is not a reference that R4 knows.",
    "reference-wrong-type": "A resource of this type may not be referred to here.",
    "reference-unresolved": "The resource referred to is not in this Bundle or resource.",
    "resource-type-unknown": "R4 has no resource of this type.",
    "extension-value": "An extension has either a value or extensions, and not both (ext-1).",
    "period-reversed": "The period ends before it starts (per-1).",
    "full-url-doubled": "Two entries have the same fullUrl (bdl-7).",
    "too-deep": "The elements are nested too deep.",
    "too-many-faults": "There are more faults than are told here.",
}

# Where a fault is, as a chain from the root: (parent, step); spelled only when a fault is told.
Place = tuple[Any, str]


def check(resource: Any, table: Table | None = None) -> list[Fault]:
    """What is wrong with the resource; empty where nothing is.  At most MAX_FAULTS and one line that says so."""
    walk = _Walk(table or load())
    walk.resource(resource, (None, ""), 0)
    return walk.faults


class _Walk:
    def __init__(self, table: Table) -> None:
        self.table = table
        self.faults: list[Fault] = []
        self.in_bundle: Mapping[str, str] | None = None  # fullUrl -> resource type
        self.in_resource: Mapping[str, str] = {}  # "#id" -> resource type, of the containing resource

    def fault(self, code: str, place: Place) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(spell(place), code, MESSAGES[code]))
        elif len(self.faults) == MAX_FAULTS:
            self.faults.append(Fault(spell(place), "too-many-faults", MESSAGES["too-many-faults"]))

    def resource(self, value: Any, place: Place, depth: int) -> None:
        if type(value) is not dict:
            self.fault("not-an-object", place)
            return
        name = value.get("resourceType")
        rule = self.table.resources.get(name) if type(name) is str else None
        if place[0] is None:
            place = (None, rule.name if rule else "Resource")
        if rule is None:
            if type(name) is not str or name not in self.table.other_resources:
                self.fault("resource-type-unknown", (place, "resourceType"))
            return
        outer = self.in_resource
        if "contained" in value and type(value["contained"]) is list:
            self.in_resource = _contained(value["contained"])
            self.object(value, rule, place, depth)
            self.in_resource = outer
            return
        if rule.name == "Bundle" and place[0] is None:
            self._open_bundle(value, place)
        self.object(value, rule, place, depth)

    def object(self, value: Any, rule: TypeRule, place: Place, depth: int) -> None:
        if type(value) is not dict:
            self.fault("is-a-list" if type(value) is list else "not-an-object", place)
            return
        if not value:
            self.fault("empty", place)
            return
        if depth > _MAX_DEPTH:
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
            if not any(key in value or "_" + key in value for key in keys):
                self.fault("missing", (place, shown))
        for shown, keys in rule.choices:
            if sum(key in value or "_" + key in value for key in keys) > 1:
                self.fault("choice-doubled", (place, shown))
        invariant = _INVARIANTS.get(rule.name)
        if invariant is not None:
            invariant(self, value, place)

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
            self.resource(item, place, depth + 1)
        elif field.inner is not None:
            self.object(item, field.inner, place, depth + 1)
            if type(item) is dict:
                if field.type_name == "Reference":
                    self._reference(item, field.targets, place)
                elif field.codes is not None:
                    self._coded(field, item, place)

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
            if one is not None or not field.is_list or not _has_value(owner, field.key, position):
                self.object(one, self.table.element, (place, step), depth + 1)

    def _coded(self, field: Field, item: dict[str, Any], place: Place) -> None:
        codings = item.get("coding", []) if field.type_name == "CodeableConcept" else [item]
        if type(codings) is not list or not any(_is_in(coding, field.codes or {}) for coding in codings):
            self.fault("code-not-in-value-set", place)

    def _reference(self, item: dict[str, Any], targets: frozenset[str] | None, place: Place) -> None:
        literal = item.get("reference")
        if type(literal) is not str:
            named = item.get("type")
            if targets and type(named) is str and self.table.is_resource_type(named) and named not in targets:
                self.fault("reference-wrong-type", place)
            return
        code, name = self._target(literal)
        if code is not None:
            self.fault(code, (place, "reference"))
        elif name is not None and targets is not None and name not in targets:
            self.fault("reference-wrong-type", (place, "reference"))

    def _target(self, literal: str) -> tuple[str | None, str | None]:
        """(fault code, resource type) of a reference; the type is None where it cannot be told."""
        if literal == "#":
            return None, None
        if literal[:1] == "#":
            name = self.in_resource.get(literal)
            return ("reference-unresolved" if name is None else None), name
        if self.in_bundle is not None and literal in self.in_bundle:
            return None, self.in_bundle[literal]
        if literal.startswith(("urn:uuid:", "urn:oid:")):
            return ("reference-unresolved" if self.in_bundle is not None else None), None
        match = _LITERAL.fullmatch(literal) or _CONDITIONAL.fullmatch(literal)
        if match is not None and self.table.is_resource_type(match[1]):
            return None, match[1]
        return (None if ":" in literal else "reference-malformed"), None

    def _open_bundle(self, bundle: dict[str, Any], place: Place) -> None:
        found: dict[str, str] = {}
        entries = bundle.get("entry")
        for position, entry in enumerate(entries if type(entries) is list else []):
            if type(entry) is not dict or type(entry.get("fullUrl")) is not str:
                continue
            resource = entry.get("resource")
            if entry["fullUrl"] in found:
                self.fault("full-url-doubled", ((place, f"entry[{position}]"), "fullUrl"))
            name = resource.get("resourceType") if type(resource) is dict else None
            found[entry["fullUrl"]] = name if type(name) is str else ""
        self.in_bundle = found

    def extension(self, value: dict[str, Any], place: Place) -> None:
        has_value = any(key.startswith(("value", "_value")) for key in value)
        if has_value == ("extension" in value):
            self.fault("extension-value", place)

    def period(self, value: dict[str, Any], place: Place) -> None:
        start, end = value.get("start"), value.get("end")
        if type(start) is str and type(end) is str and is_reversed(start, end):
            self.fault("period-reversed", place)


_INVARIANTS = {"Extension": _Walk.extension, "Period": _Walk.period}


def spell(place: Place) -> str:
    """The FHIRPath of a place: "Bundle.entry[0].resource.birthDate"."""
    steps = []
    chain: Any = place
    while chain is not None:
        if chain[1]:
            steps.append(chain[1])
        chain = chain[0]
    return ".".join(reversed(steps)) or "Resource"


def is_reversed(start: str, end: str) -> bool:
    """True where `end` is surely before `start`, at the precision both have; time zones are left to the reader."""
    length = min(len(start), len(end), 10)
    return end[:length] < start[:length]


def _contained(resources: list[Any]) -> dict[str, str]:
    return {
        f"#{one['id']}": str(one.get("resourceType"))
        for one in resources
        if type(one) is dict and type(one.get("id")) is str
    }


def _is_in(coding: Any, codes: Mapping[str, frozenset[str]]) -> bool:
    if type(coding) is not dict:
        return False
    system, code = coding.get("system"), coding.get("code")
    return type(system) is str and type(code) is str and code in codes.get(system, ())


def _has_side(owner: dict[str, Any], key: str, position: int) -> bool:
    side = owner.get("_" + key)
    return type(side) is list and len(side) > position and side[position] is not None


def _has_value(owner: dict[str, Any], key: str, position: int) -> bool:
    values = owner.get(key)
    return type(values) is list and len(values) > position and values[position] is not None
