"""A programme's own ladder: read, and set with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.matching.domain import ladders
from services.matching.domain.events import LadderChanged
from services.matching.domain.ladders import Change, ProgrammeLadder, Steps

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_MOST_REASON_CHARS = 200


@dataclass(frozen=True)
class NewLadder:
    """What a programme's ladder is to be; `source_ids` None leaves whom it serves as it is."""

    programme_id: str
    steps: Mapping[str, Steps]
    source_ids: tuple[str, ...] | None
    reason: str
    expected_version: int


def read_ladder(room: Room, programme_id: str, caller: Caller) -> ProgrammeLadder:
    """A programme's ladder, for those of the programme and for who runs the platform."""
    _may(programme_id, caller)
    return room.ladders.of(programme_id)


def set_ladder(room: Room, wanted: NewLadder, caller: Caller, cause: Cause) -> ProgrammeLadder:
    """The next version holds for every wave from now on, in every worker within a second.

    Raises Refusal FORBIDDEN not-your-programme or sources-not-yours, INVALID ladder-not-possible or reason-missing,
    CONFLICT ladder-changed-meanwhile or source-served-by-another.
    """
    _may(wanted.programme_id, caller)
    is_operator = caller.role in ("engineer", "system")
    if wanted.source_ids is not None and not is_operator:
        raise Refusal("sources-not-yours", Kind.FORBIDDEN, "Whom a programme serves is set by the platform.")
    if not 0 < len(wanted.reason) <= _MOST_REASON_CHARS:
        fault = Fault("reason", "missing-or-long", f"1 to {_MOST_REASON_CHARS} characters.")
        raise Refusal("reason-missing", Kind.INVALID, "Say why the ladder changes.", faults=[fault])
    ladders.checked(wanted.steps)
    before = room.ladders.of(wanted.programme_id)
    if before.version != wanted.expected_version:
        text = "Somebody changed this ladder since you read it; read it again."
        raise Refusal("ladder-changed-meanwhile", Kind.CONFLICT, text)
    version = before.version + 1
    line = Change(version, room.clock.now(), caller.actor_id, wanted.reason)
    sources = before.source_ids if wanted.source_ids is None else wanted.source_ids
    after = ProgrammeLadder(wanted.programme_id, version, wanted.steps, sources, (*before.changes, line))
    room.ladders.save(after, LadderChanged(after.programme_id, version), caller, cause)
    room.ladders.refresh()
    return after


def _may(programme_id: str, caller: Caller) -> None:
    if caller.role not in ("engineer", "system") and caller.organization_id != programme_id:
        raise Refusal("not-your-programme", Kind.FORBIDDEN, "You may see the ladder of your own programme.")
