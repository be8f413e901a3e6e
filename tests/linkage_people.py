"""Pairs of plainly fictional identities from a seed: one person described twice, and two who are easily confused."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

from services.intake.domain.comparison import Beside
from services.intake.domain.frequent_names import FREQUENT_FAMILY, FREQUENT_GIVEN
from services.intake.domain.nicknames import FORMALS
from services.intake.domain.person import Person, RecordNumber

Pair = tuple[Person, Person, Beside]
Made = Callable[[Random], Pair]
# In the order of a census: the first are drawn most.
FAMILIES = sorted(FREQUENT_FAMILY, key=lambda name: (len(name), name))
GIVENS = sorted(FREQUENT_GIVEN, key=lambda name: (len(name), name))
SPANISH = (
    "garcia",
    "rodriguez",
    "martinez",
    "hernandez",
    "lopez",
    "gonzalez",
    "perez",
    "sanchez",
    "ramirez",
    "torres",
)
_SYLLABLES = "bram quill wyn tor mab zel fen dro kesh lar oph pim rud sev thal ver yul gos nim hax"
SYLLABLES = _SYLLABLES.split()
TWIN_NAMES = (
    ("jayden", "hayden"), ("maria elena", "maria jose"), ("ana", "anna"), ("alexander", "alexandra"),
    ("jose luis", "jose maria"), ("brandon", "brendan"), ("carla", "karla"), ("erin", "eric"), ("daniel", "danielle"),
    ("juan carlos", "juan pablo"), ("mia", "maya"), ("taylor", "tyler"), ("gabriel", "gabriela"), ("joan", "john"),
    ("marie claire", "marie louise"), ("sara", "sarah"), ("alex", "alexis"), ("lena", "leena"), ("chris", "christina"),
)  # fmt: skip
ZIPS = [f"{12180 + step}" for step in range(60)]
ACCENTS = str.maketrans({"a": "á", "e": "é", "i": "í", "o": "ó", "u": "ú", "n": "ñ"})


def _skewed(random: Random, names: Any) -> str:
    """The first names of a list far more often than the last, as in a census."""
    return names[min(int(random.paretovariate(0.6)) - 1, 10**6) % len(names)]


def _invented(random: Random) -> str:
    return "".join(random.choice(SYLLABLES) for _ in range(random.choice((2, 3)))) + random.choice(
        ("", "er", "ow", "a")
    )


def _family(random: Random) -> str:
    kind = random.random()
    if kind < 0.45:
        return _skewed(random, FAMILIES)
    if kind < 0.60:
        return f"{_skewed(random, SPANISH)} {_skewed(random, SPANISH)}"
    return _invented(random)


def _given(random: Random) -> str:
    first = _skewed(random, GIVENS) if random.random() < 0.7 else _invented(random)
    return f"{first} {_skewed(random, GIVENS)}" if random.random() < 0.3 else first


def _birth(random: Random) -> str:
    if random.random() < 0.03:
        return f"{random.randint(1940, 2006)}-01-01"
    return (date(1935, 1, 1) + timedelta(days=random.randrange(26_000))).isoformat()


def _phone(random: Random) -> str:
    return f"+1{random.randint(200, 989)}555{random.randint(0, 9999):04}"


def someone(random: Random) -> Person:
    """Somebody with everything a source can say; no number."""
    return Person(
        family_name=_family(random),
        given_name=_given(random),
        birth_date=_birth(random),
        phones=(_phone(random),),
        sex=random.choice(("female", "male")),
        home_zip=random.choice(ZIPS),
    )


def _frequent(random: Random) -> Person:
    given = _skewed(random, GIVENS)
    return replace(someone(random), family_name=_skewed(random, FAMILIES), given_name=given)


def _partly_said(random: Random, person: Person) -> Person:
    """What one source happens to have written down."""
    lost: dict[str, Any] = {}
    if random.random() < 0.25:
        lost["phones"] = ()
    if random.random() < 0.25:
        lost["home_zip"] = ""
    if random.random() < 0.3:
        lost["sex"] = ""
    return replace(person, **lost)


def typed(random: Random, word: str) -> str:
    """One slip of the finger."""
    if len(word) < 3:
        return word
    at, kind = random.randrange(1, len(word)), random.choice(("drop", "double", "turn", "other"))
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "double":
        return word[:at] + word[at - 1] + word[at:]
    if kind == "turn":
        return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    return word[:at] + random.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 1 :]


def _slipped(random: Random, birth: str) -> str:
    """One digit of the day or month is another."""
    while True:
        at = random.choice((5, 6, 8, 9))
        tried = birth[:at] + random.choice("0123456789") + birth[at + 1 :]
        if tried != birth and Person(birth_date=tried).is_birth_date_readable():
            return tried


def _year_slipped(random: Random, birth: str) -> str:
    while True:
        at = random.choice((2, 3))
        tried = birth[:at] + random.choice("0123456789") + birth[at + 1 :]
        if tried != birth and Person(birth_date=tried).is_birth_date_readable():
            return tried


def _swapped(birth: str) -> str:
    tried = f"{birth[:4]}-{birth[8:]}-{birth[5:7]}"
    return tried if Person(birth_date=tried).is_birth_date_readable() else birth


def _later(random: Random, birth: str, years: tuple[int, int]) -> str:
    moved = date.fromisoformat(birth) + timedelta(days=random.randint(years[0] * 366, years[1] * 365))
    if random.random() < 0.02:  # a son born on his father's birthday
        return f"{moved.year}{birth[4:]}" if birth[5:] != "02-29" else moved.isoformat()
    return moved.isoformat()


# Two people.


def twins(random: Random) -> Pair:
    """One birth date, one home, one phone; names that may be alike."""
    one = someone(random)
    if random.random() < 0.6:
        first, second = random.choice(TWIN_NAMES)
    else:
        first, second = _given(random), _given(random)
        if first.split()[0] == second.split()[0]:
            second = _invented(random)
    sex = random.choice(("female", "male"))
    other = replace(one, given_name=second, sex=random.choice((one.sex, sex)))
    return replace(one, given_name=first), other, Beside(is_same_source=random.random() < 0.5)


def junior(random: Random) -> Pair:
    """Father and son, mother and daughter: one name, one home, a generation apart."""
    one = someone(random)
    one = replace(
        one, birth_date=f"19{random.randint(35, 75)}{one.birth_date[4:]}".replace("-02-29", "-02-28")
    )
    other = replace(one, birth_date=_later(random, one.birth_date, (15, 45)))
    said = random.random()
    if said < 0.3:
        one, other = replace(one, suffix="Sr."), replace(other, suffix="Jr.")
    elif said < 0.5:
        other = replace(other, family_name=other.family_name + " Jr")
    return one, other, Beside(is_same_source=random.random() < 0.5)


def siblings(random: Random) -> Pair:
    """Another given name, some years apart, one home."""
    one = someone(random)
    other = replace(one, given_name=_given(random), birth_date=_later(random, one.birth_date, (1, 12)))
    if other.given_name == one.given_name:
        other = replace(other, given_name=_invented(random))
    return one, other, Beside(is_same_source=random.random() < 0.5)


def namesakes(random: Random) -> Pair:
    """One frequent name, born in one year or on dates that look alike; strangers."""
    one = _frequent(random)
    kind = random.random()
    birth = one.birth_date
    if kind < 0.4:
        birth = birth[:4] + _birth(random)[4:]
        birth = birth.replace("-02-29", "-02-28")
    elif kind < 0.6:
        birth = _slipped(random, birth)
    elif kind < 0.8:
        birth = _swapped(birth)
    else:
        birth = _year_slipped(random, birth)
    if birth == one.birth_date:
        birth = _slipped(random, birth)
    other = replace(
        one, birth_date=birth, phones=(_phone(random),), home_zip=random.choice((one.home_zip, *ZIPS[:3]))
    )
    return one, other, Beside(is_same_source=random.random() < 0.3)


def namesakes_of_one_day(random: Random) -> Pair:
    """One frequent name and one birth date; strangers, of whom two hospitals speak, or one with two numbers."""
    one = _frequent(random)
    other = replace(
        one, phones=(_phone(random),), home_zip=random.choice(ZIPS), sex=random.choice(("female", "male"))
    )
    if random.random() < 0.3:
        one = replace(one, record_numbers=(RecordNumber("urn:oid:2.999.1", "MRN-1"),))
        other = replace(other, record_numbers=(RecordNumber("urn:oid:2.999.1", "MRN-2"),))
        return one, other, Beside(is_same_source=True)
    return one, other, Beside()


def shelter(random: Random) -> Pair:
    """Two guests of one shelter: its phone, its ZIP, a frequent name, born close together."""
    one = _frequent(random)
    birth = (
        _later(random, one.birth_date, (0, 2))
        if random.random() < 0.5
        else one.birth_date[:4] + _birth(random)[4:]
    )
    birth = birth if Person(birth_date=birth).is_birth_date_readable() else birth[:4] + "-03-01"
    other = replace(one, birth_date=birth)
    if random.random() < 0.4:
        other = replace(other, family_name=_skewed(random, FAMILIES))
    if (other.family_name, other.birth_date) == (one.family_name, one.birth_date):
        other = replace(other, birth_date=_slipped(random, birth))
    if other.birth_date == one.birth_date and other.given_name == one.given_name:
        other = replace(other, given_name=_invented(random))
    return one, other, Beside(is_phone_shared=random.random() < 0.7)


def cousins(random: Random) -> Pair:
    """One name, one home, born within three years."""
    one = someone(random)
    birth = _later(random, one.birth_date, (0, 3))
    if birth == one.birth_date:
        birth = _slipped(random, birth)
    return one, replace(one, birth_date=birth), Beside(is_same_source=random.random() < 0.5)


def spouses(random: Random) -> Pair:
    """One family name, one home, born within five years."""
    one = someone(random)
    given = random.choice(("frances", "josephine", "pauline", _given(random), _invented(random)))
    given = _invented(random) if given == one.given_name else given
    return one, replace(one, given_name=given, birth_date=_later(random, one.birth_date, (0, 5))), Beside()


def turned_round(random: Random) -> Pair:
    """James Thomas and Thomas James, born on one day; strangers."""
    one = _frequent(random)
    other = replace(one, family_name=one.given_name, given_name=one.family_name, phones=(_phone(random),))
    return one, replace(other, home_zip=random.choice(ZIPS)), Beside()


def neighbors_in_the_list(random: Random) -> Pair:
    """One given name and birth date, family names a letter apart: Hernandez and Fernandez; strangers."""
    one = _frequent(random)
    family = random.choice(("hernandez", "garza", "ramos", "reyes", "moore", "jones", "mason"))
    other = {"hernandez": "fernandez", "garza": "garcia", "ramos": "ramon", "reyes": "reyna"}.get(
        family, family + "s"
    )
    here = replace(one, family_name=family)
    return (
        here,
        replace(one, family_name=other, phones=(_phone(random),), home_zip=random.choice(ZIPS)),
        Beside(),
    )


def wrong_number(random: Random) -> Pair:
    """A clerk picked the wrong record: its number with somebody else's name and birth date, or with a twin's name."""
    number = (RecordNumber("urn:oid:2.999.1", "MRN-1"),)
    one, other, beside = (
        twins(random) if random.random() < 0.5 else (someone(random), someone(random), Beside())
    )
    given = (
        _invented(random)
        if one.given_name.split()[0][:2] == other.given_name.split()[0][:2]
        else other.given_name
    )
    return (
        replace(one, record_numbers=number),
        replace(other, given_name=given, record_numbers=number),
        beside,
    )


TWO_PEOPLE: dict[str, tuple[Made, int]] = {
    "twins": (twins, 20),
    "juniors": (junior, 16),
    "siblings": (siblings, 8),
    "namesakes, dates alike": (namesakes, 12),
    "namesakes of one day": (namesakes_of_one_day, 8),
    "guests of one shelter": (shelter, 12),
    "cousins of one name and home": (cousins, 8),
    "spouses": (spouses, 4),
    "names turned round": (turned_round, 4),
    "family names a letter apart": (neighbors_in_the_list, 4),
    "another's record number": (wrong_number, 4),
}


def two_people(seed: int, count: int) -> Iterator[tuple[str, Pair]]:
    """`count` hard pairs of two people, incompletely said, and a fifth of them with a typing error on top."""
    random = Random(seed)
    names = [name for name, (_, share) in TWO_PEOPLE.items() for _ in range(share)]
    for _ in range(count):
        name = random.choice(names)
        one, other, beside = TWO_PEOPLE[name][0](random)
        if name != "another's record number" and random.random() < 0.2:
            wrong = random.choice(("family_name", "given_name"))
            mistyped = replace(other, **{wrong: typed(random, getattr(other, wrong))})
            if (
                mistyped.given_name != one.given_name
            ):  # one twin under the other's very name is told apart by nobody
                other = mistyped
        yield name, (_partly_said(random, one), _partly_said(random, other), beside)


# One person, described twice.


def _typed_name(random: Random, person: Person, field: str) -> Person:
    return replace(person, **{field: typed(random, getattr(person, field))})


def _nicknamed(random: Random, person: Person) -> Person:
    short = random.choice(sorted(short for short, formals in FORMALS.items() if len(formals) == 1))
    return replace(person, given_name=short)


def one_person_pairs(random: Random) -> dict[str, Callable[[Person], tuple[Person, Person]]]:
    """Each way in which two descriptions of one person differ."""

    def nickname(person: Person) -> tuple[Person, Person]:
        short = random.choice(sorted(short for short, formals in FORMALS.items() if len(formals) == 1))
        formal = next(iter(FORMALS[short]))
        return replace(person, given_name=formal), replace(person, given_name=short)

    def second_name(person: Person) -> tuple[Person, Person]:
        first = person.given_name.split()[0]
        return replace(person, given_name=f"{first} {_invented(random)}"), replace(person, given_name=first)

    def married(person: Person) -> tuple[Person, Person]:
        return person, replace(person, family_name=_family(random))

    def married_known(person: Person) -> tuple[Person, Person]:
        return person, replace(person, family_name=_family(random), former_names=(person.family_name,))

    def surname_left_out(person: Person) -> tuple[Person, Person]:
        first, second = _skewed(random, SPANISH), _invented(random)
        return replace(person, family_name=f"{first} {second}"), replace(person, family_name=first)

    def swapped(person: Person) -> tuple[Person, Person]:
        born = replace(person, birth_date=f"{person.birth_date[:7]}-{random.randint(1, 12):02}")
        return born, replace(born, birth_date=_swapped(born.birth_date))

    def accents(person: Person) -> tuple[Person, Person]:
        written = person.family_name.translate(ACCENTS)
        return person, replace(person, family_name=unicodedata.normalize("NFC", written).title())

    return {
        "the same words": lambda one: (one, one),
        "family name mistyped": lambda one: (one, _typed_name(random, one, "family_name")),
        "given name mistyped": lambda one: (one, _typed_name(random, one, "given_name")),
        "nickname": nickname,
        "second given name left out": second_name,
        "married name, former one unknown": married,
        "married name, former one said": married_known,
        "second surname left out": surname_left_out,
        "accents": accents,
        "day and month swapped": swapped,
        "one digit of the birth date": lambda one: (
            one,
            replace(one, birth_date=_slipped(random, one.birth_date)),
        ),
        "year of birth mistyped": lambda one: (
            one,
            replace(one, birth_date=_year_slipped(random, one.birth_date)),
        ),
        "new phone": lambda one: (one, replace(one, phones=(_phone(random),))),
        "moved, new phone": lambda one: (
            one,
            replace(one, phones=(_phone(random),), home_zip=random.choice(ZIPS)),
        ),
        "names turned round": lambda one: (
            one,
            replace(one, family_name=one.given_name, given_name=one.family_name),
        ),
    }


def one_person(seed: int, count: int, *, with_number: bool = False) -> Iterator[tuple[str, Pair]]:
    """`count` pairs of descriptions of one person, each way in turn; with one hospital's record number, or none."""
    random = Random(seed)
    ways = one_person_pairs(random)
    number = (RecordNumber("urn:oid:2.999.1", "MRN-1"),) if with_number else ()
    for position in range(count):
        name = list(ways)[position % len(ways)]
        one, other = ways[name](someone(random))
        known, new = (replace(_partly_said(random, side), record_numbers=number) for side in (one, other))
        yield name, (known, new, Beside())
