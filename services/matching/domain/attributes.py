"""The taxonomy of attributes: codes, parents, labels (protos/kindred/taxonomy)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """One thing two people can have in common. `labels` has at least "en" and "es"."""

    code: str
    parent: str | None
    kind: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Taxonomy:
    """Every attribute by code, in the order of the file."""

    version: str
    attributes: Mapping[str, Attribute]

    def __contains__(self, code: str) -> bool:
        return code in self.attributes

    def with_parents(self, codes: Iterable[str]) -> frozenset[str]:
        """The codes and everything above them: who knows alcohol use knows substance use. Unknown codes drop out."""
        found: set[str] = set()
        for code in codes:
            current: str | None = code
            while current is not None and current in self.attributes and current not in found:
                found.add(current)
                current = self.attributes[current].parent
        return frozenset(found)

    def is_lived_experience(self, code: str) -> bool:
        """True for what somebody has lived through; an identity or a group is something else."""
        return self.attributes[code].kind == "lived-experience"

    def label(self, code: str, language: str) -> str:
        """The person-first words for a code, in English where the language has none."""
        labels = self.attributes[code].labels
        return labels.get(language, labels["en"])
