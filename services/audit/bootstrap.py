"""What both doors of audit share, built top to bottom."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo.database import Database

from chassis import mongo, roles
from chassis.access import COLLECTION as ACCESSES
from chassis.access import AccessLog
from chassis.at_rest import AtRest
from chassis.clock import Clock, SystemClock
from chassis.oidc.bearer import Tokens, people_tokens
from chassis.parked import ParkedEvents
from chassis.relay import Relay
from chassis.settings import Secret
from services.audit.appending.periodic_log import PeriodicLog
from services.audit.checks.entry_check import EntryCheck
from services.audit.checks.full_inspection import FullInspection
from services.audit.checks.reconciliation import Reconciliation, read_producers
from services.audit.domain.period import ROOT
from services.audit.domain.retention import require_years
from services.audit.keepers.asking import RemoteSigner
from services.audit.keepers.signer import Signing
from services.audit.publishing.mirror import Mirror
from services.audit.publishing.publisher import Publisher
from services.audit.retention.erasure import Erasures
from services.audit.retention.pruning import Pruning
from services.audit.sealing.entry_sealing import EntrySealer
from services.audit.sealing.keyring import Keyring
from services.audit.search.index import SearchIndex
from services.audit.settings import Settings
from services.audit.store.entries import Store
from services.audit.store.periods import CurrentStore, Periods
from services.audit.store.reviews import COLLECTION as REVIEWS
from services.audit.tlog.notes import NoteVerifier
from services.audit.tlog.policy import Policy, parse_policy


@dataclass(frozen=True)
class Room:
    """Everything a door of audit works with."""

    settings: Settings
    clock: Clock
    database: Database[dict[str, Any]]
    store: CurrentStore
    keyring: Keyring
    sealer: EntrySealer
    signer: Signing
    verifier: NoteVerifier
    inspection: FullInspection
    policy: Policy
    erasures: Erasures
    access: AccessLog
    parked: ParkedEvents
    tokens: Tokens


@dataclass(frozen=True)
class WritingRoom(Room):
    """What the worker has besides: the sequencer of this quarter's log."""

    sequencer: PeriodicLog


def build_room(settings: Settings, signer: Signing | None = None, clock: Clock | None = None) -> Room:
    """Plain construction: nothing connects and nothing is written. `signer` is the one over HTTP where none is given."""
    clock = clock or SystemClock()
    client = mongo.connect(settings.mongo_uri)
    database = client[settings.mongo_database]
    # A database apart from the log's own: its backups are short, so that a key that was destroyed stays so.
    keys = client[f"{settings.mongo_database}_keys"]
    store = CurrentStore(database)
    master_key = (settings.keys_dir / "audit.master.key").read_bytes()
    keyring = Keyring(keys, master_key, settings.tenant)
    sealer, verifier = EntrySealer(keyring), _verifier(settings)
    policy = _policy(settings, verifier)
    search = SearchIndex(database, keyring, sealer)
    years = require_years(settings.audit_retention_years)
    erasures = Erasures(keys, keyring, clock, years, search=search)
    signer = signer or _remote_signer(settings, verifier)
    return Room(
        settings=settings,
        clock=clock,
        database=database,
        store=store,
        keyring=keyring,
        sealer=sealer,
        signer=signer,
        verifier=verifier,
        inspection=FullInspection(
            database,
            entry_check=EntryCheck(keyring, sealer, erasures),
            signer=signer,
            verifier=verifier,
            policy=policy,
            erasures=erasures,
            reconciliation=Reconciliation(database, read_producers(settings.audit_producers), clock),
            search=search,
            mirror=_mirror(settings),
        ),
        erasures=erasures,
        policy=policy,
        access=AccessLog(database, clock, "audit"),
        parked=ParkedEvents(database, "audit", clock, AtRest(master_key)),
        tokens=people_tokens(settings),
    )


def build_writing_room(
    settings: Settings, signer: Signing | None = None, clock: Clock | None = None
) -> WritingRoom:
    """The room, and what appends."""
    room = build_room(settings, signer, clock)
    log = PeriodicLog(room.database, room.signer, room.verifier, settings.audit_origin, room.clock)
    return WritingRoom(**vars(room), sequencer=log)


def _policy(settings: Settings, verifier: NoteVerifier) -> Policy:
    """The policy file beside the keys; without one no witness is asked and none is needed. Raises PolicyRefused."""
    path = settings.keys_dir / "audit.policy"
    return parse_policy(path.read_text(encoding="utf-8")) if path.exists() else Policy((verifier,))


def _verifier(settings: Settings) -> NoteVerifier:
    pem = (settings.keys_dir / "audit.signer.pub.pem").read_bytes()
    return NoteVerifier.from_pem(settings.audit_origin, pem)


def _remote_signer(settings: Settings, verifier: NoteVerifier) -> Signing:
    token = (settings.keys_dir / "audit.signer.token").read_text(encoding="ascii").strip()
    return RemoteSigner(settings.audit_signer_url, token, verifier)


@mongo.waits_for_indexes
def prepare(room: Room) -> None:
    """The indexes exist."""
    for store in (room.store, Store(room.database, ROOT)):
        store.ensure_indexes()
    Periods(room.database).ensure_indexes()
    room.keyring.ensure_indexes()
    room.access.aggregates.ensure_indexes()
    room.parked.ensure_indexes()


def relay(room: Room) -> Relay:
    """Carries audit's own events (who read the log, who was denied) to the bus, and so into the log."""
    said_in = [ACCESSES, REVIEWS]
    return Relay(room.database, collections=said_in, amqp_uri=room.settings.amqp_uri, producer="audit")


def mirror(room: Room) -> Mirror | None:
    """The folder of tiles, if the settings name one."""
    return _mirror(room.settings)


def _mirror(settings: Settings) -> Mirror | None:
    return Mirror(Path(settings.audit_mirror_dir)) if settings.audit_mirror_dir else None


def pruning(room: Room) -> Pruning:
    """Erases and prunes what is due, as the one database user who may remove from the log."""
    room = _as_pruner(room)
    origin = room.settings.audit_origin
    return Pruning(
        room.database,
        PeriodicLog(room.database, room.signer, room.verifier, origin, room.clock),
        erasures=room.erasures,
        keyring=room.keyring,
        access=room.access,
        search=SearchIndex(room.database, room.keyring, room.sealer),
        mirror=mirror(room),
        base=origin,
        clock=room.clock,
        years=room.settings.audit_retention_years,
    )


def _as_pruner(room: Room) -> Room:
    uri = room.settings.audit_pruner_uri
    if not uri:
        return room
    told = dataclasses.replace(room.settings, mongo_uri=uri, audit_pruner_uri=Secret())
    return build_room(told, room.signer, room.clock)


def publisher(room: Room) -> Publisher:
    """Cosigns, mirrors and measures the log."""
    origin = room.settings.audit_origin
    appending = PeriodicLog(room.database, room.signer, room.verifier, origin, room.clock)
    return Publisher(
        CurrentStore(room.database),
        appending,
        policy=room.policy,
        base=origin,
        mirror=mirror(room),
        clock=room.clock,
        pruning=pruning(room),
    )


def run_relay(environ: Mapping[str, str]) -> int:
    """The relay as a role of its own."""
    return roles.run_relay(
        Settings, environ, service="audit", build_room=build_room, prepare=prepare, relay=relay
    )
