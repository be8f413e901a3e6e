"""Why a specialist was or was not offered a referral, and what would change if something were different."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.matching import candidates
from services.matching.domain import why
from services.matching.domain.case import Case
from services.matching.domain.need import Need
from services.matching.domain.policy import Policy, Wave
from services.matching.domain.rank import Candidate, rank
from services.matching.domain.rules import Question, all_that_exclude, question
from services.matching.domain.score import Scale, scale
from services.matching.domain.specialist import MODALITIES

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_MOST_SHOWN = 10
_MOST_RANKED = 100
_LONGEST_WAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Place:
    """Where a specialist stands for a referral now; `place` is 0 and `rules` says why where they may not be asked."""

    wave: int
    place: int
    eligible: int
    rules: tuple[str, ...]
    candidate: Candidate | None
    offer_state: str


@dataclass(frozen=True)
class Difference:
    """What a coordinator would like to see changed. Nothing of it happens."""

    dropped_codes: frozenset[str] = frozenset()
    bedside_limit_minutes: int = 0
    added_modalities: frozenset[str] = frozenset()
    is_interpreter_agreed: bool = False


@dataclass(frozen=True)
class Outlook:
    """What the roster would give: how many may be asked, who is kept out by what, the best with their places."""

    eligible: int
    exclusions: Mapping[str, int]
    best: tuple[tuple[int, Candidate], ...]


def why_not(room: Room, referral_id: str, specialist_id: str, caller: Caller, cause: Cause) -> Place:
    """Every rule that keeps the specialist from the referral now, as far as it may be told, or their place.

    A supervisor or coordinator asks about their own programme's specialists, a specialist about themself and a
    referral they were offered. Anything else is Refusal NOT_FOUND. The read is in the audit log first.
    """
    case = room.cases.case(referral_id)
    found = room.roster.profile(specialist_id)
    offer = next((one for one in reversed(case.offers) if one.specialist_id == specialist_id), None)
    is_own = caller.role == "specialist" and caller.actor_id == specialist_id and offer is not None
    is_lead = caller.role in ("supervisor", "coordinator")
    is_theirs = is_lead and found.specialist.programme_id == caller.organization_id
    if not (is_own or is_theirs or caller.role == "system"):
        raise Refusal("specialist-unknown", Kind.NOT_FOUND, "The roster has no such specialist.")
    _audit(room, case, "WhyNot", caller, cause, specialist_id=specialist_id)
    _catch_up(room, case.need)
    wave = _wave(room, case)
    asked, scaled = _asked(room, case.need, *candidates.rescued(room, case.need, wave), frozenset())
    standing = replace(found.standing, open_milli=room.roster_watch.open_milli(specialist_id))
    rules = all_that_exclude(asked, found.specialist, standing)
    ranked = rank(asked, scaled, [(found.specialist, standing)], 1)
    return Place(
        wave=wave.number,
        place=room.index.place(asked, scaled, specialist_id) if ranked else 0,
        eligible=room.index.propose(asked, scaled, 1).eligible,
        rules=why.told(rules, asked, found.specialist),
        candidate=ranked[0] if ranked else None,
        offer_state=offer.state if offer else "",
    )


def what_if(
    room: Room, referral_id: str, difference: Difference, caller: Caller, cause: Cause
) -> tuple[Outlook, Outlook]:
    """How it is now, and how it would be. Whoever was asked already stays out of both.

    Raises Refusal INVALID where something is dropped that is no wish, or that must stay: an "avoid" and a safety
    exclusion protect the peer, and a specialist's own limits protect them.
    """
    case = room.cases.case(referral_id)
    _check(case.need, difference)
    _audit(room, case, "WhatIf", caller, cause)
    _catch_up(room, case.need)
    need = case.need
    kept = {code: s for code, s in need.preferences.items() if code not in difference.dropped_codes}
    changed = replace(
        need,
        preferences=kept,
        modalities=need.modalities | difference.added_modalities,
        is_interpreter_agreed=need.is_interpreter_agreed or difference.is_interpreter_agreed,
    )
    before = _asked(room, need, *candidates.rescued(room, need, _wave(room, case)), case.asked_ids)
    wave, policy = candidates.rescued(room, changed, _wave(room, case))
    if difference.bedside_limit_minutes:
        limit = {need.urgency: difference.bedside_limit_minutes}
        policy = replace(policy, bedside_limit_minutes={**policy.bedside_limit_minutes, **limit})
    after = _asked(room, changed, wave, policy, case.asked_ids)
    return _outlook(room, *before, caller), _outlook(room, *after, caller)


def _check(need: Need, difference: Difference) -> None:
    faults = [
        Fault(
            "dropped_codes",
            "avoid-stays" if strength == "avoid" else "not-a-wish",
            "This cannot be left out.",
        )
        for code in sorted(difference.dropped_codes)
        if (strength := need.preferences.get(code)) in ("avoid", None)
    ]
    if not difference.added_modalities <= set(MODALITIES):
        faults.append(Fault("added_modalities", "unknown-value", f"Some of {', '.join(MODALITIES)}."))
    if not 0 <= difference.bedside_limit_minutes <= _LONGEST_WAY_MINUTES:
        faults.append(Fault("bedside_limit_minutes", "not-a-count", "From 0 to 1440 minutes."))
    if faults:
        raise Refusal("cannot-be-different", Kind.INVALID, "This cannot be tried.", faults=faults)


def _audit(
    room: Room, case: Case, action: str, caller: Caller, cause: Cause, *, specialist_id: str = ""
) -> None:
    room.access.record_read(
        caller,
        record_type="Match",
        record_id=case.referral_id,
        action=action,
        cause=cause,
        subject_id=case.need.peer_id,
        referral_id=case.referral_id,
        criteria=[f"specialist={specialist_id}"] if specialist_id else [],
    )


def _catch_up(room: Room, need: Need) -> None:
    room.roster_watch.catch_up()
    candidates.at_hand(room, need)


def _wave(room: Room, case: Case) -> Wave:
    """The wave the case is in, or was in last."""
    waves = room.ladders.current.of(case.need.source_id, case.need.urgency)
    return waves[min(max(case.wave, 1), len(waves)) - 1]


def _asked(
    room: Room, need: Need, wave: Wave, policy: Policy, asked_ids: frozenset[str]
) -> tuple[Question, Scale]:
    asked = question(need, wave, room.clock.now(), policy, asked_ids)
    return asked, scale(need, wave, policy, room.index.rarity(need.state), room.taxonomy)


def _outlook(room: Room, asked: Question, scaled: Scale, caller: Caller) -> Outlook:
    proposal = room.index.propose(asked, scaled, _MOST_RANKED)
    entries = [
        (specialist, replace(standing, open_milli=room.roster_watch.open_milli(specialist.specialist_id)))
        for specialist, standing in room.roster.entries(proposal.specialist_ids).values()
    ]
    ranked = enumerate(rank(asked, scaled, entries, _MOST_RANKED), start=1)
    shown = [
        one for one in ranked if caller.role == "system" or one[1].programme_id == caller.organization_id
    ]
    return Outlook(proposal.eligible, room.index.exclusions(asked), tuple(shown[:_MOST_SHOWN]))
