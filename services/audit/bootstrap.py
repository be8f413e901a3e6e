"""What both doors of audit share, built top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from chassis import mongo, roles
from chassis.access import COLLECTION as ACCESSES
from chassis.access import AccessLog
from chassis.at_rest import AtRest
from chassis.clock import Clock, SystemClock
from chassis.identity import TokenReader
from chassis.parked import ParkedEvents
from chassis.relay import Relay
from services.audit.entry_check import EntryCheck
from services.audit.entry_sealing import EntrySealer
from services.audit.inspection import Inspection
from services.audit.keyring import Keyring
from services.audit.sequencer import Sequencer
from services.audit.settings import Settings
from services.audit.signer import Signer, SignerMemory
from services.audit.store import Store
from services.audit.tlog.notes import NoteRefused, NoteSigner, NoteVerifier


@dataclass(frozen=True)
class Room:
    """Everything a door of audit works with."""

    settings: Settings
    clock: Clock
    database: Database[dict[str, Any]]
    store: Store
    keyring: Keyring
    sealer: EntrySealer
    memory: SignerMemory
    verifier: NoteVerifier
    inspection: Inspection
    access: AccessLog
    parked: ParkedEvents
    tokens: TokenReader


@dataclass(frozen=True)
class WritingRoom(Room):
    """What the worker has besides: the sequencer, and in it the signer with the log's private key."""

    sequencer: Sequencer


def build_room(settings: Settings) -> Room:
    """Plain construction: nothing connects and nothing is written."""
    clock, origin = SystemClock(), settings.audit_origin
    client = mongo.connect(settings.mongo_uri)
    database = client[settings.mongo_database]
    # Two databases apart from the log's own: whoever restores or edits one has not touched the others.
    keys, signed = client[f"{settings.mongo_database}_keys"], client[f"{settings.mongo_database}_signer"]
    store, memory = Store(database), SignerMemory(signed, origin)
    master_key = (settings.keys_dir / "audit.master.key").read_bytes()
    keyring = Keyring(keys, master_key, settings.tenant)
    sealer, verifier = EntrySealer(keyring), _verifier(settings)
    return Room(
        settings=settings,
        clock=clock,
        database=database,
        store=store,
        keyring=keyring,
        sealer=sealer,
        memory=memory,
        verifier=verifier,
        inspection=Inspection(store, EntryCheck(store, keyring, sealer), memory, verifier, origin),
        access=AccessLog(database, clock, "audit"),
        parked=ParkedEvents(database, "audit", clock, AtRest(master_key)),
        tokens=TokenReader.from_file(settings.keys_dir / "issuer.pub.pem"),
    )


def build_writing_room(settings: Settings) -> WritingRoom:
    """The room, with the log's private key in it; raises NoteRefused where the public one is another's."""
    room = build_room(settings)
    key = _signer_key(settings)
    if key.verifier.vkey() != room.verifier.vkey():
        raise NoteRefused("audit.signer.pub.pem is not the public half of audit.signer.pem")
    signer = Signer(room.memory, key)
    sequencer = Sequencer(room.store, signer, room.verifier, settings.audit_origin)
    return WritingRoom(**vars(room), sequencer=sequencer)


def _verifier(settings: Settings) -> NoteVerifier:
    pem = (settings.keys_dir / "audit.signer.pub.pem").read_bytes()
    return NoteVerifier.from_pem(settings.audit_origin, pem)


def _signer_key(settings: Settings) -> NoteSigner:
    return NoteSigner.from_pem(settings.audit_origin, (settings.keys_dir / "audit.signer.pem").read_bytes())


def prepare(room: Room) -> None:
    """The indexes exist."""
    room.store.ensure_indexes()
    room.keyring.ensure_indexes()
    room.access.aggregates.ensure_indexes()
    room.parked.ensure_indexes()


def relay(room: Room) -> Relay:
    """Carries audit's own events (who read the log, who was denied) to the bus, and so into the log."""
    return Relay(room.database, collections=[ACCESSES], amqp_uri=room.settings.amqp_uri, producer="audit")


def run_relay(environ: Mapping[str, str]) -> int:
    """The relay as a role of its own."""
    return roles.run_relay(
        Settings, environ, service="audit", build_room=build_room, prepare=prepare, relay=relay
    )
