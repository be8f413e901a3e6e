"""Compiles IHE's BALP profiles and HL7's AuditEvent into `profiles.json`; run by hand when IHE publishes anew.

    python -m services.audit.fhir.compile_profiles FOLDER

FOLDER holds `ihe-balp/json` (StructureDefinitions and ValueSets, IHE ITI BALP 1.1.5, CC BY 4.0) and `fhir-r4` (HL7 FHIR
R4 4.0.1, CC0).  The result holds only their rules: cardinalities, patterns, bindings and slices by element.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]
TARGET = Path(__file__).with_name("profiles.json")
_ROOT = "AuditEvent"
# Published with the resource and bound as required (R4 4.0.1).
_REQUIRED = {
    "audit-event-action": ["C", "R", "U", "D", "E"],
    "audit-event-outcome": ["0", "4", "8", "12"],
    "network-type": ["1", "2", "3", "4", "5"],
}


def compile_base(structure: Json) -> dict[str, Json]:
    """Path without its root -> cardinality, types and the codes of a required binding."""
    base: dict[str, Json] = {}
    for element in structure["snapshot"]["element"]:
        path = element["path"].removeprefix(_ROOT).removeprefix(".")
        binding = element.get("binding", {})
        rule = {
            "min": element["min"],
            "max": element["max"],
            "types": [each["code"].rpartition(".")[2] for each in element.get("type", ())],
        }
        if binding.get("strength") == "required":
            rule["codes"] = _REQUIRED[binding["valueSet"].rpartition("/")[2].partition("|")[0]]
        base[path] = rule
    del base[""]
    return base


def compile_profile(name: str, structures: dict[str, Json], sets: dict[str, Json]) -> Json:
    """The profile's rules, its parents' first."""
    structure = structures[name]
    parent = structure["baseDefinition"]
    known = structures.get(parent)
    compiled: Json = compile_profile(parent, structures, sets) if known else {"slices": {}, "rules": []}
    for element in structure["differential"]["element"]:
        path = element["id"].removeprefix(_ROOT).removeprefix(".")
        if "slicing" in element:
            by = [each["path"] for each in element["slicing"]["discriminator"]]
            compiled["slices"][path] = {"by": by, "closed": element["slicing"]["rules"] == "closed"}
        rule = {key: element[key] for key in ("min", "max") if key in element}
        for key in element:
            if key.startswith("pattern"):
                rule["pattern"] = element[key]
        binding = element.get("binding", {})
        if binding.get("strength") == "required" and binding["valueSet"] in sets:
            rule["codes"] = codes_of(sets[binding["valueSet"]])
        if any(each["key"] == "val-audit-source" for each in element.get("constraint", ())):
            rule["is_observer"] = True
        if rule and path:
            compiled["rules"].append({"id": path} | rule)
    return compiled


def codes_of(value_set: Json) -> list[str]:
    """The set as "system|code"; "system|*" where it has the whole system."""
    found: list[str] = []
    for part in value_set["compose"]["include"]:
        concepts = [each["code"] for each in part.get("concept", ())] or ["*"]
        found += [f"{part['system']}|{code}" for code in concepts]
    return found


def main(folder: Path) -> None:
    """`profiles.json` is written anew."""
    read = [json.loads(path.read_text()) for path in sorted((folder / "ihe-balp" / "json").glob("*.json"))]
    structures = {
        each["url"]: each
        for each in read
        if each["resourceType"] == "StructureDefinition" and each["type"] == _ROOT
    }
    sets = {each["url"]: each for each in read if each["resourceType"] == "ValueSet"}
    base = json.loads((folder / "fhir-r4" / "StructureDefinition-AuditEvent.json").read_text())
    compiled = {
        "origin": "IHE ITI BALP 1.1.5 (CC BY 4.0) and HL7 FHIR R4 4.0.1 (CC0), their rules only",
        "base": compile_base(base),
        "profiles": {url: compile_profile(url, structures, sets) for url in sorted(structures)},
    }
    TARGET.write_text(json.dumps(compiled, indent=None, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
