"""What both doors of notifications share, built top to bottom."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from pymongo.database import Database

from chassis import access, mongo, roles
from chassis.access import AccessLog
from chassis.aggregates import Aggregates
from chassis.at_rest import AtRest
from chassis.clock import Clock, SystemClock
from chassis.identity import Caller
from chassis.key_providers import KeyFolder
from chassis.oidc.bearer import Tokens, people_tokens
from chassis.parked import ParkedEvents
from chassis.relay import Relay
from chassis.sealing import PrivateSeal
from chassis.vault import Vault
from services.notifications import codec
from services.notifications.channels import Way
from services.notifications.channels.apprise import AppriseWay
from services.notifications.channels.inbox import InboxWay
from services.notifications.channels.mail import EmailWay, SmtpServer
from services.notifications.channels.posting import Poster
from services.notifications.channels.sms import SmsAccount, SmsWay
from services.notifications.channels.webhook import WebhookWay
from services.notifications.courier import Courier, Limits
from services.notifications.domain.events import ContactChanged, ContactErased
from services.notifications.domain.intents import Channel
from services.notifications.leaving import Leaving
from services.notifications.pacing import Pace
from services.notifications.packing import Packing
from services.notifications.people import People
from services.notifications.sending import Sending
from services.notifications.settings import Settings
from services.notifications.store import (
    Addresses,
    Contacts,
    Invitations,
    JoinedPeople,
    Links,
    Marker,
    Notices,
    Overseers,
    Rates,
    Sessions,
    Stops,
    WishStore,
)
from services.notifications.wording.letters import Letters

SERVICE = "notifications"


@dataclass(frozen=True)
class Room:
    """Everything a handler may need; built once per process."""

    settings: Settings
    clock: Clock
    database: Database[dict[str, Any]]
    vault: Vault
    seal: PrivateSeal
    contacts: Contacts
    notices: Notices
    stops: Stops
    joined: JoinedPeople
    wishes: WishStore
    addresses: Addresses
    rates: Rates
    overseers: Overseers
    invitations: Invitations
    sessions: Sessions
    people: People
    letters: Letters
    poster: Poster
    leaving: Leaving
    sending: Sending
    access: AccessLog
    parked: ParkedEvents
    tokens: Tokens
    # A change of somebody's contact as it is said on the bus, by whom.
    say: Callable[[ContactChanged | ContactErased, Caller], Message]


def build_room(settings: Settings, clock: Clock | None = None) -> Room:
    """The room, from settings and key files; connects to nothing and writes nothing."""
    clock = clock or SystemClock()
    client = mongo.connect(settings.mongo_uri)
    database = client[settings.mongo_database]
    master_key = (settings.keys_dir / "notifications.master.key").read_bytes()
    folder = KeyFolder(settings.keys_dir, SERVICE)
    vault = Vault(client, settings.mongo_database, master_key, folder)
    contacts, stops, rates = Contacts(database, vault), Stops(database), Rates(database)
    joined = JoinedPeople(database)
    wishes = WishStore(Aggregates(database, "wishes", clock, SERVICE), vault)
    addresses = Addresses(database)
    links = Links(vault, master_key)
    notices = Notices(Aggregates(database, "notices", clock, SERVICE), links, codec.event_to_proto)
    poster = _poster(settings)
    leaving = Leaving.under(master_key, settings.notices_url)
    ways = _ways(settings, poster, leaving)
    people = People(contacts, wishes, addresses, stops, joined, Marker(master_key), frozenset(ways))
    letters = Letters(settings.public_url)
    limits = Limits(settings.webhook_most_failures, settings.notice_lease_s)
    pace = Pace(rates, settings.notices_per_hour, _per_minute(settings))
    packing = Packing(notices, people, pace, letters, ways, clock, limits.lease_s)
    courier = Courier(notices, people, packing, ways, clock, limits)
    return Room(
        settings=settings,
        clock=clock,
        database=database,
        vault=vault,
        seal=PrivateSeal.from_dir(settings.keys_dir, SERVICE),
        contacts=contacts,
        notices=notices,
        stops=stops,
        joined=joined,
        wishes=wishes,
        addresses=addresses,
        rates=rates,
        overseers=Overseers(Aggregates(database, "overseers", clock, SERVICE)),
        invitations=Invitations(database, clock),
        sessions=Sessions(database, clock),
        people=people,
        letters=letters,
        poster=poster,
        leaving=leaving,
        sending=Sending(notices, courier, senders=settings.smtp_connections, lease_s=settings.notice_lease_s),
        access=AccessLog(database, clock, SERVICE),
        parked=ParkedEvents(database, SERVICE, clock, AtRest(master_key)),
        tokens=people_tokens(settings),
        say=codec.contact_event_to_proto,
    )


@mongo.waits_for_indexes
def prepare(room: Room) -> None:
    """The indexes exist; needs the database, may be repeated."""
    room.vault.ensure_indexes()
    room.notices.ensure_indexes()
    room.contacts.ensure_indexes()
    room.wishes.ensure_indexes()
    room.rates.ensure_indexes()
    room.overseers.ensure_indexes()
    room.joined.ensure_indexes()
    room.invitations.ensure_indexes()
    room.sessions.ensure_indexes()
    room.access.aggregates.ensure_indexes()
    room.parked.ensure_indexes()


def relay(room: Room) -> Relay:
    """What carries notifications' own events to the bus."""
    return Relay(
        room.database,
        collections=["notices", "wishes", "overseers", access.COLLECTION],
        amqp_uri=room.settings.amqp_uri,
        producer=SERVICE,
    )


def run_relay(environ: Mapping[str, str]) -> int:
    """The role `relay`: only the relay, for volume."""
    return roles.run_relay(
        Settings, environ, service=SERVICE, build_room=build_room, prepare=prepare, relay=relay
    )


def _poster(settings: Settings) -> Poster:
    return Poster(
        ssl.create_default_context(), settings.post_timeout_s, may_be_private=settings.post_allow_private
    )


def _ways(settings: Settings, poster: Poster, leaving: Leaving) -> dict[Channel, Way]:
    """The channels that have a far side here."""
    ways: list[Way] = [EmailWay(_smtp(settings), leaving), WebhookWay(poster), InboxWay()]
    if settings.sms_url:
        account = SmsAccount(
            settings.sms_url,
            settings.sms_account,
            settings.sms_token,
            settings.sms_from,
            settings.notices_url,
        )
        ways.append(SmsWay(account, poster))
    if settings.apprise_allowed:
        ways.append(AppriseWay(settings.apprise_allowed.split(), settings.post_timeout_s))
    return {way.channel: way for way in ways}


def _per_minute(settings: Settings) -> dict[Channel, int]:
    """What each account bears; webhooks are everybody's own, and the inbox bears anything."""
    return {
        Channel.EMAIL: settings.email_per_minute,
        Channel.SMS: settings.sms_per_minute,
        Channel.APPRISE: settings.apprise_per_minute,
    }


def _smtp(settings: Settings) -> SmtpServer:
    return SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        is_starttls=settings.smtp_starttls,
        is_implicit_tls=settings.smtp_implicit_tls,
        user=settings.smtp_user,
        password=settings.smtp_password,
        timeout_s=settings.smtp_timeout_s,
    )
