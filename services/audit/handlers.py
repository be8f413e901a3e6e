"""What audit does, one function per command: load, decide, save."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import Context
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.failpoints import failpoint
from chassis.identity import Caller
from services.audit.domain.entry import Head, LogBroken
from services.audit.domain.facts import Facts
from services.audit.domain.leaf import Leaf, parse_leaf
from services.audit.domain.report import Report
from services.audit.fhir import ReadBody, read_body

if TYPE_CHECKING:
    from services.audit.bootstrap import Room, WritingRoom
    from services.audit.store.entries import Store
    from services.audit.tlog.tiles import TiledTree

T = TypeVar("T")

MOST_HITS = 1_000
USUAL_HITS = 100
# A message of the API holds one megabyte; leaves are streamed in far smaller pieces.
_LEAVES_PER_MESSAGE_BYTES = 256_000
_LEAVES_PER_READ = 1_024
# How much of a message one page may fill, in percent: the rest is for the checkpoint and what lies around it.
_PAGE_PERCENT = 70
# Numbers, tags and lengths of one entry on the wire are fewer bytes than this.
_FRAME_BYTES = 160
_OPENED_AT_ONCE = 64


@dataclass(frozen=True)
class Search:
    """What is looked for; every criterion that is given must hold."""

    peer_id: str = ""
    referral_id: str = ""
    actor_id: str = ""
    event_type: str = ""
    recorded_from: datetime | None = None
    recorded_until: datetime | None = None
    limit: int = 0
    before: tuple[datetime, int] | None = None

    def criteria(self) -> list[str]:
        """The names of the criteria that were used, never their values."""
        named = ("peer_id", "referral_id", "actor_id", "event_type", "recorded_from", "recorded_until")
        return [name for name in named if getattr(self, name)]

    def told(self) -> dict[str, str]:
        """The criteria with their values, as an export says them."""
        values = {name: getattr(self, name) for name in self.criteria()}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
        }


@dataclass(frozen=True)
class Hit:
    """One entry, opened. `body` is None where the subject's key is gone."""

    index: int
    row: dict[str, Any]
    leaf: bytes
    parsed: Leaf
    fhir_json: bytes
    body: ReadBody | None

    @property
    def most_bytes(self) -> int:
        """What the entry takes of an answer at the most, in bytes: every text that row and body hold."""
        texts = [*self.row.values(), *(astuple(self.body) if self.body else ())]
        shown = sum(len(text.encode()) for text in texts if isinstance(text, str))
        return len(self.fhir_json) + len(self.leaf) + shown + _FRAME_BYTES


@dataclass(frozen=True)
class Found:
    """The hits, newest first, the head they were found under, and where to go on ("" at the end)."""

    head: Head
    hits: list[Hit] = field(default_factory=list)
    goes_on_after: tuple[datetime, int] | None = None


def record(room: WritingRoom, heard: Sequence[Facts]) -> int:
    """Each event is one entry of the log, whatever it is and however often it came; how many were new."""
    written = room.sequencer.append(room.sealer.seal(heard))
    failpoint("audit.before_ack")
    return written


def search(room: Room, wanted: Search, caller: Caller, cause: Cause) -> Found:
    """A page of the entries that match; that they were looked for is itself an entry, durable before this returns.

    A page ends at the limit (at most `MOST_HITS`, whatever was asked for) or before it fills 70 % of a message of
    the API, whichever comes first; an entry that alone is larger is a page of its own.
    """
    room.access.record_read(
        caller,
        record_type="AuditEvent",
        record_id="",
        action="search",
        subject_id=wanted.peer_id,
        referral_id=wanted.referral_id,
        criteria=wanted.criteria(),
        cause=cause,
    )
    head = _published(room)
    limit = min(wanted.limit or USUAL_HITS, MOST_HITS)
    query = index_query(room, wanted, head)
    rows = room.store.search_rows(query, limit + 1) if query is not None else []
    hits = _that_fit(_opened(room, rows[:limit]), room.settings.max_body_bytes * _PAGE_PERCENT // 100)
    goes_on = hits and (len(rows) > len(hits))
    return Found(head, hits, (hits[-1].row["recorded_at"], hits[-1].index) if goes_on else None)


def newest_checkpoint(room: Room) -> Head:
    """The newest head under which everything can be read."""
    return _published(room)


def prove_inclusion(room: Room, index: int, tree_size: int) -> tuple[int, bytes, list[bytes]]:
    """The tree's size, the leaf's hash and its proof; size 0 means the newest. Made from tiles alone.

    `index` counts through all periods; size and proof are those of the period's own log.
    """
    for is_last_asked in (
        False,
        True,
    ):  # only where the last known log does not hold it, another may have followed
        store = room.store.log_of(index, is_last_asked=is_last_asked)
        inside, published = index - store.place.first, _size_of(store)
        if 0 <= inside < published:
            break
    tree = _tree(store, tree_size, published)
    if not 0 <= inside < tree.size:
        raise _out_of_range("index", tree.size)
    path = tree.prove_inclusion(inside)  # first, because it fetches all tiles at once, the leaf's too
    return tree.size, tree.leaf_hash(inside), path


def prove_consistency(room: Room, old_size: int, new_size: int) -> list[bytes]:
    """The proof that the log of `new_size` begins with the log of `old_size`."""
    tree = _tree(room.store, new_size, _size_of(room.store))
    if not 1 <= old_size <= tree.size:
        raise _out_of_range("old_size", tree.size)
    return tree.prove_consistency(old_size)


def read_leaves(
    room: Room, start: int, end: int, caller: Caller, cause: Cause
) -> Iterator[tuple[int, list[bytes]]]:
    """The leaves [start, end) as they were hashed, in pieces; `end` 0 means the newest checkpoint's size."""
    size = _published(room).size
    end = end or size
    if not 0 <= start <= end <= size:
        raise _out_of_range("start", size)
    room.access.record_read(
        caller, record_type="AuditLeaf", record_id=f"{start}-{end}", action="read", cause=cause
    )
    for first in range(start, end, _LEAVES_PER_READ):
        piece: list[bytes] = []
        at, weight = first, 0
        last = min(first + _LEAVES_PER_READ, end)
        for leaf in _unhurried(lambda: list(room.store.leaves(first, last))):  # noqa: B023  it is called at once
            if weight + len(leaf) > _LEAVES_PER_MESSAGE_BYTES:
                yield at, piece
                at, piece, weight = at + len(piece), [], 0
            piece.append(leaf)
            weight += len(leaf)
        if piece:
            yield at, piece


def check_log(room: Room, caller: Caller, cause: Cause) -> Report:
    """What is wrong with the log, by name and place; an empty list of findings means nothing is."""
    room.access.record_read(caller, record_type="AuditLog", record_id="", action="read", cause=cause)
    return _unhurried(room.inspection.check)


def _unhurried(step: Callable[[], T]) -> T:
    """The step's result. A door gives MongoDB a few seconds for a whole call; reading the whole log may take longer.

    The step runs in an empty context, in which that limit is not set.
    """
    return Context().run(step)


def _published(room: Room) -> Head:
    return _published_of(room.store)


def _published_of(store: Store) -> Head:
    heads = store.heads_now()
    if heads is None:
        raise Refusal(
            "log-not-begun", Kind.UNAVAILABLE, "The log's worker has not started yet.", retry_after_s=1
        )
    return heads.published


def _size_of(store: Store) -> int:
    return _published_of(store).size


def _tree(store: Store, size: int, published: int) -> TiledTree:
    if size < 0 or size > published:
        raise _out_of_range("tree_size", published)
    return store.tree(size or published, published)


def _out_of_range(path: str, size: int) -> Refusal:
    message = f"The log has {size} entries."
    return Refusal(
        "out-of-range", Kind.INVALID, message, faults=[Fault(path, "out-of-range", message)], size=size
    )


def index_query(room: Room, wanted: Search, head: Head) -> dict[str, Any] | None:
    """The index query; None where the subject has no key, so that there is nothing to find."""
    query: dict[str, Any] = {"index": {"$lt": room.store.place.first + head.size}}
    if wanted.peer_id:
        keys = room.keyring.keys_of_subject(wanted.peer_id)
        if not keys:
            return None
        query["subject"] = {"$in": [key.blind_subject for key in keys]}
    if wanted.referral_id:
        query["referral"] = room.sealer.blind_referral(wanted.referral_id)
    if wanted.actor_id:
        query["actor_id"] = wanted.actor_id
    if wanted.event_type:
        query["event_type"] = wanted.event_type
    times: dict[str, Any] = {}
    if wanted.recorded_from:
        times["$gte"] = wanted.recorded_from
    if wanted.recorded_until:
        times["$lt"] = wanted.recorded_until
    if times:
        query["recorded_at"] = times
    if wanted.before:
        moment, index = wanted.before
        earlier = [{"recorded_at": {"$lt": moment}}, {"recorded_at": moment, "index": {"$lt": index}}]
        query["$or"] = earlier
    return query


def _opened(room: Room, rows: Sequence[dict[str, Any]]) -> Iterator[Hit]:
    """The rows' entries in their order, opened few at a time: of large ones only the first are wanted."""
    for at in range(0, len(rows), _OPENED_AT_ONCE):
        yield from open_rows(room, rows[at : at + _OPENED_AT_ONCE])


def open_rows(room: Room, rows: Sequence[dict[str, Any]]) -> list[Hit]:
    """The rows' entries, opened where their keys exist; raises LogBroken where an entry is missing."""
    entries = room.store.entries_at([row["index"] for row in rows])
    keys = room.keyring.keys_by_id(entry["key_id"] for entry in entries.values())
    for row in rows:
        if row["index"] not in entries:
            raise LogBroken("entries-missing", str(row["index"]))
    return [_hit(room, row, entries[row["index"]], keys) for row in rows]


def _that_fit(hits: Iterable[Hit], most_bytes: int) -> list[Hit]:
    """As many of the hits, from the first, as stay within `most_bytes`; always at least one."""
    fitting: list[Hit] = []
    weight = 0
    for hit in hits:
        weight += hit.most_bytes
        if weight > most_bytes and fitting:
            break
        fitting.append(hit)
    return fitting


def _hit(room: Room, row: dict[str, Any], entry: dict[str, Any], keys: dict[bytes, Any]) -> Hit:
    leaf = parse_leaf(entry["leaf"])
    key = keys.get(entry["key_id"])
    opened = room.sealer.open(leaf, row["_id"], entry["body"], key) if key else b""
    body = read_body(opened) if opened else None
    return Hit(row["index"], row, entry["leaf"], leaf, opened, body)
