"""One function per command: load, decide, save."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching import candidates, waves
from services.matching.domain import answering, arriving, closing, followup, renewing
from services.matching.domain import case as cases
from services.matching.domain.case import Case, Changed, Offer
from services.matching.domain.need import Need
from services.matching.domain.rules import CERTIFICATION, LANGUAGE, PREFERENCE, SAFETY, excluded_by
from services.matching.handlers.looking import may_see
from services.matching.handlers.rostering import part

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_MOST_DUE = 64
_NEVER_BROKEN = (SAFETY, PREFERENCE, LANGUAGE, CERTIFICATION)


@dataclass(frozen=True)
class Submitted:
    """A referral that was heard, and the event it came with."""

    need: Need
    cause: Cause


@dataclass(frozen=True)
class Acceptance:
    """What a specialist says yes with; `promised_arrival_at` is when they come, or ring; `is_click` by a link."""

    offer_id: str
    key: str
    promised_arrival_at: datetime
    modality: str
    is_click: bool = False


@dataclass(frozen=True)
class Declining:
    """What a specialist says no with."""

    offer_id: str
    key: str
    reason_code: str


def open_cases(room: Room, submitted: Sequence[Submitted]) -> None:
    """Every referral has one case, and the best of the roster have their offers; a second time nothing happens."""
    known = room.cases.existing([one.need.referral_id for one in submitted])
    fresh = {one.need.referral_id: one for one in submitted if one.need.referral_id not in known}
    if not fresh:
        return
    _catch_up(room)
    now = room.clock.now()
    parted = room.cases.parted([one.need.peer_id for one in fresh.values()])
    needs = [_without(one.need, parted.get(one.need.peer_id, frozenset())) for one in fresh.values()]
    here = [need for need in needs if room.roster_watch.holds(need)]
    # What another process can rank is due there at once.
    changed: dict[str, Changed] = {need.referral_id: (Case(need, now), []) for need in needs}
    changed |= waves.first(room, here, now)
    room.cases.open([(changed[key], one.cause) for key, one in fresh.items()])


def stop(room: Room, need: Need, stop_code: str, cause: Cause) -> None:
    """Nothing of the referral goes on, also where it has not been heard of yet: no offer ever follows (P7)."""
    now = room.clock.now()
    if not room.cases.existing([need.referral_id]):
        room.cases.open([(closing.tombstone(need, stop_code, now), cause)])
    room.cases.change(need.referral_id, lambda case: closing.stop(case, stop_code, now), cause)
    room.roster_watch.refresh()


def revise(room: Room, need: Need, revision: int, cause: Cause) -> None:
    """The case goes on with the new facts; Refusal TOO_EARLY where the referral has not been heard of yet."""
    if not room.cases.existing([need.referral_id]):
        raise Refusal("case-not-known-yet", Kind.TOO_EARLY, referral_id=need.referral_id)
    _catch_up(room)
    now = room.clock.now()
    need = _without(need, room.cases.parted([need.peer_id]).get(need.peer_id, frozenset()))
    room.cases.change(need.referral_id, lambda case: waves.revise(room, case, need, revision, now), cause)


def not_delivered(room: Room, referral_id: str, offer_id: str, cause: Cause) -> None:
    """Whoever was to be asked never heard of it: within a second the next best is asked.

    It is the clock that asks, in the process that holds the referral's region.
    """
    now = room.clock.now()
    room.cases.change(referral_id, lambda case: renewing.unheard(case, offer_id, now), cause)


def advance_due(room: Room, cause: Cause) -> int:
    """Late offers are expired; a case nobody can answer goes to its next wave or is unfilled; check-ins fall due.

    Returns how many cases were looked at.
    """
    watch = room.roster_watch
    if not watch.is_read:
        _catch_up(room)
    due = room.cases.claim_due(_MOST_DUE, watch.regions) if watch.is_read else []
    if due:
        _catch_up(room)
        now = room.clock.now()
        room.cases.move([(one, _advanced(room, one.case, now)) for one in due], cause)
    return len(due)


def follow_roster(room: Room, cause: Cause) -> int:
    """Offers to those who may not take them any more are withdrawn, and others are asked; returns how many cases.

    Every worker sees every change; the first to act wins, the others find nothing left to do.
    """
    room.roster_watch.refresh()
    room.ladders.refresh()
    narrowed = room.roster_watch.take_narrowed()
    if not narrowed:
        return 0
    now, entries = room.clock.now(), room.roster.entries(narrowed)
    touched = room.cases.offered_to(narrowed)
    for case in touched:
        room.cases.change(case.referral_id, lambda one: waves.follow(room, one, entries, now), cause)
    return len(touched)


def _advanced(room: Room, case: Case, now: datetime) -> Changed:
    if case.state not in (cases.FOLLOWED, cases.ASSIGNED):
        return waves.advance(room, case, now)
    supervisor_id = room.roster_watch.nearest_supervisor_id(case.need)
    if case.state == cases.ASSIGNED:
        return arriving.overdue(case, supervisor_id, now)
    case, expired = cases.expire(case, now)
    case, events = followup.advance(case, room.policy.follow_up, supervisor_id, now)
    return case, [*expired, *events]


def _catch_up(room: Room) -> None:
    room.roster_watch.catch_up()
    room.ladders.refresh()


def _without(need: Need, specialist_ids: frozenset[str]) -> Need:
    """The need with these out of the question: an ended match is a hard rule (DOMAIN 4)."""
    return replace(need, excluded_ids=need.excluded_ids | specialist_ids) if specialist_ids else need


def accept(room: Room, acceptance: Acceptance, caller: Caller, cause: Cause) -> Case:
    """The offer has won, or a Refusal says why not; only its own specialist or their programme may accept."""

    def decide(case: Case) -> Changed:
        _own_offer(case, acceptance.offer_id, caller)
        still_fits(room, case, acceptance.offer_id)
        return answering.accept(
            case,
            acceptance.offer_id,
            key=acceptance.key,
            promised_arrival_at=acceptance.promised_arrival_at,
            modality=acceptance.modality,
            is_click=acceptance.is_click,
            now=room.clock.now(),
        )

    return room.cases.answer(acceptance.offer_id, decide, caller, cause)


def still_fits(room: Room, case: Case, offer_id: str) -> None:
    """What was told since the offer went out counts: a hard rule is never broken by a late yes (P8).

    Raises Refusal CONFLICT no-longer-fits.
    """
    offer = case.offer(offer_id)
    if offer.state != cases.OPEN:
        return
    entries = room.roster.entries([offer.specialist_id])
    asked = candidates.wide(room, case.need, room.clock.now())
    rule = next((excluded_by(asked, *entry) for entry in entries.values()), None)
    if rule in _NEVER_BROKEN:
        text = "What you or the person told since makes this no match any more."
        raise Refusal("no-longer-fits", Kind.CONFLICT, text, offer_id=offer_id)


def decline(room: Room, declining: Declining, caller: Caller, cause: Cause) -> Case:
    """The specialist has said no; where nobody else is left to answer, the next wave goes out at once.

    Who says that they know each other is never brought to this person again, in no referral of theirs; that is stored
    first, so that no crash between the two can lose it.
    """
    if declining.reason_code == cases.KNOW_EACH_OTHER:
        _part(room, declining.offer_id, caller, cause)

    def decide(case: Case) -> Changed:
        _own_offer(case, declining.offer_id, caller)
        return answering.decline(
            case,
            declining.offer_id,
            key=declining.key,
            reason_code=declining.reason_code,
            now=room.clock.now(),
        )

    return room.cases.answer(declining.offer_id, decide, caller, cause)


def _part(room: Room, offer_id: str, caller: Caller, cause: Cause) -> None:
    case = room.cases.with_offer(offer_id)
    _own_offer(case, offer_id, caller)
    offer = case.offer(offer_id)
    if offer.state not in (cases.ACCEPTED, cases.ENDED):
        part(room, offer.specialist_id, case.need.peer_id, caller, cause)


def answered_with_link(room: Room, token: str) -> tuple[Case, Offer]:
    """The offer a link leads to, also after it was answered: a repeated click gets the answer it got before."""
    case, offer_id = room.cases.with_token(hashlib.sha256(token.encode()).digest())
    return case, case.offer(offer_id)


def _own_offer(case: Case, offer_id: str, caller: Caller) -> None:
    if caller.role not in ("specialist", "supervisor", "coordinator") or not may_see(
        case.offer(offer_id), caller
    ):
        raise Refusal(
            "not-your-offer",
            Kind.FORBIDDEN,
            "Only its own specialist, or their programme, answers an offer.",
            offer_id=offer_id,
        )
