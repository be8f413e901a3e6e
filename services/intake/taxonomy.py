"""The shared taxonomy of attributes (package `kindred.taxonomy`), as intake uses it: which clinical code means what."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from services.intake.domain.submission import Code

SOURCE = resources.files("kindred.taxonomy") / "taxonomy.v1.json"
ATTRIBUTES = "https://kindred.example/fhir/CodeSystem/attributes"
ICD_10_CM = frozenset({"http://hl7.org/fhir/sid/icd-10-cm", "urn:oid:2.16.840.1.113883.6.90"})
SNOMED_CT = frozenset({"http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"})
_LONGEST_ICD = 7


@dataclass(frozen=True)
class Taxonomy:
    """Codes and the two maps; `icd` is by prefix without dots."""

    codes: frozenset[str]
    icd: dict[str, tuple[str, ...]]
    snomed: dict[str, tuple[str, ...]]

    def attributes_of(self, codes: Iterable[Code]) -> tuple[str, ...]:
        """What the codes mean, sorted; a code that means nothing to us is passed over, never refused."""
        return tuple(sorted({attribute for code in codes for attribute in self._one(code)}))

    def _one(self, code: Code) -> tuple[str, ...]:
        if code.system == ATTRIBUTES:
            return (code.code,) if code.code in self.codes else ()
        if code.system in SNOMED_CT:
            return self.snomed.get(code.code, ())
        if code.system in ICD_10_CM:
            plain = code.code.replace(".", "").upper()[:_LONGEST_ICD]
            return tuple(
                attribute
                for length in range(1, len(plain) + 1)
                for attribute in self.icd.get(plain[:length], ())
            )
        return ()


@cache
def load() -> Taxonomy:
    """The taxonomy of this version; read once per process."""
    icd: dict[str, list[str]] = {}
    snomed: dict[str, list[str]] = {}
    attributes = json.loads(SOURCE.read_text(encoding="utf-8"))["attributes"]
    for attribute in attributes:
        for prefix in attribute["icd10cm_prefixes"]:
            icd.setdefault(prefix.replace(".", "").upper(), []).append(attribute["code"])
        for code in attribute["snomed_codes"]:
            snomed.setdefault(code, []).append(attribute["code"])
    return Taxonomy(
        codes=frozenset(attribute["code"] for attribute in attributes),
        icd={prefix: tuple(codes) for prefix, codes in icd.items()},
        snomed={code: tuple(codes) for code, codes in snomed.items()},
    )
