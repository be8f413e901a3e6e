"""What the officer's side of audit works with: the log's parts for reading, the search index, reviews, saved searches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pymongo.database import Database

from chassis import mongo
from chassis.access import AccessLog
from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.oidc.bearer import Tokens
from services.audit.retention.erasure import Erasures
from services.audit.sealing.entry_sealing import EntrySealer
from services.audit.sealing.keyring import Keyring
from services.audit.search.index import SearchIndex
from services.audit.settings import Settings
from services.audit.store.periods import CurrentStore
from services.audit.store.register import Register
from services.audit.store.reviews import Reviews
from services.audit.store.saved import SavedSearches
from services.audit.tlog.notes import NoteVerifier
from services.audit.tlog.policy import Policy

if TYPE_CHECKING:
    from services.audit.bootstrap import Room


@dataclass(frozen=True)
class ReadingRoom:
    """Everything searches, reports, reviews and the console touch."""

    settings: Settings
    clock: Clock
    database: Database[dict[str, Any]]
    store: CurrentStore
    keyring: Keyring
    sealer: EntrySealer
    verifier: NoteVerifier
    policy: Policy
    erasures: Erasures
    access: AccessLog
    tokens: Tokens
    finds: SearchIndex
    at_rest: AtRest
    register: Register
    reviews: Reviews
    saved: SavedSearches


def reading_room(room: Room) -> ReadingRoom:
    """The officer's part of a room; nothing connects and nothing is written."""
    at_rest = AtRest.from_dir(room.settings.keys_dir, "audit")
    return ReadingRoom(
        settings=room.settings,
        clock=room.clock,
        database=room.database,
        store=room.store,
        keyring=room.keyring,
        sealer=room.sealer,
        verifier=room.verifier,
        policy=room.policy,
        erasures=room.erasures,
        access=room.access,
        tokens=room.tokens,
        finds=SearchIndex(room.database, room.keyring, room.sealer),
        at_rest=at_rest,
        register=Register(room.database, room.keyring),
        reviews=Reviews(room.database, room.clock, at_rest),
        saved=SavedSearches(room.database, at_rest),
    )


@mongo.waits_for_indexes
def prepare_reading(room: ReadingRoom) -> None:
    """The indexes exist."""
    room.finds.ensure_indexes()
    room.reviews.ensure_indexes()
    room.saved.ensure_indexes()
