"""How names sound and read, by jellyfish: the one library of the comparison (docs/decisions, the record on linkage)."""

from __future__ import annotations

import jellyfish

_ALIKE = 0.92
_SHORTEST_TYPED = 4  # in a shorter name one letter makes another name


def sound(word: str) -> str:
    """The word's code by its sound (metaphone); the word itself where that is empty."""
    return jellyfish.metaphone(word) or word


def is_alike(one: str, other: str) -> bool:
    """True for two spellings of a name: one edit in a name that is not short, or one sound and nearly one reading."""
    if min(len(one), len(other)) >= _SHORTEST_TYPED and (
        jellyfish.damerau_levenshtein_distance(one, other) == 1
    ):
        return True
    likeness = jellyfish.jaro_winkler_similarity(one, other)
    return likeness >= _ALIKE or (likeness >= 0.8 and sound(one) == sound(other))
