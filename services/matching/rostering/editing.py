"""Some columns of one entry, changed by who may: the same reading, the same checks, the same events as an import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching import handlers
from services.matching.importing import RosterImport
from services.matching.roster_file import COLUMNS, MAX_ROW_BYTES, RawRow, RowFault

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

# What a specialist changes about themself; the rest is their programme's to say.
OWN = frozenset(
    {
        "attributes",
        "agrees_to_private_use",
        "email",
        "phone",
        "notice_language",
        "languages",
        "modalities",
        "radius_miles",
        "transport",
        "time_off",
        "extra_shifts",
        "on_call",
        "limits",
    }
)
_NEVER = frozenset({"specialist_id"})


def revise(
    room: Room, specialist_id: str, columns: Mapping[str, str], caller: Caller, cause: Cause, *, revision: int
) -> tuple[int, tuple[RowFault, ...]]:
    """The entry has these columns and a new revision, or nothing is stored and the faults say why.

    Raises Refusal CONFLICT revision-stale where somebody changed it since it was read, FORBIDDEN column-not-yours,
    INVALID column-unknown, NOT_FOUND.
    """
    _check(columns, caller)
    found = handlers.read_specialist(room, specialist_id, caller, cause)
    if found.revision != revision:
        raise Refusal("revision-stale", Kind.CONFLICT, "Somebody changed this entry; read it again.")
    row = {**handlers.row(found, caller), **columns}
    taking = RosterImport(room, caller, cause, {specialist_id: revision})
    told = [*taking.take([RawRow(0, row)]), taking.flush()]
    faults = tuple(fault for one in told for fault in one.faults)
    if any(fault.code == "changed-meanwhile" for fault in faults):
        raise Refusal("revision-stale", Kind.CONFLICT, "Somebody changed this entry; read it again.")
    return revision + told[-1].rows_stored, faults


def _check(columns: Mapping[str, str], caller: Caller) -> None:
    unknown = columns.keys() - set(COLUMNS) | columns.keys() & _NEVER
    if unknown or sum(len(text) for text in columns.values()) > MAX_ROW_BYTES:
        raise Refusal("column-unknown", Kind.INVALID, "There is no such column to change.")
    if caller.role == "specialist" and not columns.keys() <= OWN:
        raise Refusal("column-not-yours", Kind.FORBIDDEN, "Your programme changes this column.")
