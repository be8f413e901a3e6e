"""What a supervisor or coordinator watches: who waits, who is on their way, whose check-in is due, how their team is."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching.domain import followup
from services.matching.domain.case import ASSIGNED, FOLLOWED, Case
from services.matching.handlers.looking import record_seen

if TYPE_CHECKING:
    from services.matching.bootstrap import Room
    from services.matching.store.roster import Profile

MOST_WAITING = 500
MOST_IN_A_TEAM = 500
_URGENCIES = ("immediate", "urgent", "routine")


@dataclass(frozen=True)
class Board:
    """`waiting` is everybody's, as the open pool is; `coming` and `due` are what this programme carries."""

    waiting: tuple[Case, ...]
    coming: tuple[Case, ...]
    due: tuple[Case, ...]

    @property
    def ids(self) -> frozenset[str]:
        """Whatever is on it."""
        return frozenset(case.referral_id for case in (*self.waiting, *self.coming, *self.due))


@dataclass(frozen=True)
class Member:
    """Somebody of the team, and what they were asked to carry and have not answered."""

    profile: Profile
    open_milli: int


def board(room: Room, caller: Caller, cause: Cause, already_shown: Set[str] = frozenset()) -> Board:
    """The most urgent first, then who waits longest; audited before it is shown.

    `already_shown` are the referrals of a page that is open and only follows: their look was written down.
    """
    lead_of_a_programme(room, caller)
    carried = room.boards.carried(room.boards.members(caller.organization_id))
    found = Board(
        waiting=tuple(sorted(room.boards.waiting(MOST_WAITING), key=_order)),
        coming=tuple(sorted((case for case in carried if case.state == ASSIGNED), key=_order)),
        due=tuple(sorted((case for case in carried if _is_due(case)), key=_order)),
    )
    fresh = [
        case for case in (*found.waiting, *found.coming, *found.due) if case.referral_id not in already_shown
    ]
    if fresh or not already_shown:
        record_seen(room, caller, "board", fresh, cause)
    return found


def team(room: Room, caller: Caller, cause: Cause) -> list[Member]:
    """The people of the caller's programme, in the order of their ids; audited."""
    lead_of_a_programme(room, caller)
    room.access.record_read(
        caller, record_type="Specialist", record_id=caller.organization_id, action="ListTeam", cause=cause
    )
    room.roster_watch.refresh()
    portions = room.roster.of_programme(caller.organization_id)
    found = next(portions, [])[:MOST_IN_A_TEAM]
    watch = room.roster_watch
    return [Member(one, watch.open_milli(one.specialist.specialist_id)) for one in found]


def lead_of_a_programme(room: Room, caller: Caller) -> None:
    """Raises Refusal FORBIDDEN role-not-allowed, or programme-unknown where the roster has nobody of it.

    What waits is shown to everybody who leads a programme here, and to nobody who only says so.
    """
    if caller.role not in ("supervisor", "coordinator") or not caller.organization_id:
        raise Refusal("role-not-allowed", Kind.FORBIDDEN, "This is for who leads a programme.")
    if not room.boards.is_known(caller.organization_id):
        text = "The roster has nobody of this programme: import its specialists first."
        raise Refusal("programme-unknown", Kind.FORBIDDEN, text)


def _order(case: Case) -> tuple[int, object]:
    return _URGENCIES.index(case.need.urgency), case.opened_at


def _is_due(case: Case) -> bool:
    states = (followup.DUE, followup.MISSED)
    return case.state == FOLLOWED and any(one.state in states for one in case.checkins)
