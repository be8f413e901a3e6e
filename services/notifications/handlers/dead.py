"""Notices that were given up: seen by who runs the system, and sent again where somebody still waits for them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.notifications.domain import receipts
from services.notifications.domain.events import Event
from services.notifications.domain.intents import rule_of
from services.notifications.domain.notices import Notice, State

if TYPE_CHECKING:
    from services.notifications.bootstrap import Room

_LONGEST_LIST = 500
_USUAL_LIST = 100
# A notice that is sent again has at least so long.
_NEW_LIFE = timedelta(hours=1)


def list_dead(room: Room, caller: Caller, *, limit: int, cause: Cause) -> list[Notice]:
    """Notices that were given up, newest first; the read is in the audit trail before they leave."""
    if not 0 <= limit <= _LONGEST_LIST:
        fault = Fault("limit", "out-of-range", f"The limit is between 0 and {_LONGEST_LIST}.")
        raise Refusal("limit-out-of-range", Kind.INVALID, fault.message, faults=[fault])
    found = room.notices.dead(limit or _USUAL_LIST)
    room.access.record_read(
        caller, record_type="Notice", record_id="", action="search", criteria=["state"], cause=cause
    )
    return found


def replay_notice(room: Room, caller: Caller, notice_id: str, cause: Cause) -> Notice:
    """The dead notice is due again, its attempts kept; the replay is in the audit trail before.

    Raises Refusal NOT_FOUND, or CONFLICT where it is not dead or its moment is over (an offer's deadline).
    """
    held = room.notices.load_many([notice_id]).get(notice_id)
    if held is None:
        raise Refusal("notice-unknown", Kind.NOT_FOUND, "There is no such notice.")
    if held.notice.state is not State.DEAD:
        raise Refusal("notice-not-dead", Kind.CONFLICT, "Only a notice that was given up is sent again.")
    if room.clock.now() >= held.notice.expires_at and not rule_of(held.notice.intent).is_renewable:
        raise Refusal("notice-worthless", Kind.CONFLICT, "Its moment is over; nobody waits for it any more.")
    room.access.record_read(
        caller,
        record_type="Notice",
        record_id=notice_id,
        action="replay",
        subject_id=held.notice.peer_id,
        referral_id=held.notice.referral_id,
        cause=cause,
    )

    def again(notice: Notice) -> tuple[Notice, list[Event]]:
        return receipts.renewed(notice, room.clock.now(), _NEW_LIFE), []

    renewed = room.notices.revise(held, again).notice
    room.sending.ring()
    return renewed
