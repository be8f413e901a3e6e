"""What both doors of matching share, built top to bottom."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
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
from chassis.sealing import PublicSeal
from chassis.web_session import Limits, WebSessions
from services.matching import sites, taxonomy
from services.matching.announcing import Announcer
from services.matching.domain import policy as policies
from services.matching.domain.attributes import Taxonomy
from services.matching.domain.policy import Policy
from services.matching.ranking import RosterIndex
from services.matching.settings import Settings
from services.matching.sites import Sites
from services.matching.store import CaseStore, LadderStore, PlanStore, RosterStore
from services.matching.store.board import BoardStore
from services.matching.store.cases import COLLECTION as CASES
from services.matching.store.ladders import COLLECTION as PROGRAMMES
from services.matching.store.roster import COLLECTION as SPECIALISTS
from services.matching.watching import RosterWatch

_POLICY_FILE = Path(__file__).with_name("policy.v1.json")
# A phone in a pocket is picked up all through a shift; a screen in an office is left alone.
_SESSIONS = Limits(idle=timedelta(minutes=30), longest=timedelta(hours=12))


@dataclass(frozen=True)
class Room:
    """Everything a handler may use. `digest_key` makes the fingerprint of a roster row unguessable."""

    settings: Settings
    clock: Clock
    database: Database[dict[str, Any]]
    policy: Policy
    policy_document: Mapping[str, Any]
    taxonomy: Taxonomy
    cases: CaseStore
    roster: RosterStore
    ladders: LadderStore
    plans: PlanStore
    boards: BoardStore
    sessions: WebSessions
    index: RosterIndex
    roster_watch: RosterWatch
    access: AccessLog
    parked: ParkedEvents
    tokens: Tokens
    seal: PublicSeal
    sites: Sites
    digest_key: bytes = field(repr=False)


def build_room(settings: Settings, clock: Clock | None = None) -> Room:
    """The room for these settings; reads the key files, connects to nothing yet."""
    clock = clock or SystemClock()
    database = mongo.connect(settings.mongo_uri)[settings.mongo_database]
    document = json.loads(_POLICY_FILE.read_text(encoding="utf-8"))
    policy = policies.from_document(document, settings.immediate_ladder())
    known = taxonomy.read()
    master_key = (settings.keys_dir / "matching.master.key").read_bytes()
    seal = PublicSeal.from_dir(settings.keys_dir, "notifications")
    roster = RosterStore(database, clock, policy.care, AtRest(master_key))
    cases = CaseStore(database, clock, Announcer(seal), policy.load_milli.__getitem__)
    index = RosterIndex(list(known.attributes))
    return Room(
        settings=settings,
        clock=clock,
        database=database,
        policy=policy,
        policy_document=document,
        taxonomy=known,
        cases=cases,
        roster=roster,
        ladders=LadderStore(database, clock, policy),
        plans=PlanStore(database),
        boards=BoardStore(database),
        sessions=WebSessions(database, clock, "work", _SESSIONS, _purpose_of),
        index=index,
        roster_watch=RosterWatch(roster, cases, index, clock, settings.regions),
        access=AccessLog(database, clock, "matching"),
        parked=ParkedEvents(database, "matching", clock, AtRest(master_key)),
        tokens=people_tokens(settings),
        seal=seal,
        sites=sites.load(settings.hospitals),
        digest_key=hmac.digest(master_key, b"kindred roster row v1", "sha256"),
    )


def _purpose_of(role: str) -> str:
    """A specialist at the pages treats; who leads coordinates care (DOMAIN 5)."""
    return "TREAT" if role == "specialist" else "COC"


@mongo.waits_for_indexes
def prepare(room: Room) -> None:
    """The store has its indexes; may be called many times."""
    room.cases.ensure_indexes()
    room.roster.ensure_indexes()
    room.ladders.ensure_indexes()
    room.plans.ensure_indexes()
    room.boards.ensure_indexes()
    room.sessions.ensure_indexes()
    room.access.aggregates.ensure_indexes()
    room.parked.ensure_indexes()


def relay(room: Room) -> Relay:
    """Carries what matching says to the bus."""
    return Relay(
        room.database,
        collections=[CASES, SPECIALISTS, PROGRAMMES, ACCESSES],
        amqp_uri=room.settings.amqp_uri,
        producer="matching",
    )


def run_relay(environ: Mapping[str, str]) -> int:
    """Runs the relay alone, for volume."""
    return roles.run_relay(
        Settings, environ, service="matching", build_room=build_room, prepare=prepare, relay=relay
    )
