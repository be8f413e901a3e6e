"""What both doors of intake share, built top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo.database import Database

from chassis import mongo, roles
from chassis.access import COLLECTION as ACCESSES
from chassis.access import AccessLog
from chassis.aggregates import Aggregates
from chassis.at_rest import AtRest
from chassis.clock import Clock, SystemClock
from chassis.envelope import Cause
from chassis.identity import Caller
from chassis.key_providers import KeyFolder
from chassis.oidc.bearer import Tokens, people_tokens
from chassis.parked import ParkedEvents
from chassis.relay import Relay
from chassis.sealing import PublicSeal
from chassis.vault import Vault
from services.intake import taxonomy
from services.intake.codec import Speller
from services.intake.domain.events import Event
from services.intake.r4 import table
from services.intake.settings import Settings
from services.intake.store.blind import BlindIndex
from services.intake.store.code_counts import CodeCounts
from services.intake.store.drafts import Drafts
from services.intake.store.faces import Faces
from services.intake.store.finding import Finding
from services.intake.store.links import COLLECTION as LINKS
from services.intake.store.links import Links
from services.intake.store.listing import Listing
from services.intake.store.lookups import Lookups
from services.intake.store.marks import Marks
from services.intake.store.messages import Messages
from services.intake.store.outward import SUBSCRIPTIONS, Deliveries, Subscriptions
from services.intake.store.people import People
from services.intake.store.receipts import Receipts
from services.intake.store.referrals import Referrals, Said, new_referral_id
from services.intake.store.rejections import Rejections
from services.intake.store.sessions import Sessions
from services.intake.store.worklist import Worklist
from services.intake.taxonomy import Taxonomy

NAME = "intake"
_COLLECTIONS = ("referrals", "rejections", LINKS, SUBSCRIPTIONS, ACCESSES)


@dataclass(frozen=True)
class Room:
    """Everything a handler may touch."""

    settings: Settings
    clock: Clock
    database: Database[dict[str, Any]]
    taxonomy: Taxonomy
    people: People
    links: Links
    marks: Marks
    referrals: Referrals
    receipts: Receipts
    listing: Listing
    code_counts: CodeCounts
    finding: Finding
    lookups: Lookups
    rejections: Rejections
    messages: Messages
    access: AccessLog
    vault: Vault
    parked: ParkedEvents
    tokens: Tokens
    sessions: Sessions
    drafts: Drafts
    worklist: Worklist
    subscriptions: Subscriptions
    deliveries: Deliveries
    new_referral_id: Callable[[], str] = new_referral_id
    says: Callable[[Sequence[Event], Caller, Cause], Said] = Said


def build_room(settings: Settings, clock: Clock | None = None) -> Room:
    """The room; reads key files, connects to nothing."""
    clock = clock or SystemClock()
    client = mongo.connect(settings.mongo_uri)
    database = client[settings.mongo_database]
    master_key = (settings.keys_dir / "intake.master.key").read_bytes()
    blind = BlindIndex(master_key)
    marks = Marks(blind)
    folder = KeyFolder(settings.keys_dir, NAME)
    vault = Vault(client, settings.mongo_database, master_key, folder)
    spell = Speller(PublicSeal.from_dir(settings.keys_dir, "notifications"), settings.desk_time_zone).message
    cipher = AtRest(master_key)
    links = Links(database, clock, NAME, spell)
    table.load()  # 150 KB of definitions: read before the first request waits for them
    aggregates = Aggregates(database, "referrals", clock, NAME)
    referrals = Referrals(aggregates, vault, marks, spell)
    faces = Faces(vault)
    people = People(database, blind, clock, faces, links)
    return Room(
        settings=settings,
        clock=clock,
        database=database,
        taxonomy=taxonomy.load(),
        people=people,
        links=links,
        marks=marks,
        referrals=referrals,
        receipts=Receipts(aggregates),
        listing=Listing(database),
        code_counts=CodeCounts(database),
        finding=Finding(database, aggregates, referrals, people.group),
        lookups=Lookups(database, blind, faces, links, people.lookout),
        rejections=Rejections(Aggregates(database, "rejections", clock, NAME), clock, spell),
        messages=Messages(database, blind),
        access=AccessLog(database, clock, NAME),
        vault=vault,
        parked=ParkedEvents(database, NAME, clock, cipher),
        tokens=people_tokens(settings),
        sessions=Sessions(
            database,
            clock,
            timedelta(minutes=settings.desk_idle_minutes),
            timedelta(hours=settings.desk_longest_hours),
        ),
        worklist=Worklist(Aggregates(database, "referrals", clock, NAME), vault),
        drafts=Drafts(database, clock, master_key, timedelta(hours=settings.desk_draft_hours)),
        subscriptions=Subscriptions(Aggregates(database, SUBSCRIPTIONS, clock, NAME), cipher, clock),
        deliveries=Deliveries(database, clock, NAME),
    )


@mongo.waits_for_indexes
def prepare(room: Room) -> None:
    """Every index exists; may be called many times."""
    room.people.ensure_indexes()
    room.links.ensure_indexes()
    room.referrals.ensure_indexes()
    room.listing.ensure_indexes()
    room.code_counts.ensure_indexes()
    room.finding.ensure_indexes()
    room.rejections.ensure_indexes()
    room.messages.ensure_indexes()
    room.access.aggregates.ensure_indexes()
    room.vault.ensure_indexes()
    room.parked.ensure_indexes()
    room.sessions.ensure_indexes()
    room.drafts.ensure_indexes()
    room.subscriptions.ensure_indexes()
    room.deliveries.ensure_indexes()


def relay(room: Room) -> Relay:
    """Carries what intake says from its collections to the bus."""
    return Relay(room.database, collections=_COLLECTIONS, amqp_uri=room.settings.amqp_uri, producer=NAME)


def run_relay(environ: Mapping[str, str]) -> int:
    """The role `relay`: nothing but the relay, for volume."""
    return roles.run_relay(
        Settings, environ, service=NAME, build_room=build_room, prepare=prepare, relay=relay
    )
