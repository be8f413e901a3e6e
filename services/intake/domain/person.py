"""Who the peer is, and when two submissions are about the same person on the same visit."""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

SAME_VISIT = timedelta(hours=12)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_FULL_DATE = 10
_SHORTEST_FILLER = 4  # "9999" is a filler, "9" is somebody's number
# Letters that Unicode does not take apart, as passports spell them (ICAO Doc 9303-3, 6).
_PLAIN_WORDS = re.compile("[a-z0-9]+")
_SPELLED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_GENERATIONS = {
    "jr": "2", "junior": "2", "ii": "2", "2nd": "2", "sr": "1", "senior": "1", "i": "1", "1st": "1",
    "iii": "3", "3rd": "3", "iv": "4", "4th": "4",
}  # fmt: skip
_NO_NUMBERS = frozenset(
    {"123456789", "1234567890", "none", "unknown", "unk", "na", "null", "pending", "temp", "test"}
)
# What staff type for somebody nobody knows yet; no person is found again by it.
_NO_FAMILY = frozenset({"doe", "unknown", "unidentified", "unk", "trauma", "noname", "anonymous", "nn"})
_NO_GIVEN = frozenset({"unknown", "unidentified", "unk", "baby", "newborn", "infant", "babyboy", "babygirl"})


# Stands for the system where a number is looked for whatever its system is; no URI is written so.
ANY_SYSTEM = "*"


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class RecordNumber:
    """A number and the system that gave it."""

    system: str
    value: str

    def is_placeholder(self) -> bool:
        """True for what is typed where there is no number ("000-00-0000", "UNKNOWN"): it would join strangers."""
        plain = "".join(ch for ch in self.value.casefold() if ch.isalnum())
        is_one_sign = len(set(plain)) <= 1 and (len(plain) >= _SHORTEST_FILLER or not plain.strip("0"))
        return is_one_sign or plain in _NO_NUMBERS


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class SafeContact:
    """How the peer may be reached without danger; None where nobody asked."""

    may_leave_message: bool | None = None
    do_not_contact: bool | None = None
    who_else_answers: str = ""

    def heeding(self, later: SafeContact) -> SafeContact:
        """With every no of a later word; what a later word would allow is not taken from it."""
        return SafeContact(
            may_leave_message=False if later.may_leave_message is False else self.may_leave_message,
            do_not_contact=True if later.do_not_contact else self.do_not_contact,
            who_else_answers=self.who_else_answers or later.who_else_answers.strip(),
        )


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class Person:
    """The peer's identity: PHI.  `birth_date` is an ISO 8601 date, year-month or year, or empty.

    `sex` is female, male, other or empty where nobody said; `suffix` the generation ("Jr."); `home_zip` five digits of
    where the peer lives; `former_names` family names the source knows from before.
    """

    family_name: str = ""
    given_name: str = ""
    birth_date: str = ""
    record_numbers: tuple[RecordNumber, ...] = ()
    phones: tuple[str, ...] = ()
    safe_contact: SafeContact = field(default_factory=SafeContact)
    sex: str = ""
    suffix: str = ""
    home_zip: str = ""
    former_names: tuple[str, ...] = ()

    def is_birth_date_readable(self) -> bool:
        """True for a date that is in the calendar, at any of the three precisions."""
        return self.earliest_birth() is not None

    def earliest_birth(self) -> date | None:
        """The first day the birth date can mean."""
        return self._birth(is_latest=False)

    def latest_birth(self) -> date | None:
        """The last day the birth date can mean."""
        return self._birth(is_latest=True)

    def safe_phone(self) -> str:
        """The number where writing is safe because somebody said so, else empty: what nobody said is a no (DOMAIN 6).

        It is a yes only where a message may be left, nobody else answers there, and no other number could be meant.
        """
        said, numbers = self.safe_contact, {phone.strip() for phone in self.phones}
        is_safe = (
            said.may_leave_message is True and not said.do_not_contact and not said.who_else_answers.strip()
        )
        return numbers.pop() if is_safe and len(numbers) == 1 else ""

    def _birth(self, *, is_latest: bool) -> date | None:
        match = _DATE.fullmatch(self.birth_date)
        if match is None:
            return None
        year = int(match[1])
        month = int(match[2] or (12 if is_latest else 1))
        try:
            day = int(match[3] or (monthrange(year, month)[1] if is_latest else 1))
            return date(year, month, day)
        except ValueError:
            return None

    def name_key(self) -> str:
        """Family, given and birth date, normalized; empty unless all three are there and the date is whole.

        A placeholder ("Doe, John") is nobody's name; the generation suffix is compared by itself.
        """
        family, given = " ".join(self.family_words()), normalized(self.given_name)
        if not (family and given and len(self.birth_date) == _FULL_DATE) or self.is_placeholder():
            return ""
        return f"{family}|{given}|{self.birth_date}"

    def real_numbers(self) -> tuple[RecordNumber, ...]:
        """The record numbers without placeholders."""
        return tuple(number for number in self.record_numbers if not number.is_placeholder())

    def family_words(self) -> tuple[str, ...]:
        """The family name's words without a generation suffix."""
        return _without_generation(self.family_name)

    def generation(self) -> str:
        """1 for senior, 2 for junior and so on, from the suffix or the end of the family name; empty where unsaid."""
        said = [*normalized(self.family_name).split()[1:], *normalized(self.suffix).split()]
        return next((_GENERATIONS[word] for word in reversed(said) if word in _GENERATIONS), "")

    def is_placeholder(self) -> bool:
        """True for what staff type for somebody unknown ("Doe, Jane", "Unknown, Trauma")."""
        family, given = normalized(self.family_name).split(), normalized(self.given_name).split()
        return not _NO_FAMILY.isdisjoint(family) or not _NO_GIVEN.isdisjoint(given[:1])

    def has_name(self) -> bool:
        """True where a name is there that means somebody."""
        return bool(normalized(self.family_name) or normalized(self.given_name)) and not self.is_placeholder()


def _without_generation(family: str) -> tuple[str, ...]:
    words = normalized(family).split()
    return tuple(words[:1] + [word for word in words[1:] if word not in _GENERATIONS])


def normalized(name: str) -> str:
    """Letters only, without case or marks: "Nuñez-Ó Brien" -> "nunez o brien"."""
    if name.isascii():  # most names, at a tenth of the cost
        return " ".join(_PLAIN_WORDS.findall(name.lower()))
    plain = "".join(ch for ch in unicodedata.normalize("NFKD", name) if not unicodedata.combining(ch))
    spelled = plain.casefold().translate(_SPELLED)
    return " ".join("".join(ch if ch.isalnum() else " " for ch in spelled).split())


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """Who somebody is to everybody but intake; `is_new` where they were met just now.

    `aliases` are pseudonyms of the same person that older referrals still carry, after a merge.
    """

    peer_id: str
    is_new: bool
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonMarks:
    """A person as the blind index knows them: keyed hashes only.  `records`: system -> numbers."""

    name: str = ""
    birth: str = ""
    generation: str = ""
    records: Mapping[str, frozenset[str]] = field(default_factory=dict)


def is_same_person(known: PersonMarks, new: PersonMarks) -> bool:
    """True only where every key both have agrees (a false join is worse than a missed one, DOMAIN 3).

    A record number decides before a name: two people with one name and one birthday are told apart by it.
    """
    if known.birth and new.birth and known.birth != new.birth:
        return False
    shared = known.records.keys() & new.records.keys()
    if shared:
        return all(known.records[system] & new.records[system] for system in shared)
    return bool(known.name) and known.name == new.name


@dataclass(frozen=True, slots=True)
class VisitMarks:
    """A visit as the blind index knows it: where, when, and its number's system and keyed hash, or empty."""

    source_id: str
    arrived_at: datetime
    system: str = ""
    number: str = ""


def is_same_visit(known: VisitMarks, new: VisitMarks) -> bool:
    """The same visit number; or, where one side has none, the same source within 12 hours (DOMAIN 3)."""
    if known.source_id != new.source_id:
        return False
    if known.number and new.number and known.system == new.system:
        return known.number == new.number
    return abs(known.arrived_at - new.arrived_at) < SAME_VISIT
