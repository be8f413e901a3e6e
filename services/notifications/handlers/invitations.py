"""A peer says how they are written to: invited because they asked, or by who is with them; nobody signs in as a peer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.notifications.domain.contacts import source_contact_id
from services.notifications.domain.intents import Channel, Recipient, rule_of
from services.notifications.domain.notices import Notice
from services.notifications.handlers.people import RECORD, Told, change_contact, get_contact

if TYPE_CHECKING:
    from services.notifications.bootstrap import Room
    from services.notifications.store import Invitation

PATH: Final = "/notices/mine"
_MOST_AN_HOUR: Final = 3


@dataclass(frozen=True)
class Invited:
    """Where somebody may say it, until when, in which language; the link is a secret of theirs."""

    link: str = field(repr=False)
    until: datetime
    language: str


def invite_who_asks(room: Room, notice: Notice, mark: str) -> str:
    """The link for whoever asked from the phone that `notice` went to; "" for nobody who may be written to there.

    Only a peer has no other page.  Who asked for silence is not written to, also not because they ask: the phone may be
    in another hand.  Who is with them at the hospital can hand it to them.
    """
    if rule_of(notice.intent).recipient is not Recipient.PEER:
        return ""
    reach = room.people.around([notice]).reaches.get(notice.notice_id)
    if reach is None or reach.is_do_not_contact or Channel.SMS in reach.closed:
        return ""
    now = room.clock.now()
    is_their_phone = reach.marks.get(Channel.SMS) == mark
    if not is_their_phone or room.rates.take(f"invited:{mark}", Channel.SMS, now, _MOST_AN_HOUR):
        return ""
    return _invited(room, notice.recipient_id, reach.contact.language).link


def hand_over(room: Room, caller: Caller, referral_id: str, cause: Cause) -> Invited:
    """The link for the person of a referral, to be handed to them by who referred them; that it was is on record first.

    Raises Refusal NOT_FOUND referral-unknown, also for another organization's.
    """
    peer_id = room.contacts.peer_of_card(source_contact_id(referral_id), caller.organization_id)
    if not peer_id:
        raise Refusal("referral-unknown", Kind.NOT_FOUND, "Your unit has no such request.")
    room.access.record_read(
        caller,
        record_type=RECORD,
        record_id=peer_id,
        action="hand-over",
        subject_id=peer_id,
        referral_id=referral_id,
        cause=cause,
    )
    wishes = room.wishes.load(peer_id).wishes
    return _invited(room, peer_id, wishes.language)


def invited(room: Room, word: str) -> Invitation:
    """The invitation that the word of a link is for; raises Refusal NOT_FOUND for one that works no more."""
    found = room.invitations.find(word)
    if found is None:
        raise Refusal("link-not-valid", Kind.NOT_FOUND, "This link does not work any more.")
    return found


def own_wishes(room: Room, invitation: Invitation, cause: Cause) -> Told:
    """What the person said until now; the read is in the audit trail before it is returned."""
    return get_contact(room, _as(invitation), invitation.person_id, cause)


def say_wishes(
    room: Room, invitation: Invitation, wanted: Mapping[str, Any], *, version: int, cause: Cause
) -> None:
    """It counts from now on, is in the audit trail, and the link works no more.

    Raises Refusal INVALID, or CONFLICT where they were changed since `version`: two at once with one link are one.
    """
    person_id = invitation.person_id
    change_contact(room, _as(invitation), person_id, wanted, version=version, cause=cause)
    # After the change: who is interrupted between the two was heard, and can only say the same again.
    room.invitations.use(invitation)


def _as(invitation: Invitation) -> Caller:
    return Caller(invitation.person_id, "recipient", "", "PATRQT")


def _invited(room: Room, person_id: str, language: str) -> Invited:
    word, until = room.invitations.make(person_id, language)
    origin = room.settings.notices_url or room.settings.pages_origin
    return Invited(f"{origin.rstrip('/')}{PATH}/{word}", until, language)
