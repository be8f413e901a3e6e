"""The blind index: a keyed hash finds a person again, and tells nothing to whoever reads the database."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.intake import likeness
from services.intake.domain.comparison import PARTICLES, phone_numbers
from services.intake.domain.nicknames import formals
from services.intake.domain.person import Person, PersonMarks, RecordNumber, normalized

_KEY_BYTES = 32
_FULL_DATE = 10
_MOST_SOUNDS = 4
_TRAIL_CHARS = 16  # 64 bits: two that collide by chance are told apart when they are compared


class BlindIndex:
    """HMAC-SHA-256 under a key derived from the service's master key (HKDF, RFC 5869); the master stays as it is."""

    def __init__(self, master_key: bytes) -> None:
        self._key = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"kindred/intake/blind-index/v1").derive(
            master_key
        )

    def mark(self, purpose: str, *words: str) -> str:
        """The mark of some words for one purpose; equal words have equal marks, and only there."""
        text = "\x1f".join((purpose, *words))
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:40]

    def person(self, person: Person) -> PersonMarks:
        """What may be compared of a person."""
        records: dict[str, set[str]] = {}
        for number in person.real_numbers():
            records.setdefault(self.mark("system", number.system), set()).add(self.record(number))
        name = person.name_key()
        return PersonMarks(
            name=self.mark("name", name) if name else "",
            birth=self.mark("birth", person.birth_date) if name else "",
            generation=self.mark("generation", said) if (said := person.generation()) else "",
            records={system: frozenset(numbers) for system, numbers in records.items()},
        )

    def trails(self, person: Person) -> tuple[str, ...]:
        """Marks that two descriptions of one person are likely to share although their keys differ ("blocking").

        Each binds two or three facts, so that few others have it: the birth date and how a name sounds (also where
        names are turned round, or one of them changed), year or month and day with both names, a phone with a name.
        """
        if not person.has_name():
            return ()
        families, givens = _family_sounds(person), _given_sounds(person)
        either, both = {*families, *givens}, [sorted(pair) for pair in _pairs(families, givens)]
        words: list[tuple[str, ...]] = []
        for phone in sorted(phone_numbers(person)):
            words += [("phone", phone, sound) for sound in sorted(either)]
        born = person.birth_date
        if len(born) == _FULL_DATE:
            words += [("born", born, sound) for sound in sorted(either)]
            words += [("day", born[5:], *pair) for pair in both]
        if born:
            words += [("year", born[:4], *pair) for pair in both]
        return tuple(dict.fromkeys(self.mark(*word)[:_TRAIL_CHARS] for word in words))

    def phones(self, person: Person) -> tuple[str, ...]:
        """Marks by which the people are counted who share a phone."""
        return tuple(self.mark("phone", phone)[:_TRAIL_CHARS] for phone in sorted(phone_numbers(person)))

    def record(self, number: RecordNumber) -> str:
        """The mark of a number in its system."""
        return self.mark("record", number.system, number.value)


def _family_sounds(person: Person) -> list[str]:
    former = [word for name in person.former_names for word in normalized(name).split()]
    words = [word for word in (*person.family_words(), *former) if word not in PARTICLES]
    return _sounds(words or person.family_words())


def _given_sounds(person: Person) -> list[str]:
    first = normalized(person.given_name).split()[:1]
    return _sounds([*first, *(formal for word in first for formal in sorted(formals(word)))])


def _sounds(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(likeness.sound(word) for word in words))[:_MOST_SOUNDS]


def _pairs(families: list[str], givens: list[str]) -> set[tuple[str, str]]:
    return {(family, given) for family in families for given in givens}
