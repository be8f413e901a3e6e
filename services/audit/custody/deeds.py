"""What those who answer for the log do with it, one function per command; each is an entry before it happens."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chassis.access import provenance
from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from chassis.ids import new_id
from kindred.access.v1.events_pb2 import RecordExported
from services.audit.custody.exporting import believed, proof_of, write_export
from services.audit.domain.period import ROOT, LogPlace
from services.audit.domain.report import Report
from services.audit.handlers import Hit, Search, index_query, open_rows
from services.audit.retention.erasure import Erased, Hold
from services.audit.store.access_entries import said_event_id
from services.audit.store.entries import Store
from services.audit.store.periods import Periods
from services.audit.tlog.notes import NoteRefused, NoteVerifier

if TYPE_CHECKING:
    from services.audit.bootstrap import Room
    from services.audit.reading_room import ReadingRoom

_IN_MEMORY_BYTES = 4_000_000
_PIECE_BYTES = 256_000


@dataclass(frozen=True)
class Shown:
    """One entry with what a stranger needs."""

    hit: Hit
    proof: bytes
    policy: str
    erased_under: str


@dataclass(frozen=True)
class LogState:
    """How one log stands."""

    place: LogPlace
    origin: str
    size: int
    cosigned_size: int = 0
    cosigned_at: datetime | None = None
    checkpoint: bytes = b""
    pruned_at: datetime | None = None


def show_entry(room: Room, number: int, caller: Caller, cause: Cause) -> Shown:
    """The entry, opened, with its proof under the newest cosigned checkpoint; raises Refusal."""
    store = room.store.log_of(number)
    row = room.store.rows.find_one({"index": number})
    heads = store.heads_now()
    if row is None or heads is None or number - store.place.first >= heads.published.size:
        raise Refusal("no-such-entry", Kind.NOT_FOUND, "The log has no entry of this number.")
    room.access.record_read(
        caller, record_type="AuditEvent", record_id=str(number), action="read", cause=cause
    )
    (hit,) = open_rows(room, [row])
    log = believed(room, store.place)
    if number - store.place.first >= log.head.size:
        message = "The witnesses have not cosigned this entry yet."
        raise Refusal("not-cosigned-yet", Kind.UNAVAILABLE, message, retry_after_s=2)
    entry = room.store.entries_at([number])[number]
    under = room.erasures.erased_under([entry["key_id"]]).get(entry["key_id"], "") if hit.body is None else ""
    verifier = NoteVerifier.of(log.origin, room.verifier.public_key)
    return Shown(hit, proof_of(log, number), room.policy.for_log(verifier).text(), under)


def export(
    room: Room,
    wanted: Search,
    numbers: tuple[int, int],
    known_sizes: Sequence[int],
    *,
    caller: Caller,
    cause: Cause,
) -> Iterator[bytes]:
    """The export's bytes in pieces; that it leaves, with its SHA-256, is durable before the first.

    `numbers` (from, until) count where until is above 0. Raises Refusal.
    """
    if numbers[0] < 0 or 0 < numbers[1] <= numbers[0]:
        message = "The range is from a number to a higher one."
        raise Refusal(
            "range-invalid", Kind.INVALID, message, faults=[Fault("until_number", "invalid", message)]
        )
    asked = wanted.told() | ({"numbers": f"{numbers[0]}-{numbers[1]}"} if numbers[1] else {})
    query = _export_query(room, wanted, numbers)
    about = wanted.peer_id, wanted.referral_id
    yield from _packed(room, query, asked, known_sizes, about=about, caller=caller, cause=cause)


def export_of(
    room: ReadingRoom,
    numbers: Sequence[int],
    asked: Mapping[str, str],
    *,
    peer_id: str = "",
    caller: Caller,
    cause: Cause,
) -> Iterator[bytes]:
    """The same of just these entries: what a search or a report showed, in a form that proves itself elsewhere."""
    query = {"index": {"$in": sorted(set(numbers))}}
    yield from _packed(room, query, asked, (), about=(peer_id, ""), caller=caller, cause=cause)


def _packed(
    room: Room | ReadingRoom,
    query: dict[str, Any],
    asked: Mapping[str, str],
    known_sizes: Sequence[int],
    *,
    about: tuple[str, str],
    caller: Caller,
    cause: Cause,
) -> Iterator[bytes]:
    peer_id, referral_id = about
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        # A door gives MongoDB a few seconds for a whole call; an empty context has no such limit.
        rows = Context().run(write_export, room, query, asked, known_sizes, file)
        file.seek(0)
        leaves = RecordExported(
            provenance=provenance(caller, peer_id),
            record_type="AuditEvent",
            record_id="export",
            format="zip",
            criteria=list(asked),
            rows=rows,
            content_sha256=hashlib.file_digest(file, "sha256").digest(),
            referral_id=referral_id,
        )
        recorded = {"recorded_at": room.clock.now()}
        room.access.aggregates.insert(new_id("acc"), recorded, cause=cause, says=[leaves])
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _export_query(room: Room, wanted: Search, numbers: tuple[int, int]) -> dict[str, Any]:
    heads = room.store.heads_now()
    if heads is None:
        raise Refusal("log-not-begun", Kind.UNAVAILABLE, "The log has not begun.", retry_after_s=1)
    query = index_query(room, wanted, heads.published)
    if query is None:
        return {"index": -1}  # somebody without a key: there is nothing to find, and the export says so
    if numbers[1]:
        query["index"] = {"$gte": numbers[0], "$lt": min(numbers[1], room.store.end)}
    return query


def log_states(room: Room | ReadingRoom) -> list[LogState]:
    """Every log, the root log last."""
    periods = Periods(room.database)
    pruned = periods.pruned()
    found: list[LogState] = []
    for place in [*periods.places(), ROOT]:
        origin = place.origin(room.settings.audit_origin)
        if kept := pruned.get(place.name):
            state = LogState(place, origin, kept["size"], pruned_at=kept["pruned_at"])
        else:
            store = Store(room.database, place)
            heads, cosigned = store.heads_now(), store.cosigned()
            state = LogState(place, origin, heads.published.size if heads else 0)
            if cosigned:
                head, at = cosigned
                state = LogState(place, origin, state.size, head.size, at, head.checkpoint)
        found.append(state)
    return found


def witnesses_seen(room: Room | ReadingRoom, states: Sequence[LogState]) -> dict[str, int]:
    """When each witness of the policy cosigned last (POSIX seconds); 0 for one that never did."""
    seen = dict.fromkeys(room.policy.witnesses, 0)
    for state in states:
        try:
            times = room.policy.cosigned_by(state.checkpoint) if state.checkpoint else {}
        except NoteRefused:
            continue
        seen |= {name: max(at, seen[name]) for name, at in times.items()}
    return seen


def check_all(room: Room, with_bodies: bool, caller: Caller, cause: Cause) -> Report:
    """What is wrong with the logs, by name and place."""
    room.access.record_read(caller, record_type="AuditLog", record_id="", action="read", cause=cause)
    return Context().run(room.inspection.check, with_bodies=with_bodies)


def erase(room: Room, peer_id: str, reason: str, caller: Caller, cause: Cause) -> Erased:
    """The person's keys of quarters whose retention is over are destroyed; the rest is requested.

    Raises LegalHold, and Refusal NOT_FOUND where no entry is about this id and none was erased.
    """
    _require(peer_id=peer_id, reason=reason)
    if not room.erasures.was_requested(peer_id):
        _require_known(room, peer_id, "AuditKeys", reason, caller=caller, cause=cause)
    outcome = room.erasures.what_may_go(peer_id)
    event_id = said_event_id(
        room.access,
        caller,
        record_type="AuditKeys",
        record_id=reason,
        action="delete",
        subject_id=peer_id,
        criteria=outcome.erased,
        cause=cause,
    )
    request_id = room.erasures.request(peer_id, reason, caller.actor_id)
    room.erasures.carry_out(request_id, room.keyring.mark_of(peer_id), event_id)
    return outcome


def place_hold(room: Room, peer_id: str, reason: str, caller: Caller, cause: Cause) -> str:
    """Nothing of this person (of nobody, where empty) is erased or pruned; returns the hold's id.

    Raises Refusal NOT_FOUND where no entry is about this id: whoever mistyped it would think somebody protected.
    """
    _require(reason=reason)
    if peer_id:
        _require_known(room, peer_id, "LegalHold", reason, caller=caller, cause=cause)
    said_event_id(
        room.access,
        caller,
        record_type="LegalHold",
        record_id=reason,
        action="create",
        subject_id=peer_id,
        cause=cause,
    )
    return room.erasures.place_hold(peer_id, reason, caller.actor_id)


def release_hold(room: Room, hold_id: str, reason: str, caller: Caller, cause: Cause) -> None:
    """The hold is over; raises Refusal NOT_FOUND where there is none."""
    _require(hold_id=hold_id, reason=reason)
    said_event_id(
        room.access,
        caller,
        record_type="LegalHold",
        record_id=hold_id,
        action="delete",
        criteria=[reason],
        cause=cause,
    )
    if not room.erasures.release_hold(hold_id, reason, caller.actor_id):
        raise Refusal("no-such-hold", Kind.NOT_FOUND, "There is no such legal hold.")


def holds(room: Room, caller: Caller, cause: Cause) -> list[Hold]:
    """Every legal hold there is."""
    room.access.record_read(caller, record_type="LegalHold", record_id="", action="list", cause=cause)
    return room.erasures.holds()


def _require_known(
    room: Room, peer_id: str, record_type: str, reason: str, *, caller: Caller, cause: Cause
) -> None:
    """Raises Refusal where the log has nothing about this id; that it was asked for is an entry then, too."""
    if room.store.is_about_any([key.blind_subject for key in room.keyring.keys_of_subject(peer_id)]):
        return
    room.access.record_read(
        caller, record_type=record_type, record_id=reason, action="read", subject_id=peer_id, cause=cause
    )
    raise Refusal("no-such-person", Kind.NOT_FOUND, "No entry of the log is about this id: nothing was done.")


def _require(**texts: str) -> None:
    faults = [Fault(name, "required", "This is needed.") for name, text in texts.items() if not text]
    if faults:
        raise Refusal("field-required", Kind.INVALID, "Something is missing.", faults=faults)
