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


@dataclass(frozen=True, slots=True)
class RecordNumber:
    """A number and the system that gave it."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class SafeContact:
    """How the peer may be reached without danger; None where nobody asked."""

    may_leave_message: bool | None = None
    do_not_contact: bool | None = None
    who_else_answers: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """The peer's identity: PHI.  `birth_date` is an ISO 8601 date, year-month or year, or empty."""

    family_name: str = ""
    given_name: str = ""
    birth_date: str = ""
    record_numbers: tuple[RecordNumber, ...] = ()
    phones: tuple[str, ...] = ()
    safe_contact: SafeContact = field(default_factory=SafeContact)

    def is_birth_date_readable(self) -> bool:
        """True for a date that is in the calendar, at any of the three precisions."""
        return self.earliest_birth() is not None

    def earliest_birth(self) -> date | None:
        """The first day the birth date can mean."""
        return self._birth(is_latest=False)

    def latest_birth(self) -> date | None:
        """The last day the birth date can mean."""
        return self._birth(is_latest=True)

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
        """Family, given and birth date, normalized; empty unless all three are there and the date is whole."""
        family, given = normalized(self.family_name), normalized(self.given_name)
        if not (family and given and len(self.birth_date) == _FULL_DATE):
            return ""
        return f"{family}|{given}|{self.birth_date}"


def normalized(name: str) -> str:
    """Letters only, without case or marks: "Nuñez-Ó Brien" -> "nunez o brien"."""
    plain = "".join(ch for ch in unicodedata.normalize("NFKD", name) if not unicodedata.combining(ch))
    return " ".join("".join(ch if ch.isalnum() else " " for ch in plain.casefold()).split())


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """Who somebody is to everybody but intake; `is_new` where they were met just now."""

    peer_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class PersonMarks:
    """A person as the blind index knows them: keyed hashes only.  `records`: system -> numbers."""

    name: str = ""
    birth: str = ""
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
