"""How sensitive a code is: a small table of the taxonomy's attributes and of ICD-10-CM, in HL7's words (v3-ActCode)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Protocol

# Each sensitivity and the wider ones it is part of (R4 v3-ActCode; BH over SUD, MH and PSY as in later releases).
WIDER: Mapping[str, tuple[str, ...]] = {
    "OPIOIDUD": ("SUD",),
    "ETHUD": ("SUD",),
    "SUD": ("ETH", "BH"),
    "ETH": ("SPI",),
    "PSY": ("MH",),
    "MH": ("BH",),
    "PSYTHPN": ("PSY",),
    "COGN": ("BH",),
    "DVD": ("BH",),
    "EMOTDIS": ("BH",),
    "BH": ("SPI",),
    "MST": ("SDV",),
    "HIV": (),
    "SDV": (),
    "SEX": (),
    "STD": (),
    "GDIS": (),
    "SCA": (),
    "VIO": (),
    "SPI": (),
    "TBOO": (),
    "GENDER": ("DEMO",),
    "RACE": ("DEMO",),
    "REL": ("DEMO",),
    "LIVARG": ("DEMO",),
    "DEMO": (),
}
_ONLY_DEMOGRAPHIC = frozenset({"GENDER", "RACE", "REL", "LIVARG", "DEMO"})
SUBSTANCE = frozenset({"ETH", "SUD", "ETHUD", "OPIOIDUD"})
# Attributes of the taxonomy and all below them -> sensitivities.
_OF_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "substance": ("SUD",),
    "substance.opioids": ("OPIOIDUD",),
    "substance.alcohol": ("ETHUD",),
    "overdose": ("SUD",),
    "pathway": ("SUD",),
    "co-occurring": ("SUD", "PSY"),
    "mental-health": ("PSY",),
    "suicide": ("PSY",),
    "trauma": ("VIO",),
    "trauma.partner-violence": ("SDV",),
    "trauma.sexual-violence": ("SDV",),
    "trauma.childhood": ("SDV",),
    "trauma.trafficking": ("SDV",),
    "military.sexual-trauma": ("MST",),
    "hiv": ("HIV",),
    "parenting.pregnancy": ("SEX",),
    "lgbtq": ("SEX", "GENDER"),
    "disability.intellectual-developmental": ("DVD",),
    "disability.autism": ("DVD",),
    "homelessness": ("LIVARG",),
    "ethnicity": ("RACE",),
    "faith": ("REL",),
}
# ICD-10-CM by prefix without dots -> sensitivities; what no prefix names is known to be none of them.
_OF_ICD: Mapping[str, tuple[str, ...]] = {
    "F10": ("ETHUD",),
    "F11": ("OPIOIDUD",),
    **dict.fromkeys(("F12", "F13", "F14", "F15", "F16", "F18", "F19", "F55"), ("SUD",)),
    **dict.fromkeys(("T400", "T401", "T402", "T403", "T404", "T406"), ("OPIOIDUD",)),
    **dict.fromkeys(("T405", "T407", "T408", "T409", "T424", "T436", "Z715", "O9932", "R781"), ("SUD",)),
    **dict.fromkeys(("R782", "R783", "R784", "P961", "P044", "Z811", "Z813", "Z814"), ("SUD",)),
    **dict.fromkeys(
        ("T510", "T519", "Z7141", "O9931", "K70", "G621", "K292", "K860", "I426", "Y90", "R780"), ("ETHUD",)
    ),
    **dict.fromkeys(
        (f"F{number:02}" for number in (*range(1, 10), *range(20, 70), *range(90, 100))), ("PSY",)
    ),
    **dict.fromkeys(("R4585", "T1491", "Z915", "O906", "Z8659"), ("PSY",)),
    **dict.fromkeys((f"X{number}" for number in range(71, 84)), ("PSY",)),
    **dict.fromkeys((f"F{number}" for number in range(70, 90)), ("DVD",)),
    **dict.fromkeys(("B20", "Z21", "R75", "O987", "Z206", "Z717", "B9735", "Z114"), ("HIV",)),
    **dict.fromkeys((f"A{number}" for number in range(50, 65)), ("STD",)),
    **dict.fromkeys(("O981", "O982", "O983", "Z113", "Z202"), ("STD",)),
    **dict.fromkeys(("T74", "T76", "Z69", "Z044", "Z047", "Z9141", "Z9142", "Z6281", "Y07"), ("SDV",)),
    **dict.fromkeys(("O9A3", "O9A4", "O9A5", "Z0472", "Z0481"), ("SDV",)),
    **dict.fromkeys((f"O{number:02}" for number in range(100)), ("SEX",)),
    **dict.fromkeys((f"Z{number}" for number in range(30, 40)), ("SEX",)),
    **dict.fromkeys(("F52", "F64", "F65", "F66", "Z640", "Z7251", "Z7252", "Z7253"), ("SEX",)),
    **dict.fromkeys(("Z654", "Z655", "Z9149"), ("VIO",)),
    "Z3A": ("SEX",),
    "D57": ("SCA",),
    **dict.fromkeys(("Z14", "Z15"), ("GDIS",)),
}
_LONGEST_ICD = 7
ICD_10_CM = frozenset({"http://hl7.org/fhir/sid/icd-10-cm", "urn:oid:2.16.840.1.113883.6.90"})


class Coded(Protocol):
    """A code in its system."""

    @property
    def system(self) -> str:
        """The system's URI."""

    @property
    def code(self) -> str:
        """The code."""


@cache
def wider_than(sensitivity: str) -> frozenset[str]:
    """Every sensitivity this one is part of, without itself."""
    return with_wider([sensitivity]) - {sensitivity}


def with_wider(sensitivities: Iterable[str]) -> frozenset[str]:
    """The sensitivities and every wider one they are part of."""
    found: set[str] = set()
    waiting = list(sensitivities)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(WIDER.get(one, ()))
    return frozenset(found)


def of_attribute(attribute: str) -> frozenset[str]:
    """Sensitivities of an attribute of the taxonomy: its own, else those of the nearest one above it."""
    while attribute:
        if attribute in _OF_ATTRIBUTES:
            return frozenset(_OF_ATTRIBUTES[attribute])
        attribute = attribute.rpartition(".")[0]
    return frozenset()


def of_code(coded: Coded) -> frozenset[str] | None:
    """Sensitivities of a clinical code; None where the table cannot tell (another system than ICD-10-CM)."""
    if coded.system not in ICD_10_CM:
        return None
    plain = coded.code.replace(".", "").upper()[:_LONGEST_ICD]
    found: set[str] = set()
    for length in range(1, len(plain) + 1):
        found.update(_OF_ICD.get(plain[:length], ()))
    return frozenset(found | ({"PSY"} if _is_self_harm(plain) else set()))


def _is_self_harm(plain: str) -> bool:
    """T36-T65 say the intent last: 2 is intentional self-harm (ICD-10-CM tabular, poisoning)."""
    if not (plain[:1] == "T" and plain[1:3].isdigit() and 36 <= int(plain[1:3]) <= 65):
        return False
    return (plain[5:6] if plain[5:6].isdigit() else plain[4:5]) == "2"


def confidentiality_of(sensitivities: Iterable[str]) -> str:
    """R (restricted) for anything sensitive, N (normal) otherwise; what is only demographic stays normal."""
    return "R" if frozenset(sensitivities) - _ONLY_DEMOGRAPHIC else "N"
