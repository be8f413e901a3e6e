"""Builders for the audit service's tests: events with character, and a room on a fresh database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from google.protobuf.message import Message
from pymongo.database import Database

from chassis import catalog
from chassis.clock import Clock
from chassis.envelope import Envelope
from chassis.readiness import Readiness
from cli.local import keys, policy
from kindred.access.v1.events_pb2 import RecordRead
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1.events_pb2 import ReferralSubmitted
from services.audit import bootstrap, codec, handlers
from services.audit.bootstrap import WritingRoom
from services.audit.domain.facts import Facts
from services.audit.keepers.keeper import KeeperSettings, Route, build_witness, open_server, witness_route
from services.audit.keepers.remembered import RememberedNotes
from services.audit.keepers.signer import Signer
from services.audit.settings import Settings
from services.audit.tlog.notes import NoteSigner

MOMENT = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_numbers = count(1)


def settings_for(database: Database[Any], keys_dir: Path, mongo_uri: str) -> Settings:
    """Settings of an audit process on this database."""
    return Settings(
        mongo_uri=mongo_uri,
        mongo_database=database.name,
        amqp_uri="amqp://none/",
        keys_dir=keys.create(keys_dir),
    )  # type: ignore[arg-type]


def a_room(
    database: Database[Any], keys_dir: Path, mongo_uri: str, clock: Clock | None = None
) -> WritingRoom:
    """A worker's room, prepared; build a second one for a second worker. Its signer is in this process."""
    settings = settings_for(database, keys_dir, mongo_uri)
    room = bootstrap.build_writing_room(settings, a_signer(settings), clock)
    bootstrap.prepare(room)
    return room


def a_signer(settings: Settings) -> Signer:
    """The signer of this folder's key, remembering in a folder beside it."""
    key = NoteSigner.from_pem(settings.audit_origin, (settings.keys_dir / "audit.signer.pem").read_bytes())
    return Signer(RememberedNotes(settings.keys_dir / "signer-state"), key)


@contextmanager
def serving(route: Route) -> Iterator[str]:
    """A keeper's door on a free port, as its process opens it; gives its URL."""
    server = open_server("127.0.0.1:0", route, Readiness({}))
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@contextmanager
def a_witness(keys_dir: Path) -> Iterator[str]:
    """A witness of this folder's log, and the policy file that asks for its cosignature; gives its URL."""
    settings = KeeperSettings(keys_dir=keys_dir, state_dir=keys_dir / "witness-state")
    with serving(witness_route(build_witness(settings))) as url:
        policy.write(keys_dir, keys_dir, url)
        yield url


def a_read(peer_id: str = "peer_rosa", actor_id: str = "nurse-17", purpose: str = "TREAT") -> RecordRead:
    """A nurse reads a referral of Rosa's."""
    who = Provenance(
        actor_id=actor_id,
        actor_role="nurse",
        organization_id="st-brigid",
        purpose_of_use=purpose,
        peer_id=peer_id,
    )
    return RecordRead(
        provenance=who, record_type="Referral", record_id="ref_1", action="read", referral_id="ref_1"
    )


def a_submission(peer_id: str = "peer_rosa") -> ReferralSubmitted:
    """St. Brigid's system submits a referral of Rosa's."""
    who = Provenance(actor_id="client:st-brigid-ehr", actor_role="system", peer_id=peer_id)
    return ReferralSubmitted(provenance=who, referral_id="ref_1", source_id="st-brigid")


def an_envelope(
    message: Message | None = None,
    *,
    event_id: str = "",
    event_type: str = "",
    producer: str = "intake",
    producer_seq: int | None = None,
    after: timedelta = timedelta(),
    content: bytes = b"",
) -> Envelope:
    """An event on its way; without a message it is one of a type nobody knows."""
    number = next(_numbers)
    return Envelope(
        id=event_id or f"evt_{number:032x}",
        type=event_type or (catalog.type_of(message) if message is not None else "weather.changed.v9"),
        source=producer,
        time=MOMENT + after,
        aggregate_id="agg_1",
        aggregate_seq=1,
        producer_seq=number if producer_seq is None else producer_seq,
        correlation_id="cor_1",
        causation_id="",
        traceparent=TRACEPARENT,
        data=message.SerializeToString() if message is not None else content,
    )


def facts_of(message: Message | None = None, **envelope: Any) -> Facts:
    """What an event says to an auditor."""
    return codec.facts_from_event(an_envelope(message, **envelope), message)


def some_reads(number: int, producer: str = "intake", first: int = 1) -> list[Facts]:
    """Reads of ten peers' records by three nurses, numbered from `first`."""
    return [
        facts_of(
            a_read(peer_id=f"peer_{each % 10}", actor_id=f"nurse-{each % 3}"),
            producer=producer,
            producer_seq=each,
            after=timedelta(milliseconds=each),
        )
        for each in range(first, first + number)
    ]


@dataclass
class Log:
    """A room with a few words of its own."""

    room: WritingRoom

    def record(self, heard: list[Facts]) -> int:
        """Hears events."""
        return handlers.record(self.room, heard)

    @property
    def size(self) -> int:
        """Published entries."""
        heads = self.room.store.heads_now()
        return heads.published.size if heads else 0

    def findings(self) -> list[tuple[str, int]]:
        """Codes and indexes of everything a check finds."""
        return [(each.code, each.index) for each in self.room.inspection.check().findings]

    def codes(self) -> set[str]:
        """Codes of everything a check finds."""
        return {code for code, _ in self.findings()}
