"""Searching: the index is brought up to the newest checkpoint, asked, and every hit opened, compared and proven."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.audit.domain.entry import Head
from services.audit.domain.leaf import LeafMalformed, parse_leaf
from services.audit.fhir import ReadBody, facts_in, fhir_id, names, shown
from services.audit.sealing.body_sealing import BodyUnreadable
from services.audit.search.aside import aside
from services.audit.search.asked import Asked, Criterion, Cursor, Value
from services.audit.search.matching import is_asked_for
from services.audit.search.proving import Proof, Prover

if TYPE_CHECKING:
    from services.audit.reading_room import ReadingRoom as Room
    from services.audit.sealing.keyring import DataKey

Json = dict[str, Any]
_NOBODYS: Mapping[bytes, DataKey] = {}
_OUR_PEOPLE = re.compile(r"peer_[A-Za-z0-9_-]{1,64}")
_OPENED_AT_ONCE = 64
_WORTH_HALVING = 16
_UNREADABLE = "unreadable"
# So many rows a search may open that turn out to be something else; then it says what would narrow it.
_MOST_OPENED = 10_000
# A search brings the index up to date itself where it lags by no more than this; else it says how far it reaches.
_MOST_BEHIND = 4_096


@dataclass(frozen=True)
class Hit:
    """One entry that was asked for. `said` is what the log keeps of it, `document` what a reader is shown of that."""

    number: int
    event_id: str
    recorded_at: datetime
    document: Json
    said: Json | None
    leaf: bytes
    facts: Json = field(default_factory=dict)

    @cached_property
    def body(self) -> ReadBody | None:
        """The facts it states; None where the person was erased: then `document` says only that."""
        return None if self.said is None else facts_in(self.said)


@dataclass(frozen=True)
class Covered:
    """What an answer speaks for: entries below `size`, of the `whole` log under `head` and the heads before it."""

    head: Head
    size: int
    whole: int


@dataclass(frozen=True)
class Page:
    """Hits in the order asked for, what they were found under, and where to go on."""

    covered: Covered
    hits: list[Hit]
    proofs: dict[int, Proof]
    next_cursor: Cursor | None = None
    total: int | None = None


def covered(room: Room) -> Covered:
    """The newest published head, and how far the index reaches below it; it is brought up to it where it is near."""
    heads = room.store.heads_now()
    if heads is None:
        raise Refusal(
            "log-not-begun", Kind.UNAVAILABLE, "The log's worker has not started yet.", retry_after_s=1
        )
    head, reached = heads.published, room.finds.reached()
    size = room.store.place.first + head.size
    if size - reached <= _MOST_BEHIND:
        while reached < size:
            reached = room.finds.follow(size)
    return Covered(head, min(reached, size), size)


def note(room: Room, caller: Caller, asked: Asked, cause: Cause, action: str = "search") -> None:
    """That the log is read is itself an entry, durable before anything leaves; about a person where one was named."""
    people = asked.of("patient")
    room.access.record_read(
        caller,
        record_type="AuditEvent",
        record_id="",
        action=action,
        subject_id=own_person(people[0]) if len(people) == 1 else "",
        criteria=asked.names(),
        cause=cause,
    )


def own_person(value: str) -> str:
    """The person's id where it is one of ours: another system's may be a record number, which is nothing for the bus."""
    person = value.rpartition("/")[2]
    return person if _OUR_PEOPLE.fullmatch(person) else ""


def search(room: Room, asked: Asked, caller: Caller, cause: Cause) -> Page:
    """A page of the entries that match; that it was asked for is an entry, durable before this returns."""
    with aside(lambda: note(room, caller, asked, cause)):
        return _page(room, asked)


def _page(room: Room, asked: Asked) -> Page:
    with aside(lambda: room.finds.wanted(asked)) as looking:
        now = covered(room)
    wanted = looking.result()
    size = min(asked.cursor.size, now.size) if asked.cursor else now.size
    under = Covered(now.head, size, now.whole)
    if asked.only_total:
        rows = room.finds.candidates(asked, size, None, wanted)
        total = sum(1 for _ in _found(room, rows, asked, wanted.keys))
        return Page(under, [], {}, total=total)
    after = (asked.cursor.moment, asked.cursor.number) if asked.cursor else None
    prover = Prover(room, now.head)
    hits: list[Hit] = []
    rows = room.finds.candidates(asked, size, after, wanted)
    for hit in _found(room, rows, asked, wanted.keys, prover):
        if len(hits) == asked.count:
            last = hits[-1]
            cursor = Cursor(size, last.recorded_at, last.number)
            return Page(under, hits, prover.of([hit.number for hit in hits]), cursor)
        hits.append(hit)
    return Page(under, hits, prover.of([hit.number for hit in hits]))


def read_one(room: Room, resource_id: str, caller: Caller, cause: Cause) -> Page:
    """The entry with this id, or an empty page."""
    asked = Asked((Criterion("_id", "", (Value(resource_id),)),), count=1)
    with aside(lambda: note(room, caller, asked, cause, "read")):
        under = covered(room)
        hits = list(_found(room, room.finds.candidates(asked, under.size, None), asked))[:1]
        return Page(under, hits, Prover(room, under.head).of([hit.number for hit in hits]))


def opened(room: Room, rows: Sequence[Json], known: Mapping[bytes, DataKey] = _NOBODYS) -> list[Hit]:
    """The entries of these index rows in their order, opened as far as their keys still exist.

    A row need say no more than where its entry is and when it was; the rest is fetched for those that need it.
    `known` are keys that were read for this very answer.
    """
    entries = _entries(room, [row["_id"] for row in rows])
    absent = {entry["key_id"] for entry in entries.values()} - known.keys()
    keys = {**known, **room.keyring.keys_by_id(absent)} if absent else known
    found: dict[int, Hit] = {}
    for row in rows:
        entry = entries.get(row["_id"])
        hit = _hit(room, row, entry, keys.get(entry["key_id"])) if entry is not None else None
        if hit is not None:
            found[hit.number] = hit
    bare = [number for number in entries if number not in found]
    for row in room.finds.of_numbers(bare) if bare else ():
        entry = entries[row["_id"]]
        found[row["_id"]] = _hit(room, row, entry, keys.get(entry["key_id"])) or _closed(
            row, entry, _UNREADABLE
        )
    return [found[row["_id"]] for row in rows if row["_id"] in found]


def _entries(room: Room, numbers: Sequence[int]) -> dict[int, Json]:
    """The entries with these numbers; many are read in two halves at once."""
    half = len(numbers) // 2
    if half < _WORTH_HALVING:
        return room.store.entries_at(numbers)
    with aside(lambda: room.store.entries_at(numbers[half:])) as doing:
        found = room.store.entries_at(numbers[:half])
    return found | doing.result()


def _found(
    room: Room,
    candidates: Iterator[Json],
    asked: Asked,
    keys: Mapping[bytes, DataKey] = _NOBODYS,
    prover: Prover | None = None,
) -> Iterator[Hit]:
    """The candidates that are what was asked for; the tiles that prove the first ones come while they are opened."""
    missed = 0
    first = min(asked.count + 1, _OPENED_AT_ONCE) if asked.count else _OPENED_AT_ONCE
    for rows in _pieces(candidates, first):
        for hit in _opened_ahead(room, rows, keys, prover):
            if any(start <= hit.recorded_at < end for start, end in asked.without):
                continue
            if hit.said is None or is_asked_for(hit.document, asked):
                yield hit
                continue
            missed += 1
            if missed > _MOST_OPENED:
                raise Refusal(
                    "search-too-wide",
                    Kind.INVALID,
                    "Too many entries would have to be opened. Add a date, a person or a user.",
                )
        prover = None


def _opened_ahead(
    room: Room, rows: Sequence[Json], keys: Mapping[bytes, DataKey], prover: Prover | None
) -> list[Hit]:
    if prover is None:
        return opened(room, rows, keys)
    with aside(lambda: prover.ahead([row["_id"] for row in rows])):
        return opened(room, rows, keys)


def _pieces(rows: Iterator[Json], first: int) -> Iterator[list[Json]]:
    piece: list[Json] = []
    for row in rows:
        piece.append(row)
        if len(piece) >= first:
            yield piece
            piece, first = [], _OPENED_AT_ONCE
    if piece:
        yield piece


def _hit(room: Room, row: Json, entry: Json, key: Any) -> Hit | None:
    """The entry behind a row, opened by the id its leaf shows; None where it takes more of the row than is here."""
    try:
        leaf = parse_leaf(entry["leaf"])
        event_id = str(row["e"]) if "e" in row else leaf.event_id
        body = room.sealer.open(leaf, event_id, entry["body"], key) if key else b""
    except (LeafMalformed, BodyUnreadable):
        return _closed(row, entry, _UNREADABLE) if "e" in row else None
    if not body:
        return _closed(row, entry, "erased") if "e" in row else None
    parsed = orjson.loads(body)
    return Hit(row["_id"], event_id, row["t"], shown(parsed), parsed, entry["leaf"], row)


def _closed(row: Json, entry: Json, why: str) -> Hit:
    """An entry that cannot be opened: its leaf still proves that it was written, and when."""
    document = {
        "resourceType": "AuditEvent",
        "id": fhir_id(str(row["e"])),
        "meta": {"tag": [names.coding("urn:kindred:flag", why)]},
        "type": names.REST,
        "subtype": [names.coding(names.EVENT_TYPE, str(row.get("y", names.UNKNOWN)))],
        "recorded": row["t"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": str(row.get("o", "0")),
        "agent": [
            {"who": names.identified(names.ACTOR, str(row.get("a") or names.UNKNOWN)), "requestor": True}
        ],
        "source": {"observer": {"display": why}},
    }
    return Hit(row["_id"], str(row["e"]), row["t"], document, None, entry["leaf"], row)
