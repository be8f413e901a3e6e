"""Broken glass and cases: who is told of them, as compliance names them, and telling them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chassis.aggregates import AlreadyThere, StaleVersion
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.notifications.domain.contacts import Card, Contact
from services.notifications.domain.events import ContactChanged
from services.notifications.domain.intents import Channel, Happening
from services.notifications.domain.overseers import (
    EVERYBODY_ELSE,
    NOBODY,
    Overseer,
    Part,
    contact_id_of,
    to_tell,
)
from services.notifications.handlers.people import keep_contacts
from services.notifications.handlers.telling import Told, tell

if TYPE_CHECKING:
    from services.notifications.bootstrap import Room

RECORD = "Overseers"
_CHANGED = ("overseer",)


@dataclass(frozen=True)
class Shown:
    """An overseer without address: how they can be written to, and in which language."""

    overseer: Overseer
    channels: tuple[Channel, ...]
    language: str
    time_zone: str


def name_overseers(
    room: Room, caller: Caller, organization_id: str, named: Mapping[Overseer, Contact], cause: Cause
) -> int:
    """From now on these are told, and nobody else of the organization's list; the change is in the audit trail.

    Their addresses are sealed with their own keys. May be repeated. Raises Refusal CONFLICT where somebody else
    names them at the same moment.
    """
    before = room.overseers.of(organization_id)
    revision = int(room.clock.now().timestamp() * 1000)
    cards = [
        Card(contact_id_of(organization_id, one.person_id), one.person_id, revision, contact, organization_id)
        for one, contact in named.items()
    ]
    keep_contacts(room, cards)
    people = sorted({one.person_id for one in (*before.overseers, *named)})
    says = [room.say(ContactChanged(person_id, _CHANGED), caller) for person_id in people]
    try:
        room.overseers.save(before, list(named), says, cause)
    except (AlreadyThere, StaleVersion):
        raise Refusal(
            "overseers-changed-meanwhile", Kind.CONFLICT, "Somebody else named them a moment ago: look again."
        ) from None
    gone = {one.person_id for one in before.overseers} - {one.person_id for one in named}
    room.contacts.empty_cards([contact_id_of(organization_id, person_id) for person_id in gone])
    return len(named)


def list_overseers(room: Room, caller: Caller, organization_id: str, cause: Cause) -> list[Shown]:
    """Who is told, without any address; the read is in the audit trail before it is returned."""
    named = room.overseers.of(organization_id).overseers
    room.access.record_read(caller, record_type=RECORD, record_id=organization_id, action="read", cause=cause)
    cards = room.contacts.open_many([contact_id_of(organization_id, one.person_id) for one in named])
    found = []
    for one in named:
        card = cards.get(contact_id_of(organization_id, one.person_id), Contact())
        ways = {Channel.EMAIL: card.address, Channel.SMS: card.phone}
        channels = tuple(channel for channel, address in ways.items() if address)
        found.append(Shown(one, channels, card.language, card.time_zone))
    return found


def tell_of_broken_glass(room: Room, told: Sequence[Told]) -> None:
    """The supervisor of whoever broke it and compliance have a notice each; where nobody is named, that is said.

    A notice for "unnamed" is dead from the start: the list of what was given up shows it, and notice.failed.v1 says it.
    """
    tell(room, [(happening, cause) for one, cause in told for happening in _for_each(room, one)])


def tell_of_cases(room: Room, told: Sequence[Told]) -> None:
    """Whoever reviews for every organization has a notice of what became a case; where nobody is named, that is said."""
    each = [(found, cause) for one, cause in told for found in _for_part(room, Part.COMPLIANCE, one, ())]
    tell(room, [(replace(happening, status=""), cause) for happening, cause in each])


def _for_each(room: Room, broken: Happening) -> Iterator[Happening]:
    own = room.overseers.of(broken.organization_id).overseers if broken.organization_id else ()
    for part in Part:
        yield from _for_part(room, part, broken, own)


def _for_part(room: Room, part: Part, happening: Happening, own: Sequence[Overseer]) -> Iterator[Happening]:
    found = to_tell(part, own, room.overseers.of(EVERYBODY_ELSE).overseers, happening.recipient_id)
    for one, is_own in found:
        organization_id = happening.organization_id if is_own else EVERYBODY_ELSE
        contact_id = contact_id_of(organization_id, one.person_id)
        yield replace(happening, status=part.value, recipient_id=one.person_id, contact_id=contact_id)
    if not found:
        yield replace(happening, status=part.value, recipient_id=NOBODY, contact_id="")
