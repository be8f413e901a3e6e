"""The shared taxonomy of attributes (package `kindred.taxonomy`), as intake uses it: which clinical code means what."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from services.intake.domain.submission import Code

SOURCE = resources.files("kindred.taxonomy") / "taxonomy.v1.json"
ATTRIBUTES = "https://kindred.example/fhir/CodeSystem/attributes"
ICD_10_CM = frozenset({"http://hl7.org/fhir/sid/icd-10-cm", "urn:oid:2.16.840.1.113883.6.90"})
SNOMED_CT = frozenset({"http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"})
_ICD = re.compile(r"[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}")
_MOST_REMEMBERED = 50_000


@dataclass(frozen=True)
class Taxonomy:
    """Codes and the maps: `icd` by prefix, `patterns` by place, both without dots; `whole` by what it is made of."""

    version: str
    codes: frozenset[str]
    icd: dict[str, tuple[str, ...]]
    patterns: tuple[tuple[re.Pattern[str], str], ...]
    snomed: dict[str, tuple[str, ...]]
    whole: dict[str, tuple[str, ...]]
    _known: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    def attributes_of(self, codes: Iterable[Code]) -> tuple[str, ...]:
        """What the codes mean, sorted; a code that means nothing to us is passed over, never refused."""
        found = {attribute for code in codes for attribute in self.meaning(code)}
        roots = {attribute.partition(".")[0] for attribute in found}
        return tuple(sorted(found | {one for one, parts in self.whole.items() if roots.issuperset(parts)}))

    def unmapped(self, codes: Iterable[Code]) -> list[Code]:
        """The codes that mean nothing to us, each once."""
        return [code for code in dict.fromkeys(codes) if not self.meaning(code)]

    def meaning(self, code: Code) -> tuple[str, ...]:
        """The attributes one code stands for."""
        key = (code.system, code.code)
        if key not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = self._meaning(code)
        return self._known[key]

    def _meaning(self, code: Code) -> tuple[str, ...]:
        if code.system == ATTRIBUTES:
            return (code.code,) if code.code in self.codes else ()
        if code.system in SNOMED_CT:
            return self.snomed.get(code.code.strip(), ())
        return self._icd(_plain(code.code)) if code.system in ICD_10_CM else ()

    def _icd(self, plain: str) -> tuple[str, ...]:
        if not _ICD.fullmatch(plain):
            return ()
        starts = (plain[:length] for length in range(1, len(plain) + 1))
        found = [attribute for start in starts for attribute in self.icd.get(start, ())]
        found += [attribute for pattern, attribute in self.patterns if pattern.match(plain)]
        return tuple(dict.fromkeys(found))


@cache
def load() -> Taxonomy:
    """The taxonomy of this version; read once per process."""
    document = json.loads(SOURCE.read_text(encoding="utf-8"))
    icd: dict[str, list[str]] = {}
    snomed: dict[str, list[str]] = {}
    patterns: list[tuple[re.Pattern[str], str]] = []
    for attribute in document["attributes"]:
        for prefix in attribute["icd10cm_prefixes"]:
            icd.setdefault(_plain(prefix), []).append(attribute["code"])
        for code in attribute["snomed_codes"]:
            snomed.setdefault(code, []).append(attribute["code"])
        for pattern in attribute.get("icd10cm_patterns", ()):
            compiled = re.compile(fnmatch.translate(_plain(pattern) + "*"))
            patterns.append((compiled, attribute["code"]))
    return Taxonomy(
        version=document["version"],
        codes=frozenset(attribute["code"] for attribute in document["attributes"]),
        icd={prefix: tuple(codes) for prefix, codes in icd.items()},
        patterns=tuple(patterns),
        snomed={code: tuple(codes) for code, codes in snomed.items()},
        whole={one["code"]: tuple(one["all_of"]) for one in document["attributes"] if "all_of" in one},
    )


def _plain(code: str) -> str:
    """ "t40.1x1a " -> "T401X1A"; hyphens stay where a pattern has them."""
    return code.strip().replace(".", "").upper().rstrip("-")
