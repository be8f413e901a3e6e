"""What a roster row means: each column read into the domain, every fault of a row found, no value ever repeated."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email

from services.matching import places, taxonomy, tongues
from services.matching.domain.place import Place
from services.matching.domain.shifts import MINUTES_PER_DAY, Shifts, Window
from services.matching.domain.specialist import (
    AGE_BANDS,
    LEVELS,
    MODALITIES,
    PAYERS,
    Certification,
    Specialist,
)
from services.matching.roster_file import RawRow, RowFault

T = TypeVar("T")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_STATE = re.compile(r"[A-Z]{2}")
_WINDOW = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? +(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOST_RADIUS = 500
_MOST_CAPACITY = 50
_MOST_ITEMS = 200
_NO_LANGUAGES: dict[str, int] = {}
_NO_ATTRIBUTES: tuple[list[str], list[str]] = ([], [])
_NO_CERTIFICATIONS: tuple[Certification, ...] = ()
_NO_MODALITIES: frozenset[str] = frozenset()
_NO_WINDOWS: tuple[Window, ...] | None = ()


@dataclass(frozen=True)
class Enlisted:
    """A good row. `email` goes to notifications, sealed, and nowhere else.

    `withheld` are the categories of the private attributes the specialist does not want used; those stay behind here.
    """

    specialist: Specialist
    zip_code: str
    released: list[str]
    private: list[str]
    withheld: list[str]
    capacity: int
    email: str = field(repr=False)
    notice_language: str = "en"


class _Bad(Exception):  # noqa: N818  it is always turned into a RowFault here
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class _Columns:
    """One row being read: the first fault of each column is kept, and reading goes on."""

    def __init__(self, row: RawRow) -> None:
        self._row = row
        self.faults: list[RowFault] = []

    def read(self, name: str, reader: Callable[[str], T], default: T, *, is_needed: bool = False) -> T:
        text = self._row.columns.get(name, "")
        try:
            if text:
                return reader(text)
            if is_needed:
                raise _Bad("missing", "This column is needed.")
        except _Bad as bad:
            self.faults.append(RowFault(self._row.line, name, bad.code, bad.message))
        return default


def read(row: RawRow) -> Enlisted | list[RowFault]:
    """The specialist or supervisor of a row, or everything that is wrong with it."""
    columns = _Columns(row)
    specialist_id = columns.read("specialist_id", _id, "", is_needed=True)
    role = columns.read("role", _one_of("specialist", "supervisor"), "", is_needed=True)
    programme_id = columns.read("programme_id", _id, "", is_needed=True)
    columns.read("display_name", _short, "")
    email = columns.read("email", _email, "", is_needed=True)
    languages = columns.read("languages", _languages, _NO_LANGUAGES, is_needed=True)
    notice_language = columns.read("notice_language", _language, next(iter(languages), "en"))
    released, private = columns.read("attributes", _attributes, _NO_ATTRIBUTES)
    known = taxonomy.read()
    withheld: list[str] = []
    if not columns.read("agrees_to_private_use", _yes_or_no, False):
        withheld, private = sorted(known.categories(private)), []
    place = columns.read("zip", _place, None, is_needed=True)
    is_ranked = role == "specialist"
    certifications = columns.read("certifications", _certifications, _NO_CERTIFICATIONS, is_needed=is_ranked)
    modalities = columns.read("modalities", _modalities, _NO_MODALITIES, is_needed=is_ranked)
    radius_miles = columns.read("radius_miles", _count(_MOST_RADIUS), 0, is_needed=is_ranked)
    windows = columns.read("shifts", _windows, _NO_WINDOWS, is_needed=is_ranked)
    time_zone = columns.read("time_zone", _time_zone, place.time_zone if place else "UTC")
    capacity = columns.read("capacity", _count(_MOST_CAPACITY), 0, is_needed=is_ranked)
    if columns.faults or place is None:
        return columns.faults
    specialist = Specialist(
        specialist_id=specialist_id,
        role=role,
        programme_id=programme_id,
        place=place,
        shifts=Shifts(windows or (), windows is None, time_zone),
        languages=languages,
        released=known.with_parents(released),
        held=known.with_parents([*released, *private]),
        perhaps_held=known.within(withheld),
        certifications=certifications,
        modalities=modalities,
        radius_miles=radius_miles,
    )
    zip_code = row.columns["zip"]
    return Enlisted(specialist, zip_code, released, private, withheld, capacity, email, notice_language)


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise _Bad("not-an-id", "An id has 1 to 64 letters, digits or . _ : -")
    return text


def _one_of(*known: str) -> Callable[[str], str]:
    def reader(text: str) -> str:
        if text not in known:
            raise _Bad("unknown-value", f"One of: {', '.join(known)}.")
        return text

    return reader


def _short(text: str) -> str:
    if len(text) > 80:
        raise _Bad("too-long", "At most 80 characters.")
    return text


def _email(text: str) -> str:
    try:
        # The reserved domains of RFC 2606 are what development, demo and tests write to.
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise _Bad("not-an-email", "This is not an e-mail address.") from None


def _language(text: str) -> str:
    tag = tongues.primary(text)
    if not tag:
        raise _Bad("unknown-language", "Send a BCP 47 language tag such as es.")
    return tag


def _languages(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in _items(text):
        tag, _, level = item.partition(":")
        if level not in LEVELS:
            raise _Bad("unknown-level", f"A language is written es:native; levels: {', '.join(LEVELS)}.")
        found[_language(tag)] = max(LEVELS[level], found.get(_language(tag), 0))
    return found


def _attributes(text: str) -> tuple[list[str], list[str]]:
    kept: dict[str, set[str]] = {"released": set(), "private": set()}
    for item in _items(text):
        code, _, use = item.partition(":")
        if code not in taxonomy.read():
            raise _Bad("unknown-attribute", "An attribute is not in the taxonomy.")
        if use not in kept:
            raise _Bad("release-not-said", "An attribute is written code:released or code:private.")
        kept[use].add(code)
    # Told twice in two ways, the more careful one holds.
    return sorted(kept["released"] - kept["private"]), sorted(kept["private"])


def _yes_or_no(text: str) -> bool:
    return _one_of("yes", "no")(text) == "yes"


def _place(text: str) -> Place:
    place = places.find(text)
    if place is None:
        raise _Bad("unknown-zip", "A five-digit ZIP that is on the map.")
    return place


def _certifications(text: str) -> tuple[Certification, ...]:
    return tuple(_certification(item) for item in _items(text))


def _certification(text: str) -> Certification:
    parts = text.split("/")
    if len(parts) != 5:
        raise _Bad("not-a-certification", "A certification is state/payers/age bands/from/until.")
    state, payers, age_bands, begins, ends = parts
    if not _STATE.fullmatch(state):
        raise _Bad("unknown-state", "A state has two capital letters.")
    valid_from, valid_until = _day(begins), _day(ends)
    if valid_until < valid_from:
        raise _Bad("ends-before-it-begins", "A certification ends before it begins.")
    return Certification(
        state, _several(payers, PAYERS), _several(age_bands, AGE_BANDS), valid_from, valid_until
    )


def _several(text: str, known: tuple[str, ...]) -> frozenset[str]:
    if text == "any":
        return frozenset(known)
    chosen = frozenset(text.split("+"))
    if not chosen <= frozenset(known):
        raise _Bad("unknown-value", f"any, or some of {', '.join(known)} joined by +.")
    return chosen


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _Bad("not-a-date", "A day is written 2026-12-31.") from None


def _modalities(text: str) -> frozenset[str]:
    return frozenset(_one_of(*MODALITIES)(item) for item in _items(text))


def _count(most: int) -> Callable[[str], int]:
    def reader(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) > most:
            raise _Bad("not-a-count", f"A whole number from 0 to {most}.")
        return int(text)

    return reader


def _windows(text: str) -> tuple[Window, ...] | None:
    """The weekly windows, None for always on call."""
    if text == "always":
        return None
    return tuple(window for item in _items(text) for window in _window(item))


def _window(text: str) -> list[Window]:
    match = _WINDOW.fullmatch(text)
    if match is None or match[1] not in _DAYS or (match[2] or match[1]) not in _DAYS:
        raise _Bad("not-a-shift", "A shift is written mon-fri 22:00-06:00, or always.")
    first, last = _DAYS.index(match[1]), _DAYS.index(match[2] or match[1])
    start, end = _minute(match[3], match[4]), _minute(match[5], match[6])
    return [Window((first + n) % 7, start, end) for n in range((last - first) % 7 + 1)]


def _minute(hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > MINUTES_PER_DAY:
        raise _Bad("not-a-shift", "A time is written 00:00 to 24:00.")
    return minute % MINUTES_PER_DAY


def _time_zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ValueError, OSError, KeyError):
        raise _Bad("unknown-time-zone", "An IANA time zone such as America/New_York.") from None


def _items(text: str) -> list[str]:
    items = [item.strip() for item in text.split(";") if item.strip()]
    if not items or len(items) > _MOST_ITEMS:
        raise _Bad("bad-list", f"1 to {_MOST_ITEMS} entries, separated by semicolons.")
    return items
