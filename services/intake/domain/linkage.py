"""How alike two identities are: one weight per field and level (Fellegi and Sunter 1969), and what no score overrules.

The reasoning, the sources of the numbers and the measured rates stand in docs/linkage.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log2

from services.intake.domain import comparison as compared
from services.intake.domain.comparison import UNSAID, Alike, Beside
from services.intake.domain.person import Person


class Outcome(StrEnum):
    """What a comparison ends with; only CERTAIN joins (DOMAIN 3)."""

    CERTAIN = "certain"
    UNCERTAIN = "uncertain"
    DIFFERENT = "different"


# (m, u) of each level: how often it is seen between two records of one person, and of two different people.
# A level that is not here ("unsaid") weighs nothing.
PROBABILITIES: dict[str, dict[str, tuple[float, float]]] = {
    "number": {"same": (0.90, 0.000001), "conflict": (0.005, 0.99)},
    "visit": {"same": (0.90, 0.000001)},
    "family": {
        "same": (0.88, 0.0005),
        "same-frequent": (0.88, 0.005),
        "part": (0.03, 0.005),
        "former": (0.02, 0.005),
        "alike": (0.03, 0.01),
        "swapped": (0.01, 0.0005),
        "different": (0.03, 0.98),
    },
    "given": {
        "same": (0.80, 0.002),
        "same-frequent": (0.80, 0.02),
        "nickname": (0.04, 0.005),
        "part": (0.10, 0.02),
        "part-compound": (0.02, 0.02),
        "maybe-nickname": (0.01, 0.01),
        "initial": (0.01, 0.08),
        "second-differs": (0.01, 0.02),
        "alike": (0.03, 0.03),
        "different": (0.01, 0.85),
    },
    "birth": {
        "same": (0.94, 0.0001),
        "same-january-first": (0.94, 0.01),
        "swapped": (0.005, 0.00004),
        "slip": (0.015, 0.001),
        "year-slip": (0.005, 0.0002),
        "partial": (0.50, 0.015),
        "different": (0.01, 0.98),
        "generation": (0.0005, 0.60),
    },
    "sex": {"same": (0.97, 0.50), "different": (0.02, 0.50)},
    "generation": {"same": (0.90, 0.20), "conflict": (0.005, 0.80)},
    "phone": {"same": (0.60, 0.000001), "shared": (0.60, 0.30), "different": (0.40, 0.999)},
    "zip": {"same": (0.80, 0.01), "different": (0.20, 0.99)},
}
WEIGHTS: dict[str, dict[str, float]] = {
    field: {level: round(log2(m / u), 1) for level, (m, u) in levels.items()}
    for field, levels in PROBABILITIES.items()
}
# Chosen from the measured rates (tests/bench/linkage_bench.py, docs/linkage.md): bits of evidence.
CERTAIN_AT = 26.0
UNCERTAIN_AT = 15.0

_NAMES_AGREE = frozenset({"same", "same-frequent"})
_GIVEN_AGREES = _NAMES_AGREE | {"nickname", "part"}
_GIVEN_CLOSE = _GIVEN_AGREES | {"part-compound", "maybe-nickname", "initial", "second-differs", "alike"}
_FAMILY_CLOSE = _NAMES_AGREE | {"part", "former", "alike", "swapped"}
_BIRTH_AGREES = frozenset({"same", "same-january-first"})
_BIRTH_DIFFERS = frozenset({"different", "generation"})
_BIRTH_CLOSE = _BIRTH_AGREES | {"swapped", "slip", "year-slip", "partial"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, the bits of evidence, the level of each field, and what keeps it from being certain.

    `levels` and `caveats` are words of this module, never of a person.
    """

    outcome: Outcome
    score: float
    levels: Mapping[str, str]
    caveats: tuple[str, ...] = ()


def judge(known: Person, new: Person, beside: Beside, alike: Alike) -> Verdict:
    """Whether two identities are one person's.

    A false join is worse than a missed one: CERTAIN needs the score and no caveat, whatever the score.
    `beside` is what the store knows of the two; `alike` tells names that sound or read the same.
    """
    levels = compared.levels(known, new, beside, alike)
    score = round(sum(weights.get(levels[field], 0.0) for field, weights in WEIGHTS.items()), 1)
    if _are_different(levels):
        return Verdict(Outcome.DIFFERENT, score, levels)
    caveats = tuple(code for code, holds in CAVEATS.items() if holds(levels))
    if _is_vouched_for(levels, known, new) or (score >= CERTAIN_AT and not caveats):
        return Verdict(Outcome.CERTAIN, score, levels)
    is_worth_a_look = score >= UNCERTAIN_AT or levels["number"] == "same"
    return Verdict(Outcome.UNCERTAIN if is_worth_a_look else Outcome.DIFFERENT, score, levels, caveats)


def is_somebody_else(known: Person, new: Person, beside: Beside, alike: Alike) -> bool:
    """True where a correction would put another person's words under this one's name.

    Names and birth dates that do not fit, or another number where they do not agree as well: a mistyped number may be
    corrected, and so may a name under the right number or visit, as long as anything of the person agrees.
    """
    levels = compared.levels(known, new, beside, alike)
    is_named = known.has_name() and new.has_name() and not (known.is_placeholder() or new.is_placeholder())
    agreeing = (
        levels["family"] in _FAMILY_CLOSE,
        levels["given"] in _GIVEN_CLOSE,
        levels["birth"] in _BIRTH_CLOSE,
    )
    if _is_anchored(
        levels
    ):  # a clerk may have picked the wrong record: somebody with nothing in common is another
        return is_named and not any(agreeing)
    if levels["number"] == UNSAID:
        return is_named and _are_different(levels)
    return not (is_named and all(agreeing) and levels["birth"] in _BIRTH_AGREES)


Levels = Mapping[str, str]


def _is_anchored(levels: Levels) -> bool:
    """A number that one system gives to one person, or one visit, stands behind the comparison."""
    return "same" in (levels["number"], levels["visit"])


def _are_different(levels: Levels) -> bool:
    """Twins (another given name on one birth date), parents and children, and people who share a home only."""
    if _is_anchored(levels):
        return False
    agreeing = (
        levels["family"] in _FAMILY_CLOSE,
        levels["given"] in _GIVEN_CLOSE,
        levels["birth"] in _BIRTH_CLOSE,
    )
    is_twin = levels["given"] == "different" and levels["birth"] in _BIRTH_AGREES and agreeing[0]
    return is_twin or levels["birth"] == "generation" or sum(agreeing) < 2


def _is_vouched_for(levels: Levels, known: Person, new: Person) -> bool:
    """A record's or a visit's number is one person's, unless the two sides say otherwise."""
    is_contradicted = "conflict" in (levels["number"], levels["generation"])
    if not _is_anchored(levels) or is_contradicted or levels["sex"] == "different":
        return False
    is_birth_possible = levels["birth"] not in _BIRTH_DIFFERS
    if not known.has_name() or not new.has_name():  # somebody unknown, identified later
        return is_birth_possible or known.is_placeholder() or new.is_placeholder()
    # One visit has one patient; of one record number's holder a clerk may have picked the twin.
    close = _GIVEN_CLOSE if levels["visit"] == "same" else _GIVEN_CLOSE - {"alike", "second-differs"}
    is_given_close = levels["given"] in close
    is_family_possible = levels["family"] in _FAMILY_CLOSE or levels["birth"] in _BIRTH_AGREES
    return is_given_close and is_family_possible and is_birth_possible


def _lacks_support(levels: Levels) -> bool:
    """A name and a birth date alone are enough only where the name is rare, or where it is the same day's patient."""
    if _is_anchored(levels) or levels["phone"] == "same":
        return False
    is_whole = levels["family"] in _NAMES_AGREE and levels["given"] in _NAMES_AGREE
    is_rare = levels["family"] == "same" and levels["given"] == "same"
    if is_rare or (is_whole and levels["source"] == "same"):
        return False
    is_partly_rare = "same" in (levels["family"], levels["given"])
    return levels["zip"] != "same" or not is_partly_rare or levels["family"] == "swapped"


# Why a pair waits for people, whatever its score.
CAVEATS: dict[str, Callable[[Levels], bool]] = {
    "number-conflict": lambda at: at["number"] == "conflict",
    "generation-conflict": lambda at: at["generation"] == "conflict",
    "sex-differs": lambda at: at["sex"] == "different",
    # Twins may be called Jayden and Hayden, or Maria Elena and Maria Jose.
    "given-name-not-sure": lambda at: at["given"] not in _GIVEN_AGREES,
    # A married name is believed where the phone is the person's own.
    "family-name-differs": lambda at: at["family"] == "different" and at["phone"] != "same",
    "birth-date-not-sure": lambda at: at["birth"] not in _BIRTH_AGREES and not _is_anchored(at),
    "birth-date-differs": lambda at: at["birth"] in _BIRTH_DIFFERS,
    "nothing-beside-the-name": _lacks_support,
}


def is_name_confirmed(levels: Levels) -> bool:
    """True where the new description may be compared with later ones: the given name and the birth date agree.

    A mistyped given name that came under the right number must not become a door for the twin who bears it.
    """
    return levels["given"] in _GIVEN_AGREES | {"unsaid"} and levels["birth"] in _BIRTH_AGREES | {"unsaid"}


def without_private_phone(beside: Beside) -> Beside:
    """What is known beside, where many people have the phone: a shelter's, a family's."""
    return replace(beside, is_phone_shared=True)
