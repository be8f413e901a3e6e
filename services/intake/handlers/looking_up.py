"""Somebody's id for a compliance officer who was given a name; the look is in the trail before the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.intake.domain.person import Person

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.lookups import Answering


def look_up(room: Room, caller: Caller, person: Person, cause: Cause) -> Sequence[Answering]:
    """Whoever answers to the description, in all sources.

    The look, with the names of what was given and never the words, and each person it found are in the audit trail
    before this returns.  Raises Refusal INVALID for a description nobody can be found by.
    """
    _require_enough(person)
    found = room.lookups.answering(person)
    room.access.record_search(
        caller,
        record_type="Person",
        criteria=_given(person),
        found=[("", one.peer_ids[0]) for one in found],
        cause=cause,
    )
    return found


def _require_enough(person: Person) -> None:
    """A number, or a whole name with the birth date: people are found by keyed marks of these, never by a name alone."""
    if person.record_numbers:
        return
    needed = {
        "family_name": person.family_name,
        "given_name": person.given_name,
        "birth_date": person.birth_date,
    }
    faults = [
        Fault(path, "person-incomplete", "Give a record number, or both names and the birth date.")
        for path, text in needed.items()
        if not text.strip()
    ]
    if not faults and not person.is_birth_date_readable():
        faults = [Fault("birth_date", "date-unreadable", "Write 1984-03-09, or at least the year.")]
    if faults:
        raise Refusal("person-incomplete", Kind.INVALID, "Nobody can be found by this.", faults=faults)


def _given(person: Person) -> list[str]:
    named = {
        "family-name": person.family_name,
        "given-name": person.given_name,
        "birth-date": person.birth_date,
        "record-number": bool(person.record_numbers),
    }
    return [name for name, value in named.items() if value]
