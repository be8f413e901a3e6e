"""What both doors of notifications share, built top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from chassis import access, mongo, roles
from chassis.access import AccessLog
from chassis.aggregates import Aggregates
from chassis.at_rest import AtRest
from chassis.clock import Clock, SystemClock
from chassis.identity import TokenReader
from chassis.parked import ParkedEvents
from chassis.relay import Relay
from chassis.sealing import PrivateSeal
from chassis.vault import Vault
from services.notifications import codec
from services.notifications.channels import SmtpServer
from services.notifications.sending import Sending
from services.notifications.settings import Settings
from services.notifications.store import Contacts, Notices, Stops
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
    sending: Sending
    access: AccessLog
    parked: ParkedEvents
    tokens: TokenReader


def build_room(settings: Settings, clock: Clock | None = None) -> Room:
    """The room, from settings and key files; connects to nothing and writes nothing."""
    clock = clock or SystemClock()
    client = mongo.connect(settings.mongo_uri)
    database = client[settings.mongo_database]
    master_key = (settings.keys_dir / "notifications.master.key").read_bytes()
    vault = Vault(client, settings.mongo_database, master_key)
    contacts, stops = Contacts(database, vault), Stops(database)
    notices = Notices(Aggregates(database, "notices", clock, SERVICE), vault, codec.event_to_proto)
    return Room(
        settings=settings,
        clock=clock,
        database=database,
        vault=vault,
        seal=PrivateSeal.from_dir(settings.keys_dir, SERVICE),
        contacts=contacts,
        notices=notices,
        stops=stops,
        sending=_sending(settings, notices, contacts, stops, clock),
        access=AccessLog(database, clock, SERVICE),
        parked=ParkedEvents(database, SERVICE, clock, AtRest(master_key)),
        tokens=TokenReader.from_file(settings.keys_dir / "issuer.pub.pem"),
    )


def prepare(room: Room) -> None:
    """The indexes exist; needs the database, may be repeated."""
    room.vault.ensure_indexes()
    room.notices.ensure_indexes()
    room.access.aggregates.ensure_indexes()
    room.parked.ensure_indexes()


def relay(room: Room) -> Relay:
    """What carries notifications' own events to the bus."""
    return Relay(
        room.database,
        collections=["notices", access.COLLECTION],
        amqp_uri=room.settings.amqp_uri,
        producer=SERVICE,
    )


def run_relay(environ: Mapping[str, str]) -> int:
    """The role `relay`: only the relay, for volume."""
    return roles.run_relay(
        Settings, environ, service=SERVICE, build_room=build_room, prepare=prepare, relay=relay
    )


def _sending(settings: Settings, notices: Notices, contacts: Contacts, stops: Stops, clock: Clock) -> Sending:
    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        is_starttls=settings.smtp_starttls,
        user=settings.smtp_user,
        password=settings.smtp_password,
        timeout_s=settings.smtp_timeout_s,
    )
    return Sending(
        notices,
        contacts,
        Letters(settings.public_url),
        server,
        clock,
        stops=stops,
        senders=settings.smtp_connections,
        lease_s=settings.notice_lease_s,
    )
