"""Who may do what at the broker and in the database: one table, from which the set-up makes every user.

`docs/permissions.md` is this table in words, and a test compares the two.  A process has a user of its own at each;
whatever is not said here is refused by the broker or by the database, not by us.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SERVICES = ("intake", "matching", "notifications", "audit")
EVENTS = "kindred.events"
# Who makes and removes everything; no process of a service holds its password.
OWNER = "kindred"
PRUNER = "audit-pruner"
# Doors that store what they are told; another process's relay carries it on.
_MORE_DOORS = {"intake": ("mllp",), "audit": ("atna",)}
# Every collection of the database.
ALL = ""
_NOTHING = "^$"

LOOKS = ("find",)
_ADDS = ("insert",)
_CHANGES = ("update",)
_REMOVES = ("remove",)
_MAKES_INDEXES = ("createIndex",)
# A relay is told of changes; a start looks which collections and indexes are there.
_SEES = ("changeStream", "listCollections", "listIndexes")

# Collections whose rows may go: what a listener has dealt with, keys of erased people, ended sessions.
_SHORT_LIVED = ("retry_events", "started_events")
REMOVABLE = {
    "intake": (*_SHORT_LIVED, "data_keys", "desk_sessions", "desk_sign_ins", "deliveries", "receivers"),
    "matching": (*_SHORT_LIVED, "work_sessions", "work_sign_ins"),
    "notifications": (*_SHORT_LIVED, "data_keys", "page_sessions", "page_sign_ins", "addresses"),
    # Partial tiles, staged heads, search marks: all of it can be made again from the entries.
    "audit": (
        *(
            *_SHORT_LIVED,
            "console_sessions",
            "console_sign_ins",
            "register",
            "saved_searches",
            "finds",
            "search_state",
        ),
        *("tiles", "root_tiles", "staged", "root_staged"),
    ),
}
# The log itself: written once, never changed, removed by the pruner alone.
LOG = ("entries", "root_entries", "rows", "root_rows")
# What audit's two processes change, besides adding to it.
AUDIT_CHANGES = (
    *("heads", "root_heads", "staged", "root_staged", "producers", "root_producers", "periods", "leases"),
    *("oddities", "register", "saved_searches", "finds", "search_state", "detections", "accesses", "reviews"),
    *("outbox", "outbox_numbers", "parked_events", "parked_pieces", "retry_events", "started_events"),
    *("refused_events", "console_sessions", "console_sign_ins", "tiles", "root_tiles"),
)
# An index may carry an expiry, and an expiry deletes: the entries need no index, and nobody may make one there.
AUDIT_INDEXES = (*AUDIT_CHANGES, "rows", "root_rows")
AUDIT_KEYS = "kindred_audit_keys"
# What each service's relay collects from; audit compares how many events each document counts, and sees no more of it.
AGGREGATES = {
    "intake": ("referrals", "rejections", "links", "subscriptions", "accesses"),
    "matching": ("cases", "specialists", "programmes", "accesses"),
    "notifications": ("notices", "wishes", "overseers", "accesses"),
    "audit": ("accesses", "reviews"),
}
COUNTS = "event_counts."
COUNTS_SHOW = {"event_seq": 1, "outbox._id": 1}


@dataclass(frozen=True)
class Grant:
    """Actions on some collections of a database; no collection named means every one of it."""

    database: str
    actions: tuple[str, ...]
    collections: tuple[str, ...] = (ALL,)


@dataclass(frozen=True)
class BrokerRights:
    """RabbitMQ's four: names it may configure, write to and read from, and which events it may publish."""

    write: str = _NOTHING
    read: str = _NOTHING
    says: tuple[str, ...] = ()

    @property
    def topics(self) -> str:
        """The routing keys it may use at the exchange of all events, as RabbitMQ matches them."""
        return f"^({'|'.join(map(re.escape, self.says))})$" if self.says else _NOTHING


@dataclass(frozen=True)
class User:
    """One user of the broker (where `broker` is there) and of the database."""

    name: str
    database: tuple[Grant, ...]
    broker: BrokerRights | None = None


def users() -> list[User]:
    """Every user but the owner: one for each process that reaches broker or database, and the pruner."""
    return [*(user for service in SERVICES for user in _of_service(service)), _pruner()]


def database_of(service: str) -> str:
    """The service's own database."""
    return f"kindred_{service}"


def said_by(service: str) -> tuple[str, ...]:
    """The events of the service's own proto, and those that every service says of its readers."""
    from chassis import catalog

    packages = (f"kindred.{service}.v1", "kindred.access.v1")
    found = catalog.all_types().items()
    return tuple(sorted(name for name, cls in found if cls.DESCRIPTOR.file.package in packages))


def _of_service(service: str) -> Iterator[User]:
    grants = _audit() if service == "audit" else _ordinary(service)
    api = BrokerRights(write=rf"^({re.escape(EVENTS)}|{service}\.again)$", says=said_by(service))
    compares = _compares() if service == "audit" else ()
    yield User(f"{service}-api", (*grants, *compares), api)
    yield User(f"{service}-worker", grants, BrokerRights(read=rf"^{service}\.(inbox|dead)$"))
    for door in _MORE_DOORS.get(service, ()):
        yield User(f"{service}-{door}", grants)


def _ordinary(service: str) -> tuple[Grant, ...]:
    own = database_of(service)
    return (
        Grant(own, (*LOOKS, *_ADDS, *_CHANGES, *_MAKES_INDEXES, *_SEES)),
        Grant(own, _REMOVES, REMOVABLE[service]),
    )


def _audit() -> tuple[Grant, ...]:
    own = database_of("audit")
    return (
        Grant(own, (*LOOKS, *_ADDS, *_SEES)),
        Grant(own, _CHANGES, AUDIT_CHANGES),
        Grant(own, _MAKES_INDEXES, AUDIT_INDEXES),
        Grant(own, _REMOVES, REMOVABLE["audit"]),
        Grant(AUDIT_KEYS, (*LOOKS, *_ADDS, *_MAKES_INDEXES, *_SEES)),
        Grant(AUDIT_KEYS, _CHANGES, ("erasure_requests", "legal_holds")),
    )


def _compares() -> tuple[Grant, ...]:
    """What `kindred audit fsck` holds beside the log: events audit was told anyway, and counts of events."""
    counts = {name: tuple(COUNTS + each for each in kept) for name, kept in AGGREGATES.items()}
    return tuple(
        Grant(database_of(name), LOOKS, ("outbox", "outbox_numbers", *counts[name]))
        for name in SERVICES
        if name != "audit"
    )


def _pruner() -> User:
    """Removes quarters whose retention is over, and keys that were asked to be destroyed."""
    everything = (*LOOKS, *_ADDS, *_CHANGES, *_REMOVES, "listCollections")
    return User(PRUNER, (Grant(database_of("audit"), everything), Grant(AUDIT_KEYS, everything)))


def table() -> list[tuple[str, str, str, str]]:
    """The rows of docs/permissions.md: user, broker write, broker read, database."""
    return [(user.name, _writes(user.broker), _reads(user.broker), _database(user)) for user in users()]


def _writes(broker: BrokerRights | None) -> str:
    if broker is None or broker.write == _NOTHING:
        return "nothing"
    return f"`{broker.write}`, of {EVENTS} its own events"


def _reads(broker: BrokerRights | None) -> str:
    return "nothing" if broker is None or broker.read == _NOTHING else f"`{broker.read}`"


def _database(user: User) -> str:
    return "; ".join(_grant(grant) for grant in user.database)


def _grant(grant: Grant) -> str:
    where = (
        grant.database if grant.collections == (ALL,) else f"{grant.database}: {', '.join(grant.collections)}"
    )
    return f"{' '.join(grant.actions)} on {where}"


if __name__ == "__main__":  # python -m cli.local.rights: the rows of docs/permissions.md
    for row in table():
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
