"""The taxonomy of attributes: codes, parents, labels (protos/kindred/taxonomy)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

# The one category of every attribute that has no other beside it: its own root would name the attribute itself.
LONE = "lone"


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

    def categories(self, codes: Iterable[str]) -> frozenset[str]:
        """The root above each code, `LONE` for a root with nothing below it. Unknown codes drop out."""
        return frozenset(self._category(code) for code in codes if code in self.attributes)

    def within(self, categories: Iterable[str]) -> frozenset[str]:
        """Every code of these categories. Categories this version does not know are empty."""
        return frozenset[str]().union(*(self._members.get(category, ()) for category in categories))

    @cached_property
    def _members(self) -> Mapping[str, frozenset[str]]:
        members: dict[str, set[str]] = {}
        for code in self.attributes:
            # Also under its root where that is alone today: it may not have been when the category was kept.
            for category in (self._root(code), self._category(code)):
                members.setdefault(category, set()).add(code)
        return {category: frozenset(codes) for category, codes in members.items()}

    @cached_property
    def _parents(self) -> frozenset[str | None]:
        return frozenset(attribute.parent for attribute in self.attributes.values())

    def _category(self, code: str) -> str:
        root = self._root(code)
        return root if root in self._parents else LONE

    def _root(self, code: str) -> str:
        parent = self.attributes[code].parent
        return code if parent is None else self._root(parent)

    def is_lived_experience(self, code: str) -> bool:
        """True for what somebody has lived through; an identity or a group is something else."""
        return self.attributes[code].kind == "lived-experience"

    def label(self, code: str, language: str) -> str:
        """The person-first words for a code, in English where the language has none."""
        labels = self.attributes[code].labels
        return labels.get(language, labels["en"])
