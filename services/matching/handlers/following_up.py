"""What a specialist records after they said yes: the handoff, the check-ins, the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching.domain import followup
from services.matching.domain.case import Case, Changed, Checkin, Handoff
from services.matching.handlers.looking import may_see

if TYPE_CHECKING:
    from services.matching.bootstrap import Room


@dataclass(frozen=True)
class Recorded:
    """What somebody says happened with a referral; `at` is None where they mean now."""

    referral_id: str
    key: str
    outcome: str
    modality: str = ""
    number: int = 0
    at: datetime | None = None


def record_handoff(room: Room, said: Recorded, caller: Caller, cause: Cause) -> Case:
    """The first meeting, or why there was none, is on record; only the assigned specialist or their programme may."""
    now = room.clock.now()
    handoff = Handoff(said.outcome, said.modality, said.at or now, said.key)

    def decide(case: Case) -> Changed:
        return followup.record_handoff(case, handoff, room.policy.follow_up, now)

    return own(room, said.referral_id, decide, caller, cause)


def record_checkin(room: Room, said: Recorded, caller: Caller, cause: Cause) -> Checkin:
    """A follow-up contact is on record."""
    now = room.clock.now()

    def decide(case: Case) -> Changed:
        at = said.at or now
        return followup.record_checkin(case, said.number, said.outcome, key=said.key, at=at, now=now)

    case = own(room, said.referral_id, decide, caller, cause)
    return next(one for one in case.checkins if one.key == said.key)


def complete(room: Room, referral_id: str, outcome: str, caller: Caller, cause: Cause) -> Case:
    """The work for the referral has ended, with an outcome."""
    now = room.clock.now()
    return own(room, referral_id, lambda case: followup.complete(case, outcome, now), caller, cause)


def own(
    room: Room, referral_id: str, decide: Callable[[Case], Changed], caller: Caller, cause: Cause
) -> Case:
    """The case as decided.

    Raises Refusal FORBIDDEN not-your-referral where neither they nor their programme carry it, CONFLICT not-assigned
    where they were asked and nobody carries it.
    """

    def checked(case: Case) -> Changed:
        if case.last_assignment is None and any(may_see(offer, caller) for offer in case.offers):
            raise followup.not_assigned()
        if not _is_theirs(case, caller):
            raise Refusal(
                "not-your-referral",
                Kind.FORBIDDEN,
                "Only the assigned specialist, or their programme, records what happened.",
            )
        return decide(case)

    return room.cases.change(referral_id, checked, cause, caller)


def _is_theirs(case: Case, caller: Caller) -> bool:
    offer = case.last_assignment
    if offer is None:
        return False
    is_own = caller.role == "specialist" and offer.specialist_id == caller.actor_id
    is_leading = caller.role in ("supervisor", "coordinator")
    return (is_own or is_leading) and offer.programme_id == caller.organization_id
