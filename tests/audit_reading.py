"""A log to read from: entries sealed and stored as the sequencer stores them, and the officer's doors over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pymongo.database import Database
from starlette.routing import BaseRoute

from chassis import identity, mongo
from chassis.access import AccessLog
from chassis.at_rest import AtRest
from chassis.clock import Clock, SystemClock
from chassis.http_server import build_app, serve
from chassis.identity import Caller
from chassis.oidc.bearer import people_tokens
from cli.local import keys
from services.audit.domain.entry import Batch, Head
from services.audit.domain.facts import Facts
from services.audit.reading_room import ReadingRoom, prepare_reading
from services.audit.retention.erasure import Erasures
from services.audit.sealing.entry_sealing import EntrySealer
from services.audit.sealing.keyring import Keyring
from services.audit.search.index import SearchIndex
from services.audit.settings import Settings
from services.audit.store.periods import CurrentStore
from services.audit.store.register import Register
from services.audit.store.reviews import Reviews
from services.audit.store.saved import SavedSearches
from services.audit.tlog.checkpoints import Checkpoint, sign_checkpoint
from services.audit.tlog.merkle import EMPTY_ROOT, leaf_hash
from services.audit.tlog.notes import NoteSigner, NoteVerifier
from services.audit.tlog.policy import Policy
from services.audit.tlog.tiles import TILE_WIDTH, Edge


def a_reading_room(
    database: Database[Any], keys_dir: Path, mongo_uri: str, clock: Clock | None = None, **told: Any
) -> ReadingRoom:
    """The officer's part of audit on this database, prepared."""
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=database.name,
        amqp_uri="amqp://none/",
        keys_dir=keys.create(keys_dir),
        **told,
    )  # type: ignore[arg-type]
    client = mongo.connect(mongo_uri)
    database, clock = client[database.name], clock or SystemClock()
    master_key = (keys_dir / "audit.master.key").read_bytes()
    keyring = Keyring(client[f"{database.name}_keys"], master_key, settings.tenant)
    sealer = EntrySealer(keyring)
    public = (keys_dir / "audit.signer.pub.pem").read_bytes()
    finds = SearchIndex(database, keyring, sealer)
    verifier = NoteVerifier.from_pem(settings.audit_origin, public)
    room = ReadingRoom(
        settings=settings,
        clock=clock,
        database=database,
        store=CurrentStore(database),
        keyring=keyring,
        sealer=sealer,
        verifier=verifier,
        policy=Policy((verifier,)),
        erasures=Erasures(client[f"{database.name}_keys"], keyring, clock, 7, search=finds),
        access=AccessLog(database, clock, "audit"),
        tokens=people_tokens(settings),
        finds=finds,
        at_rest=AtRest(master_key),
        register=Register(database, keyring),
        reviews=Reviews(database, clock, AtRest(master_key)),
        saved=SavedSearches(database, AtRest(master_key)),
    )
    room.store.ensure_indexes()
    keyring.ensure_indexes()
    room.access.aggregates.ensure_indexes()
    prepare_reading(room)
    return room


@dataclass
class ReadLog:
    """A log one can append to without a broker, a signer or a worker."""

    room: ReadingRoom
    issuer_pem: bytes
    edge: Edge = field(default_factory=Edge)
    leaves: list[bytes] = field(default_factory=list)

    def record(self, heard: Sequence[Facts]) -> int:
        """The events are entries: bodies, rows, tiles and a published head. Returns the log's size."""
        store, sealed = self.room.store, tuple(self.room.sealer.seal(heard))
        batch = Batch(self.edge.size, sealed)
        hashes = [leaf_hash(entry.leaf) for entry in sealed]
        old = Head(self.edge.size, self.edge.root() if self.edge.size else EMPTY_ROOT, self.note())
        self.edge, tiles = self.edge.grow(hashes)
        self.leaves += [entry.leaf for entry in sealed]
        store.write_entries(batch)
        store.write_rows(batch)
        full = {
            number: self.leaves[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]
            for number in range(old.size // TILE_WIDTH, self.edge.size // TILE_WIDTH)
        }
        store.write_tiles(tiles, full)
        new = Head(self.edge.size, self.edge.root(), self.note())
        if not old.size:
            store.begin(old)
        assert store.swap_head(old, new)
        store.mark_published(new)
        return new.size

    def note(self) -> bytes:
        """The checkpoint over what is there, signed by the log's own key."""
        origin, root = self.room.settings.audit_origin, self.edge.root() if self.edge.size else EMPTY_ROOT
        pem = (self.room.settings.keys_dir / "audit.signer.pem").read_bytes()
        return sign_checkpoint(Checkpoint(origin, self.edge.size, root), NoteSigner.from_pem(origin, pem))

    def token(self, role: str = "compliance", actor: str = "officer-vera", org: str = "kindred") -> str:
        """A token of the local issuer."""
        return identity.mint(self.issuer_pem, actor_id=actor, role=role, organization_id=org)

    @contextmanager
    def serving(self, routes: Sequence[BaseRoute], **more: Any) -> Iterator[str]:
        """The routes behind the door every service uses; the address they are at."""
        app = build_app(
            self.room.settings,
            routes=routes,
            tokens=self.room.tokens,
            readiness={},
            on_denied=self._denied,
            **more,
        )
        server = serve(app, self.room.settings.http_address)
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.stop(1.0)

    def _denied(self, caller: Any, method: str, code: str) -> None:
        from chassis import telemetry

        self.room.access.record_denied(
            caller,
            record_type="AuditEvent",
            record_id="",
            action=method,
            reason_code=code,
            cause=telemetry.current_cause(),
        )

    def officer(self, actor: str = "officer-vera", authenticated_at: float = 4e9) -> Caller:
        """Somebody of compliance."""
        return Caller(actor, "compliance", "kindred", authenticated_at=authenticated_at)

    @contextmanager
    def client(self, address: str, purpose: str = "HCOMPL", **who: str) -> Iterator[httpx.Client]:
        """Somebody with a token."""
        headers = {"authorization": f"Bearer {self.token(**who)}", "x-purpose-of-use": purpose}
        with httpx.Client(base_url=address, headers=headers, timeout=20) as client:
            yield client

    def said(self) -> list[tuple[str, Any]]:
        """What was written for the log meanwhile, (type, message) each, oldest first."""
        from chassis import catalog

        found = self.room.database["accesses"].find({}, {"outbox": 1}).sort("_id", 1)
        rows = [row for document in found for row in document.get("outbox", [])]
        return [(row["type"], catalog.message_class(row["type"]).FromString(row["data"])) for row in rows]


@contextmanager
def a_read_log(mongo_uri: str, folder: Path, clock: Clock | None = None, **told: Any) -> Iterator[ReadLog]:
    """A log in a database of its own, dropped afterwards."""
    import secrets

    client = mongo.connect(mongo_uri)
    name = f"kindred_test_{secrets.token_hex(6)}"
    room = a_reading_room(client[name], folder / "keys", mongo_uri, clock, **told)
    try:
        yield ReadLog(room, (folder / "keys" / "issuer.pem").read_bytes())
    finally:
        for suffix in ("", "_keys"):
            client.drop_database(name + suffix)
        room.database.client.close()
        client.close()
