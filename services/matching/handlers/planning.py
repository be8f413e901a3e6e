"""A joint plan for the backlog: previewed, then applied as a whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chassis.aggregates import StaleVersion
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching import backlog, candidates, waves
from services.matching.backlog import Plan
from services.matching.domain import case as cases
from services.matching.domain.case import Case, Changed
from services.matching.handlers.boarding import lead_of_a_programme
from services.matching.handlers.looking import record_seen

if TYPE_CHECKING:
    from services.matching.bootstrap import Room
    from services.matching.store.cases import Due

MOST_IN_A_PLAN = 2_000
_TRIES = 3


def preview_backlog(
    room: Room, referral_ids: Sequence[str], caller: Caller, cause: Cause, *, variant: str = backlog.BEST
) -> Plan:
    """The best joint assignment of what is unfilled, kept ten minutes so that exactly this can be applied; audited.

    Or the stable one.  Raises Refusal INVALID variant-unknown or plan-too-large.
    """
    if variant not in (backlog.BEST, backlog.STABLE):
        raise Refusal("variant-unknown", Kind.INVALID, "A plan is best or stable.")
    lead_of_a_programme(room, caller)
    room.roster_watch.refresh()
    room.ladders.refresh()
    if len(referral_ids) > MOST_IN_A_PLAN:
        raise Refusal("plan-too-large", Kind.INVALID, f"A plan has at most {MOST_IN_A_PLAN:,} referrals.")
    wanted = (
        [due.case for due in room.cases.load_many(referral_ids)]
        if referral_ids
        else room.cases.waiting(MOST_IN_A_PLAN)
    )
    now = room.clock.now()
    waiting = [one for one in wanted if one.state == cases.UNFILLED and one.need.is_consent_valid(now)]
    made = backlog.plan(room, waiting, now, variant)
    marks = {one.case.referral_id: (one.candidate.specialist_id, _mark(one.case)) for one in made.planned}
    room.plans.keep(made.plan_id, marks, made.expires_at, caller)
    record_seen(room, caller, "backlog", waiting, cause)
    return made


def apply_backlog(room: Room, plan_id: str, key: str, caller: Caller, cause: Cause) -> int:
    """Each referral of the plan is put to its specialist, all in one write or none; returns how many.

    They are offers: nobody is sent without a yes, and who is silent makes room for the ladder again.  The same key again
    changes nothing.  Raises Refusal NOT_FOUND plan-unknown, CONFLICT plan-applied, plan-expired or plan-stale.
    """
    kept = room.plans.kept(plan_id)
    if kept.applied_key:
        if kept.applied_key != key:
            raise Refusal("plan-applied", Kind.CONFLICT, "This plan went out already.")
        return len(kept.marks)
    if kept.expires_at <= room.clock.now():
        raise Refusal("plan-expired", Kind.CONFLICT, "This plan is too old; preview it again.")
    for _ in range(_TRIES):
        room.roster_watch.refresh()
        loaded = {due.case.referral_id: due for due in room.cases.load_many(list(kept.marks))}
        moves = [_offered(room, loaded.get(one), *told) for one, told in kept.marks.items()]
        try:
            room.cases.move_together(moves, cause, caller, room.plans.applied(plan_id, key))
        except StaleVersion:
            continue
        return len(moves)
    raise _stale()


def _offered(room: Room, due: Due | None, specialist_id: str, mark: str) -> tuple[Due, Changed]:
    if due is None or _mark(due.case) != mark:
        raise _stale()
    case, now = due.case, room.clock.now()
    try:
        chosen = candidates.candidate(room, case, specialist_id, now)
    except Refusal as refusal:
        if refusal.kind is Kind.UNAVAILABLE:
            raise
        raise _stale() from None
    ladder = room.ladders.current.of(case.need.source_id, case.need.urgency)
    link = waves.new_link()
    return due, cases.make_offers(case, ladder[-1], [chosen], [link], now, kind=cases.JOINT)


def _mark(case: Case) -> str:
    """What a plan was made of; looking again at an unfilled case does not change it."""
    return f"{case.state} {case.revision} {case.wave} {len(case.offers)}"


def _stale() -> Refusal:
    text = "Something changed since this plan was made; preview it again. Nothing was done."
    return Refusal("plan-stale", Kind.CONFLICT, text)
