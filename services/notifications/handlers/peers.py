"""Telling the peer: only where the newest word about them says that writing is safe, and only what is still true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from services.notifications.domain import contacts, notices
from services.notifications.domain.contacts import Card
from services.notifications.domain.events import Event
from services.notifications.domain.intents import (
    OVERTAKEN_BY_A_MOVE,
    Happening,
    Intent,
    expires_at,
    rule_for,
)
from services.notifications.domain.notices import Notice, Reason
from services.notifications.handlers.people import keep_contacts, silence_everywhere
from services.notifications.handlers.telling import Told, tell

if TYPE_CHECKING:
    from services.notifications.bootstrap import Room

_MOST_OF_ONE = 500


def keep_of_referrals(room: Room, sources: Sequence[Card], peers: Sequence[Card]) -> None:
    """The newest word about each source and peer counts; where a peer's is no yes any more, what waits is silenced."""
    noes = [card for card in peers if not card.contact.is_reachable]
    before = room.people.known([card.contact_id for card in noes]) if noes else {}
    keep_contacts(room, [*sources, *peers])
    # Only a no that closed an open card has something to silence; and before each send the card is asked again.
    open_before = [card for card in noes if before.get(card.contact_id)]
    after = room.people.known([card.contact_id for card in open_before]) if open_before else {}
    for card in open_before:
        if not after.get(card.contact_id):
            silence_everywhere(room, card.person_id, Reason.DO_NOT_CONTACT)


def join(room: Room, one: str, other: str, *, is_joined: bool, at: datetime) -> None:
    """The two pseudonyms are one person from then on, or two again; what was said of either is asked of both.

    Each no that was said before holds for both of them at once, also for what is queued; and so does each silence that
    the person asked for (docs/decisions/0051-a-peers-own-wishes.md).  Nothing of either is written into the other's
    card, so that undoing it leaves both as they were.
    """
    room.joined.keep(one, other, is_joined=is_joined, at=at)
    if room.people.is_silenced(one):
        silence_everywhere(room, one, Reason.DO_NOT_CONTACT)


def tell_peers(room: Room, told: Sequence[Told]) -> None:
    """Each peer who may safely be written to has one notice for each happening; nobody else has any, not even a dead one.

    Raises Refusal TOO_EARLY where it is not known yet whether it is safe, and the news is still worth waiting for.
    """
    peers = [pair for pair in told if _is_news(room, pair[0])]
    known = room.people.known([happening.contact_id for happening, _ in peers]) if peers else {}
    tell(room, [pair for pair in peers if _may_hear(room, pair[0], known)])


def recall_overtaken(room: Room, moves: Sequence[Told]) -> Sequence[Told]:
    """What waits for a peer and is untrue after a move of their referral is not sent; returns the moves that are news.

    That somebody comes no more is news only to who may have heard that they come.
    """
    heard = []
    asked = [happening.contact_id for happening, _ in moves if happening.contact_id]
    known = room.people.known(asked) if asked else {}
    for happening, cause in moves:
        if not happening.contact_id or known.get(happening.contact_id) is False:
            continue
        rule = rule_for(happening.event, happening.status)
        for held in room.notices.held_of_recipient(happening.recipient_id):
            notice = held.notice
            is_theirs = notice.referral_id == happening.referral_id and notice.intent in OVERTAKEN_BY_A_MOVE
            if is_theirs and notice.referral_version < happening.version:
                room.notices.revise(held, _overtake)
        if not rule or rule.intent is not Intent.HELP_LATER or _was_promised(room, happening):
            heard.append((happening, cause))
    return heard


def _was_promised(room: Room, happening: Happening) -> bool:
    told = room.notices.of_referral(happening.referral_id, _MOST_OF_ONE)
    return any(
        notice.intent is Intent.HELP_COMING
        and notice.recipient_id == happening.recipient_id
        and notices.may_have_been_heard(notice)
        for notice in told
    )


def _overtake(notice: Notice) -> tuple[Notice, list[Event]]:
    return notices.cancel(notice, Reason.OVERTAKEN), []


def _is_news(room: Room, happening: Happening) -> bool:
    """True where a peer is named, the table has a line for it, and this deployment has a way to write to them."""
    rule = rule_for(happening.event, happening.status)
    if rule is None or not happening.contact_id:
        return False
    return not room.people.channels.isdisjoint(rule.channels)


def _may_hear(room: Room, happening: Happening, known: Mapping[str, bool]) -> bool:
    if happening.contact_id in known:
        return known[happening.contact_id]
    rule = rule_for(happening.event, happening.status)
    assert rule is not None
    return contacts.is_worth_waiting_for(happening.happened_at, room.clock.now(), expires_at(rule, happening))
