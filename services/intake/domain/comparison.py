"""Two identities side by side: for each field a level, in words that tell nothing about the person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.intake.domain.frequent_names import COMPOUND_FIRST, FREQUENT_FAMILY, FREQUENT_GIVEN
from services.intake.domain.nicknames import is_nickname, may_be_nickname
from services.intake.domain.person import Person, normalized

Alike = Callable[[str, str], bool]
UNSAID = "unsaid"
PARTICLES = frozenset(
    {
        "de",
        "del",
        "la",
        "las",
        "los",
        "da",
        "dos",
        "do",
        "y",
        "e",
        "van",
        "von",
        "der",
        "den",
        "al",
        "el",
        "bin",
    }
)
_FULL_DATE = 10
_GENERATION_YEARS = 13
_PHONE_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Beside:
    """What the store knows of two identities without reading them.

    `is_same_source`: this source spoke of the known one within half a day; `is_phone_shared`: many people have it.
    """

    is_same_source: bool = False
    is_same_visit: bool = False
    is_phone_shared: bool = False


def levels(known: Person, new: Person, beside: Beside, alike: Alike) -> dict[str, str]:
    """The level of each field of `linkage.PROBABILITIES`, and "source"."""
    family, given = _names(known, new, alike)
    return {
        "number": _number(known, new),
        "visit": "same" if beside.is_same_visit else UNSAID,
        "source": "same" if beside.is_same_source else "different",
        "family": family,
        "given": given,
        "birth": _birth(known.birth_date, new.birth_date),
        "sex": _sex(known.sex, new.sex),
        "generation": _plain(known.generation(), new.generation(), "conflict"),
        "phone": _phone(known, new, beside),
        "zip": _plain(known.home_zip, new.home_zip, "different"),
    }


def _plain(known: str, new: str, otherwise: str) -> str:
    if not known or not new:
        return UNSAID
    return "same" if known == new else otherwise


def _sex(known: str, new: str) -> str:
    told = {"female", "male"}
    return _plain(known, new, "different") if known in told and new in told else UNSAID


def _number(known: Person, new: Person) -> str:
    mine: dict[str, set[str]] = {}
    for number in known.real_numbers():
        mine.setdefault(number.system, set()).add(number.value)
    shared = [number for number in new.real_numbers() if number.system in mine]
    if not shared:
        return UNSAID
    agreeing = {number.system for number in shared if number.value in mine[number.system]}
    return "same" if {number.system for number in shared} == agreeing else "conflict"


def phone_numbers(person: Person) -> frozenset[str]:
    """The last ten digits of each phone: how it is written does not matter."""
    digits = ("".join(ch for ch in phone if ch.isdigit())[-_PHONE_DIGITS:] for phone in person.phones)
    return frozenset(one for one in digits if len(one) == _PHONE_DIGITS)


def _phone(known: Person, new: Person, beside: Beside) -> str:
    mine, theirs = phone_numbers(known), phone_numbers(new)
    if not mine or not theirs:
        return UNSAID
    if mine.isdisjoint(theirs):
        return "different"
    return "shared" if beside.is_phone_shared else "same"


def _names(known: Person, new: Person, alike: Alike) -> tuple[str, str]:
    if not known.has_name() or not new.has_name():
        return UNSAID, UNSAID
    family = _family(known, new, alike)
    given = _given(normalized(known.given_name), normalized(new.given_name), alike)
    if family == "different" and given == "different" and _is_swapped(known, new):
        return "swapped", "same"
    return family, given


def _is_swapped(known: Person, new: Person) -> bool:
    mine = "".join(known.family_words()), normalized(known.given_name).replace(" ", "")
    theirs = normalized(new.given_name).replace(" ", ""), "".join(new.family_words())
    return all(mine) and mine == theirs


def _family(known: Person, new: Person, alike: Alike) -> str:
    mine, theirs = known.family_words(), new.family_words()
    if not mine or not theirs:
        return UNSAID
    one, other = _words(mine), _words(theirs)
    if "".join(mine) == "".join(theirs) or one == other:
        return "same-frequent" if one <= FREQUENT_FAMILY else "same"
    if one & other:  # a second surname left out, a married name added
        return "part"
    formers = {"".join(normalized(name).split()) for name in (*known.former_names, *new.former_names)}
    if formers & {"".join(mine), "".join(theirs)}:
        return "former"
    are_both_names = (
        one <= FREQUENT_FAMILY and other <= FREQUENT_FAMILY
    )  # "Hernandez" is no typing error of "Fernandez"
    is_alike = not are_both_names and alike("".join(mine), "".join(theirs))
    return "alike" if is_alike else "different"


def _words(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(words) - PARTICLES or frozenset(words)


def _given(known: str, new: str, alike: Alike) -> str:
    mine, theirs = known.split(), new.split()
    if not mine or not theirs:
        return UNSAID
    if "".join(mine) == "".join(theirs):
        return "same-frequent" if mine[0] in FREQUENT_GIVEN else "same"
    if mine[0] == theirs[0]:
        return _second(mine[1:], theirs[1:], mine[0])
    return _first(mine, theirs, alike)


def _first(mine: list[str], theirs: list[str], alike: Alike) -> str:
    one, other = mine[0], theirs[0]
    are_seconds_fine = _second(mine[1:], theirs[1:], "") == "part"
    is_name_of_its_own = {one, other} <= FREQUENT_GIVEN  # "Betty" may be Elizabeth, and may be her sister
    if is_nickname(one, other) and are_seconds_fine and not is_name_of_its_own:
        return "nickname"
    if may_be_nickname(one, other):
        return "maybe-nickname"
    if 1 in (len(one), len(other)):
        return "initial" if one[0] == other[0] else "different"
    is_second = one in theirs or other in mine  # called by the second name
    return "alike" if is_second or alike(one, other) else "different"


def _second(known: list[str], new: list[str], first: str) -> str:
    """The first name is the same: a second one is missing, shortened, or another."""
    if known and new:
        short = min(len(known[0]), len(new[0])) == 1
        is_same = known[0][0] == new[0][0] if short else known[0] == new[0]
        return "part" if is_same else "second-differs"
    return "part-compound" if first in COMPOUND_FIRST else "part"


def _birth(known: str, new: str) -> str:
    if not known or not new:
        return UNSAID
    if min(len(known), len(new)) < _FULL_DATE:
        shorter = min(len(known), len(new))
        return "partial" if known[:shorter] == new[:shorter] else "different"
    if known == new:
        return "same-january-first" if known.endswith("-01-01") else "same"
    if known[:4] == new[:4]:
        return _within_year(known[5:], new[5:])
    years = abs(int(known[:4]) - int(new[:4]))
    if known[4:] == new[4:] and _is_slip(known[:4], new[:4]) and not _is_generation(years):
        return "year-slip"
    return "generation" if _is_generation(years) else "different"


def _is_generation(years: int) -> bool:
    """As far apart as parent and child; a century is a typing error ("1878")."""
    return _GENERATION_YEARS <= years < 70


def _within_year(known: str, new: str) -> str:
    if known[:2] == new[3:] and known[3:] == new[:2]:
        return "swapped"
    one, other = known.replace("-", ""), new.replace("-", "")
    return "slip" if _is_slip(one, other) else "different"


def _is_slip(one: str, other: str) -> bool:
    """One digit is another, or two neighbors have changed places."""
    wrong = [position for position in range(len(one)) if one[position] != other[position]]
    if len(wrong) == 1:
        return True
    first, last = wrong[0], wrong[-1]
    is_turned = one[first] == other[last] and one[last] == other[first]
    return len(wrong) == 2 and last == first + 1 and is_turned
