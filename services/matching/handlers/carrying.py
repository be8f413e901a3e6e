"""What a specialist carries: the way there, a wish for somebody else, a caseload that moves during leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching import candidates, waves
from services.matching.domain import arriving, moving
from services.matching.domain.case import MOVE, Case, Changed, Offer
from services.matching.domain.specialist import Standing
from services.matching.handlers.following_up import own
from services.matching.handlers.looking import record_seen

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_MOST_TAKERS = 3


@dataclass(frozen=True)
class Step:
    """What the assigned specialist says of their way; `promised_at` is None where the promise stays."""

    referral_id: str
    key: str
    step: str
    promised_at: datetime | None = None


@dataclass(frozen=True)
class Rematch:
    """A wish for somebody else, of the peer or of the specialist."""

    referral_id: str
    key: str
    side: str
    reason_code: str


@dataclass(frozen=True)
class Move:
    """Somebody is to take a case over; `to_id` is "" for the best who could."""

    referral_id: str
    key: str
    to_id: str
    reason_code: str
    is_peer_willing: bool


@dataclass(frozen=True)
class Carried:
    """One case somebody carries, who could take it over, and who was asked to."""

    case: Case
    taker_ids: tuple[str, ...]
    asked_id: str


def report_arrival(room: Room, told: Step, caller: Caller, cause: Cause) -> Offer:
    """The step is on record; the assignment as it is promised now."""
    now = room.clock.now()

    def decide(case: Case) -> Changed:
        return arriving.report(case, told.step, key=told.key, promised_at=told.promised_at, now=now)

    return own(room, told.referral_id, decide, caller, cause).accepted_offer


def request_rematch(room: Room, wish: Rematch, caller: Caller, cause: Cause) -> None:
    """The assignment has ended and somebody else is asked at once."""
    room.roster_watch.refresh()
    room.ladders.refresh()
    now = room.clock.now()

    def decide(case: Case) -> Changed:
        after, events = moving.request_rematch(case, wish.side, wish.reason_code, key=wish.key, now=now)
        if not events:
            return case, []
        asked, more = waves.advance(room, after, now)
        return asked, [*events, *more]

    own(room, wish.referral_id, decide, caller, cause)


def caseload(
    room: Room, specialist_id: str, is_with_takers: bool, caller: Caller, cause: Cause
) -> tuple[list[Carried], Standing]:
    """What a specialist carries, the oldest first; only they themselves and who leads their programme may see it.

    Audited.  Raises Refusal NOT_FOUND specialist-unknown.
    """
    wanted = specialist_id or caller.actor_id
    entry = room.roster.entries([wanted]).get(wanted)
    is_self = caller.role == "specialist" and wanted == caller.actor_id
    is_lead = caller.role in ("supervisor", "coordinator")
    if entry is None or entry[0].programme_id != caller.organization_id or not (is_self or is_lead):
        raise Refusal("specialist-unknown", Kind.NOT_FOUND, "Your programme has no such specialist.")
    now = room.clock.now()
    if is_with_takers:
        room.roster_watch.refresh()
    carried = room.cases.carried(wanted)
    record_seen(room, caller, f"carried-by={wanted}", carried, cause)
    return [_carried(room, case, wanted, is_with_takers, now) for case in carried], entry[1]


def _carried(room: Room, case: Case, carrier_id: str, is_with_takers: bool, now: datetime) -> Carried:
    takers = candidates.best(room, case, now, _MOST_TAKERS, frozenset({carrier_id})) if is_with_takers else []
    asked = (offer.specialist_id for offer in case.open_offers if offer.kind == MOVE)
    return Carried(case, tuple(one.specialist_id for one in takers), next(asked, ""))


def propose_move(room: Room, move: Move, caller: Caller, cause: Cause) -> Offer:
    """Somebody is asked to take the case over; they have two days to answer, and nothing moves before their yes.

    Raises Refusal CONFLICT nobody-to-take-over, and what `moving.propose_move` and `candidates.candidate` raise.
    """
    room.roster_watch.refresh()
    now = room.clock.now()

    def decide(case: Case) -> Changed:
        if moving.repeated(case, move.key) is not None:
            return case, []
        carrier = frozenset({moving.carried_by(case)})
        if move.to_id in carrier:
            raise Refusal("carries-it-already", Kind.INVALID, "This specialist carries the case already.")
        found = (
            [candidates.candidate(room, case, move.to_id, now)]
            if move.to_id
            else candidates.best(room, case, now, 1, carrier | moving.unwilling(case))
        )
        if not found:
            raise Refusal(
                "nobody-to-take-over", Kind.CONFLICT, "No hard rule lets anybody else take this case."
            )
        return moving.propose_move(
            case,
            found[0],
            waves.new_link(),
            move.reason_code,
            key=move.key,
            is_peer_willing=move.is_peer_willing,
            now=now,
        )

    offer = moving.repeated(own(room, move.referral_id, decide, caller, cause), move.key)
    assert offer is not None
    return offer
