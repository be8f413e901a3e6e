"""What both doors of the example share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from chassis import access, mongo, roles
from chassis.access import AccessLog
from chassis.aggregates import Aggregates
from chassis.clock import Clock, SystemClock
from chassis.identity import TokenReader
from chassis.relay import Relay
from chassis.settings import ProcessSettings
from chassis.vault import Vault

SERVICE = "example"


@dataclass(frozen=True)
class Room:
    """Everything the example needs."""

    settings: ProcessSettings
    clock: Clock
    database: Database[dict[str, Any]]
    things: Aggregates
    vault: Vault
    access: AccessLog
    tokens: TokenReader


def build_room(settings: ProcessSettings) -> Room:
    """Constructs; connects to nothing."""
    clock = SystemClock()
    client = mongo.connect(settings.mongo_uri)
    database = client[settings.mongo_database]
    master_key = (settings.keys_dir / "example.master.key").read_bytes()
    return Room(
        settings=settings,
        clock=clock,
        database=database,
        things=Aggregates(database, "things", clock, SERVICE),
        vault=Vault(client, settings.mongo_database, master_key),
        access=AccessLog(database, clock, SERVICE),
        tokens=TokenReader.from_file(settings.keys_dir / "issuer.pub.pem"),
    )


def prepare(room: Room) -> None:
    """The indexes exist."""
    room.vault.ensure_indexes()
    room.things.ensure_indexes()
    room.access.aggregates.ensure_indexes()


def relay(room: Room) -> Relay:
    """Carries the example's events."""
    return Relay(
        room.database,
        collections=["things", access.COLLECTION],
        amqp_uri=room.settings.amqp_uri,
        producer=SERVICE,
    )


def run_relay(environ: Mapping[str, str]) -> int:
    """Only the relay."""
    return roles.run_relay(
        ProcessSettings, environ, service=SERVICE, build_room=build_room, prepare=prepare, relay=relay
    )
