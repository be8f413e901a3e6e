"""Whether one specialist may take one referral now, and where the ranking places them: asked outside the ladder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.errors import Kind, Refusal
from services.matching.domain import rescue
from services.matching.domain.case import Case
from services.matching.domain.moving import ended_at_a_wish
from services.matching.domain.need import Need
from services.matching.domain.policy import Policy, Wave
from services.matching.domain.rank import Candidate, Entry, rank
from services.matching.domain.rules import Question, excluded_by, question
from services.matching.domain.score import Rarity, Scale, scale
from services.matching.domain.specialist import LEVELS

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_FAR = 64


def at_hand(room: Room, need: Need) -> None:
    """Raises Refusal UNAVAILABLE roster-not-here where this process cannot rank the referral: another one can.

    A smaller roster would answer as well, and wrongly: too few, another order, other points.
    """
    if not room.roster_watch.holds(need):
        told = "The roster is being read, or another process holds this region; ask again."
        raise Refusal("roster-not-here", Kind.UNAVAILABLE, told, retry_after_s=5)


def rescued(room: Room, need: Need, wave: Wave) -> tuple[Wave, Policy]:
    """The wave and the policy as they hold for this peer: wider where few speak their language (DOMAIN 4)."""
    policy = room.policy
    if need.is_interpreter_agreed or not need.languages:
        return wave, policy
    least = LEVELS[policy.common_language_from]
    speakers = room.index.speakers(need.languages, least, need.state)
    return rescue.widened(wave, policy, speakers, room.index.rarity(need.state).roster_size)


def wide(room: Room, need: Need, now: datetime, barred: frozenset[str] = frozenset()) -> Question:
    """The widest question a referral's ladder asks: phone and video allowed, who was asked may be asked, but `barred`."""
    last = room.ladders.current.of(need.source_id, need.urgency)[-1]
    wave, policy = rescued(room, need, replace(last, is_wide=True))
    return question(need, wave, now, policy, barred)


def scaled(room: Room, need: Need, rarity: Rarity | None = None) -> Scale:
    """What counts how much for a referral, with the peer's wishes in full."""
    first = room.ladders.current.of(need.source_id, need.urgency)[0]
    wave = replace(first, preference_milli=1000)
    return scale(need, wave, room.policy, rarity or room.index.rarity(need.state), room.taxonomy)


def rarities(room: Room, needs: Iterable[Need]) -> dict[str, Rarity]:
    """How rare everything is in each state these referrals come from, as the ladder counts it."""
    return {state: room.index.rarity(state) for state in {need.state for need in needs}}


def candidate(room: Room, case: Case, specialist_id: str, now: datetime) -> Candidate:
    """The specialist as a candidate for the case, by the store's own facts.

    Raises Refusal NOT_FOUND specialist-unknown, CONFLICT hard-rule with the name of the rule that keeps them out,
    UNAVAILABLE roster-not-here.
    """
    at_hand(room, case.need)
    entries = room.roster.entries([specialist_id])
    if specialist_id not in entries or not entries[specialist_id][0].is_ranked:
        raise Refusal("specialist-unknown", Kind.NOT_FOUND, "The roster has no such specialist.")
    asked = _asked(room, case, now)
    rule = excluded_by(asked, *entries[specialist_id])
    if rule is not None:
        text = f"A hard rule keeps this specialist from this referral: {rule}."
        raise Refusal("hard-rule", Kind.CONFLICT, text, rule=rule, specialist_id=specialist_id)
    return rank(asked, scaled(room, case.need), entries.values(), 1)[0]


def fitting(
    room: Room, case: Case, entries: Mapping[str, Entry], now: datetime, rarity: Rarity
) -> list[Candidate]:
    """Those of the entries who may take the case, best first; `rarity` is that of the case's state."""
    return rank(_asked(room, case, now), scaled(room, case.need, rarity), entries.values(), len(entries))


def best(room: Room, case: Case, now: datetime, limit: int, besides: frozenset[str]) -> list[Candidate]:
    """The best who may take the case, without those of `besides`; the index proposes, the store confirms.

    Raises Refusal UNAVAILABLE roster-not-here.
    """
    at_hand(room, case.need)
    asked = wide(room, case.need, now, besides | ended_at_a_wish([case]))
    weighed = scaled(room, case.need)
    proposed = room.index.propose(asked, weighed, 2 * limit + 4).specialist_ids
    return rank(asked, weighed, room.roster.entries(proposed).values(), limit)


def passed_over(room: Room, case: Case, specialist_id: str, now: datetime) -> int:
    """How many the ranking places before this specialist, counted up to 64."""
    ids = room.index.propose(_asked(room, case, now), scaled(room, case.need), _FAR).specialist_ids
    return ids.index(specialist_id) if specialist_id in ids else len(ids)


def _asked(room: Room, case: Case, now: datetime) -> Question:
    return wide(room, case.need, now, ended_at_a_wish([case]))
