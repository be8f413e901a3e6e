"""How people are reached: cards that other services send, wishes that they or staff say, and their erasure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from chassis import outbound
from chassis.aggregates import AlreadyThere, StaleVersion
from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.notifications.channels.apprise import AppriseWay
from services.notifications.channels.webhook import new_secret
from services.notifications.domain import notices, wishes
from services.notifications.domain.contacts import Card, specialist_contact_id
from services.notifications.domain.events import ContactChanged, ContactErased, Event
from services.notifications.domain.intents import Channel, Intent
from services.notifications.domain.notices import Notice, Reason, State
from services.notifications.domain.reach import reach_of
from services.notifications.domain.wishes import Wishes

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from services.notifications.bootstrap import Room
    from services.notifications.store import HeldWishes

# Who may see and change how others are reached, beside the person.
STAFF = ("coordinator", "supervisor")
_MAY_ERASE = ("compliance",)
_MOST_TRIES = 5
_SECRETS_AT_ONCE = 2
RECORD = "Contact"


@dataclass(frozen=True)
class Told:
    """How a person is reached, as it may be shown to them or to staff."""

    wishes: Wishes
    version: int
    standings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Changed:
    """What a change did; `webhook_secret` is shown this once."""

    version: int
    fields: Sequence[str]
    webhook_secret: str = field(default="", repr=False)


def keep_contacts(room: Room, cards: Sequence[Card]) -> None:
    """The newest revision of each card is kept, sealed with its person's key; who was erased stays erased."""
    gone = room.wishes.erased_among([card.person_id for card in cards])
    room.contacts.keep_many([card for card in cards if card.person_id not in gone])


def get_contact(room: Room, caller: Caller, person_id: str, cause: Cause) -> Told:
    """How the person is reached; the read is in the audit trail before it is returned. Raises Refusal FORBIDDEN."""
    _must_be_allowed(room, caller, person_id)
    held = room.wishes.load(person_id)
    room.access.record_read(caller, record_type=RECORD, record_id=person_id, action="read", cause=cause)
    card_id = specialist_contact_id(person_id)
    reach = reach_of(room.contacts.open_many([card_id]).get(card_id), held.wishes)
    assert reach is not None  # there are wishes, if only empty ones
    marks = {
        room.people.mark(channel, address): channel.value
        for channel, address in reach.addresses.items()
        if channel is not Channel.IN_APP
    }
    standings = {marks[mark]: known.value for mark, known in room.addresses.standings(list(marks)).items()}
    return Told(held.wishes, held.version, standings)


def change_contact(
    room: Room,
    caller: Caller,
    person_id: str,
    wanted: Mapping[str, Any],
    *,
    version: int,
    rotate_webhook_secret: bool = False,
    cause: Cause,
) -> Changed:
    """The wishes are as wanted and the change is in the audit trail, in one write; silence takes effect at once.

    Raises Refusal INVALID with the field, FORBIDDEN, or CONFLICT where somebody else changed them since `version`.
    """
    _must_be_allowed(room, caller, person_id)
    held = room.wishes.load(person_id)
    if held.version != version:
        raise Refusal("contact-changed-meanwhile", Kind.CONFLICT, "Read it again: somebody changed it since.")
    _check_addresses(room, wanted)
    wished, fields = wishes.change(held.wishes, **wanted)
    secret = ""
    if rotate_webhook_secret or (wished.webhook_url and not wished.webhook_secrets):
        secret = new_secret()
        kept = (secret, *wished.webhook_secrets)[:_SECRETS_AT_ONCE]
        wished, fields = replace(wished, webhook_secrets=kept), [*fields, "webhook_secrets"]
    if not fields:
        return Changed(held.version, ())
    says = room.say(ContactChanged(person_id, tuple(fields)), caller)
    _save(room, held, wished, says=says, cause=cause)
    if wished.is_do_not_contact:
        silence_everywhere(room, person_id, Reason.DO_NOT_CONTACT)
    _start_anew(room, wished, fields)
    return Changed(held.version + 1, fields, secret)


def erase(room: Room, caller: Caller, person_id: str, cause: Cause) -> int:
    """The person's key is destroyed, nothing of them is readable, and what waited for them is silenced; how much.

    May be repeated. Order matters: first nobody writes to them, then the key goes.
    """
    if caller.role not in _MAY_ERASE and caller.actor_id != person_id:
        raise Refusal(
            "role-not-allowed", Kind.FORBIDDEN, "Only compliance or the person may erase a contact."
        )
    for _ in range(_MOST_TRIES):
        held = room.wishes.load(person_id)
        if held.wishes.is_erased:
            break
        try:
            gone = wishes.erased(held.wishes)
            _save(room, held, gone, says=room.say(ContactErased(person_id), caller), cause=cause)
            break
        except (StaleVersion, Refusal) as refusal:
            if refusal.kind not in (Kind.TOO_EARLY, Kind.CONFLICT):
                raise
    count = silence_everywhere(room, person_id, Reason.DO_NOT_CONTACT)
    room.contacts.empty(person_id)
    room.notices.forget_links(person_id)
    room.invitations.forget(person_id)
    room.vault.erase(person_id)
    return count


def silence_everywhere(room: Room, person_id: str, reason: Reason) -> int:
    """Nothing that waits for the person is sent any more, under whichever of their pseudonyms; how much it was."""
    return sum(silence(room, each, reason) for each in room.people.all_of(person_id))


def silence(room: Room, person_id: str, reason: Reason) -> int:
    """Nothing that waits for the person is sent any more; how much it was. An offer that is silenced is said so."""

    def hush(notice: Notice) -> tuple[Notice, list[Event]]:
        if notice.intent is Intent.OFFER_MADE and notice.state in (State.DUE, State.SENDING):
            return notices.give_up(notice, reason)
        return notices.cancel(notice, reason), []

    waiting = room.notices.held_of_recipient(person_id)
    for held in waiting:
        room.notices.revise(held, hush)
    return len(waiting)


def _must_be_allowed(room: Room, caller: Caller, person_id: str) -> None:
    if not person_id:
        raise Refusal(
            "person-needed", Kind.INVALID, faults=[Fault("person_id", "missing", "Name the person.")]
        )
    if caller.actor_id == person_id:
        return
    if caller.role not in STAFF:
        raise Refusal("role-not-allowed", Kind.FORBIDDEN, "You may only see and change your own.")
    if caller.organization_id not in room.contacts.organizations_of(person_id):
        raise Refusal("not-your-organization", Kind.FORBIDDEN, "This person is not of your organization.")


def _check_addresses(room: Room, wanted: Mapping[str, Any]) -> None:
    url = wanted.get("webhook_url")
    if url:
        private = room.settings.post_allow_private
        outbound.read(url, may_be_private=private, place="wishes.webhook_url")
    if wanted.get("apprise_url"):
        _check_apprise(room, wanted["apprise_url"])


def _check_apprise(room: Room, url: str) -> None:
    way = room.sending.courier.ways.get(Channel.APPRISE)
    if not isinstance(way, AppriseWay):
        fault = Fault("wishes.apprise_url", "not-allowed", "This way of writing is not used here.")
        raise Refusal("contact-invalid", Kind.INVALID, fault.message, faults=[fault])
    way.check(url)


def _save(room: Room, held: HeldWishes, wished: Wishes, *, says: Message, cause: Cause) -> None:
    try:
        room.wishes.save(held, wished, [says], cause)
    except (AlreadyThere, StaleVersion):
        raise Refusal(
            "contact-changed-meanwhile", Kind.CONFLICT, "Read it again: somebody changed it since."
        ) from None


def _start_anew(room: Room, wished: Wishes, fields: Sequence[str]) -> None:
    """An address that was just named is tried, whatever was known of it; a STOP stands until a START comes."""
    named = {"email": Channel.EMAIL, "webhook_url": Channel.WEBHOOK, "apprise_url": Channel.APPRISE}
    for name, channel in named.items():
        if name in fields and getattr(wished, name):
            room.addresses.forget(room.people.mark(channel, getattr(wished, name)))
