"""Code systems and value sets as HL7 publishes them, expanded to plain codes; used only while compiling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Definition = dict[str, Any]
Codes = dict[str, set[str]]


class Terminology:
    """Code systems and value sets by canonical URL; expands what can be enumerated."""

    def __init__(self, resources: Iterable[Definition]) -> None:
        self.systems: dict[str, Definition] = {}
        self.sets: dict[str, Definition] = {}
        for resource in resources:
            home = self.systems if resource["resourceType"] == "CodeSystem" else self.sets
            if resource["resourceType"] in ("CodeSystem", "ValueSet"):
                home[resource["url"]] = resource

    def expand(self, url: str) -> Codes | None:
        """System -> codes, or None where the set is open (a grammar, a filter, a system that is not here)."""
        compose = self.sets.get(url.split("|", maxsplit=1)[0], {}).get("compose")
        if compose is None:
            return None
        found: Codes = {}
        for part in compose["include"]:
            codes = self._part(part)
            if codes is None:
                return None
            _add(found, codes)
        for part in compose.get("exclude", []):
            for system, codes_out in (self._part(part) or {}).items():
                found.get(system, set()).difference_update(codes_out)
        return found

    def _part(self, part: Definition) -> Codes | None:
        if "system" not in part:
            found: Codes = {}
            for url in part["valueSet"]:
                codes = self.expand(url)
                if codes is None:
                    return None
                _add(found, codes)
            return found
        if "concept" in part:
            return {part["system"]: {concept["code"] for concept in part["concept"]}}
        codes_in = self._whole(part["system"])
        for rule in part.get("filter", []):
            codes_in = self._narrowed(part["system"], codes_in, rule)
        return None if codes_in is None else {part["system"]: codes_in}

    def _whole(self, system: str) -> set[str] | None:
        definition = self.systems.get(system)
        if definition is None or definition.get("content") != "complete":
            return None
        return {concept["code"] for concept, _ in _concepts(definition.get("concept", []))} or None

    def _narrowed(self, system: str, codes: set[str] | None, rule: Definition) -> set[str] | None:
        if codes is None or rule["op"] not in ("is-a", "descendent-of"):
            return None
        root = rule["value"]
        under = {
            concept["code"]
            for concept, above in _concepts(self.systems[system]["concept"])
            if root in above or (concept["code"] == root and rule["op"] == "is-a")
        }
        return codes & under


def _concepts(
    concepts: list[Definition], above: tuple[str, ...] = ()
) -> Iterator[tuple[Definition, tuple[str, ...]]]:
    for concept in concepts:
        parents = tuple(
            prop["valueCode"] for prop in concept.get("property", []) if prop["code"] == "subsumedBy"
        )
        yield concept, (*above, *parents)
        yield from _concepts(concept.get("concept", []), (*above, *parents, concept["code"]))


def _add(found: Codes, more: Codes) -> None:
    for system, codes in more.items():
        found.setdefault(system, set()).update(codes)
