"""Outside the ladder: a supervisor assigns by hand, a specialist claims from the open pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.ids import new_id
from services.matching import candidates
from services.matching.domain import taking
from services.matching.domain.case import BY_HAND, CLAIM, UNFILLED, Case, Changed, Offer
from services.matching.domain.rank import Candidate
from services.matching.domain.taking import Taking
from services.matching.handlers.boarding import lead_of_a_programme
from services.matching.handlers.looking import record_seen

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_URGENCIES = ("immediate", "urgent", "routine")
_MOST_LOOKED_AT = 500


@dataclass(frozen=True)
class ByHand:
    """A supervisor's decision; nobody is sent without having agreed."""

    referral_id: str
    specialist_id: str
    key: str
    promised_arrival_at: datetime
    modality: str
    reason_code: str
    has_agreed: bool


@dataclass(frozen=True)
class Waiting:
    """One case of the open pool; `candidate` is the asking specialist, None for who leads."""

    case: Case
    candidate: Candidate | None


class Pool(list[Waiting]):
    """What waits; `elsewhere` counts the cases that another process ranks: whether they fit is not known here."""

    elsewhere = 0


def assign_by_hand(room: Room, chosen: ByHand, caller: Caller, cause: Cause) -> tuple[Offer, int]:
    """The specialist has the referral, and how many the ranking had placed before them.

    Only a supervisor or coordinator of the specialist's own programme; every hard rule holds.  Raises Refusal FORBIDDEN
    not-your-programme, INVALID specialist-not-asked, and what `candidates.candidate` and `taking.take` raise.
    """
    if caller.organization_id != room.roster.programme_of(chosen.specialist_id):
        raise Refusal("not-your-programme", Kind.FORBIDDEN, "You assign specialists of your own programme.")
    if not chosen.has_agreed:
        raise Refusal("specialist-not-asked", Kind.INVALID, "Ask the specialist first; they must agree.")
    told = Taking(
        BY_HAND, chosen.key, chosen.promised_arrival_at, chosen.modality, reason_code=chosen.reason_code
    )
    of = chosen.referral_id, chosen.specialist_id
    return _take(room, of, told, caller, cause)


def claim(room: Room, referral_id: str, told: Taking, caller: Caller, cause: Cause) -> Offer:
    """The referral is with the specialist who claimed it first; every hard rule holds, and their capacity."""
    told = replace(told, how=CLAIM)
    return _take(room, (referral_id, caller.actor_id), told, caller, cause)[0]


def _take(room: Room, of: tuple[str, str], told: Taking, caller: Caller, cause: Cause) -> tuple[Offer, int]:
    referral_id, specialist_id = of
    room.roster_watch.refresh()
    now, offer_id = room.clock.now(), new_id("off")
    seen: list[int] = []

    def decide(case: Case) -> Changed:
        if taking.repeated(case, told.key, specialist_id) is not None:
            return case, []
        taking.check_waiting(case, told, now)
        chosen = candidates.candidate(room, case, specialist_id, now)
        _own(chosen, caller)
        seen.append(candidates.passed_over(room, case, specialist_id, now))
        return taking.take(case, chosen, told, offer_id=offer_id, passed_over=seen[-1], now=now)

    case = room.cases.change(referral_id, decide, cause, caller)
    offer = taking.repeated(case, told.key, specialist_id)
    assert offer is not None
    return offer, seen[-1] if seen else 0


def _own(chosen: Candidate, caller: Caller) -> None:
    if chosen.programme_id != caller.organization_id:
        raise Refusal("not-your-programme", Kind.FORBIDDEN, "This specialist is of another programme.")


def pool(room: Room, limit: int, caller: Caller, cause: Cause) -> Pool:
    """The unfilled referrals, the most urgent first, then who waits longest; audited.

    A specialist sees those they could take now, with why; who leads sees all.
    """
    waiting = room.cases.waiting(_MOST_LOOKED_AT)
    waiting.sort(key=lambda case: (_URGENCIES.index(case.need.urgency), case.opened_at))
    now = room.clock.now()
    open_to_claim = [case for case in waiting if case.state == UNFILLED and case.need.is_consent_valid(now)]
    shown = Pool()
    if caller.role == "specialist":
        here = _ranked_here(room, open_to_claim)
        shown.elsewhere = len(open_to_claim) - len(here)
        shown += _claimable(room, here, caller, now)[:limit]
    else:
        lead_of_a_programme(room, caller)
        shown += [Waiting(case, None) for case in open_to_claim[:limit]]
    record_seen(room, caller, "open-pool", (one.case for one in shown), cause)
    return shown


def _ranked_here(room: Room, waiting: Sequence[Case]) -> list[Case]:
    room.roster_watch.refresh()
    return [case for case in waiting if room.roster_watch.holds(case.need)]


def _claimable(room: Room, open_to_claim: Sequence[Case], caller: Caller, now: datetime) -> list[Waiting]:
    entries = room.roster.entries([caller.actor_id])
    mine = {one: entry for one, entry in entries.items() if entry[0].programme_id == caller.organization_id}
    rarity = candidates.rarities(room, [case.need for case in open_to_claim])
    found = (
        (case, candidates.fitting(room, case, mine, now, rarity[case.need.state])) for case in open_to_claim
    )
    return [Waiting(case, best[0]) for case, best in found if best]
